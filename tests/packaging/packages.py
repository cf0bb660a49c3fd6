"""The built packages, and how to run something."""

import os
import pathlib
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = pathlib.Path(os.environ["PACKAGES"])
PROGRAM = PACKAGES / "firstlight"
DOCUMENTS = REPOSITORY / "target/documents"


def package(pattern: str, folder: pathlib.Path = PACKAGES) -> pathlib.Path:
    """The one package whose file name this is."""
    (found,) = folder.glob(pattern)
    return found


def debs(folder: pathlib.Path = PACKAGES) -> tuple[pathlib.Path, pathlib.Path]:
    return package("firstlight_*.deb", folder), package("firstlight-cloud-init-compat_*.deb", folder)


def rpms() -> tuple[pathlib.Path, pathlib.Path]:
    return package("firstlight-[0-9]*.rpm"), package("firstlight-cloud-init-compat-*.rpm")


def run(*command: str | pathlib.Path, code: int | None = 0, **options) -> str:
    """What a command says, on both streams. Fails unless it ends with `code`, if one is given."""
    options = {"env": os.environ | {"LC_ALL": "C.UTF-8"}, "stderr": subprocess.STDOUT, "text": True, **options}
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, **options)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


# Stands for systemctl(1) and writes down what it is asked for. What is to be done below a root directory
# is done: it speaks to no running systemd.
RECORDER = """#!/bin/sh
case $1 in
--root=*) exec /usr/bin/systemctl "$@" ;;
*) echo "$*" >>"$(dirname "$0")/systemctl.log" ;;
esac
"""


def install_recorder(folder: pathlib.Path) -> pathlib.Path:
    """Puts the recorder into a folder, which is then to come first in PATH; gives its log, emptied."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "systemctl").write_text(RECORDER)
    (folder / "systemctl").chmod(0o755)
    log = folder / "systemctl.log"
    log.write_text("")
    return log
