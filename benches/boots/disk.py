"""What each brings along on disk, in KiB, beside what a server has anyway."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator

from vm.host import REPOSITORY, TARGET, do
from vm.image import tree

# In bytes; the file has holes.
SIZE = 6 << 30

Apt = Callable[[str], list[str]]

# What a server has anyway, beside what Debian calls required.
BASE = (
    "systemd-sysv", "dbus", "udev", "libpam-systemd", "openssh-server", "iproute2", "ifupdown", "sudo", "procps",
    "locales", "tzdata", "fdisk", "less", "?priority(required)",
)  # fmt: skip


@contextlib.contextmanager
def new_disk() -> Iterator[pathlib.Path]:
    """A file system on which nothing has been yet, as that of a new machine: ext4 looks long for a free
    inode where many files were removed a moment ago."""
    with tempfile.TemporaryDirectory(dir=TARGET) as place:
        image, root = pathlib.Path(place) / "disk", pathlib.Path(place) / "root"
        with image.open("wb") as file:
            file.truncate(SIZE)
        do("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
        root.mkdir()
        do("mount", "-o", "loop", image, root)
        try:
            yield root
        finally:
            do("umount", "--lazy", root)


def installed() -> dict[str, int]:
    """cloud-init's packages, as apt would choose them, and firstlight's files."""
    work = pathlib.Path(tempfile.mkdtemp(dir=TARGET))
    try:
        apt = _apt(work)
        do(*apt("apt-get"), "update")
        figures = {}
        for name, recommends in (("needed", "false"), ("default", "true")):
            packages = _chosen(apt, recommends, "cloud-init") - _chosen(apt, recommends)
            figures[f"{name}_packages"] = len(packages)
            figures[f"{name}_kib"] = _kib(apt, packages)
        stage = work / "stage"
        stage.mkdir()
        binary = os.environ["FIRSTLIGHT_BIN"]
        do(REPOSITORY / "packaging/install.sh", "--root", stage, "--binary", binary)
        ours = do("du", "--summarize", "--apparent-size", "--block-size=1024", stage)
        return figures | {"firstlight_kib": int(ours.split()[0])}
    finally:
        shutil.rmtree(work)


def _apt(work: pathlib.Path) -> Apt:
    """apt of this machine, for a machine with the sources of the images' tree and no packages."""
    root = tree()
    (work / "lists/partial").mkdir(parents=True)
    (work / "cache/archives/partial").mkdir(parents=True)
    options = {
        "Dir::Etc": root / "etc/apt",
        "Dir::Etc::TrustedParts": root / "etc/apt/trusted.gpg.d",
        "Dir::State::status": "/dev/null",
        "Dir::State::lists": work / "lists",
        "Dir::Cache": work / "cache",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    words = [f"-o{name}={value}" for name, value in options.items()]
    return lambda program: [program, *words]


def _chosen(apt: Apt, recommends: str, *packages: str) -> set[str]:
    """What would be installed, with what is only recommended or without."""
    options = (f"-oAPT::Install-Recommends={recommends}", "--simulate")
    lines = (line.split() for line in do(*apt("apt-get"), *options, "install", *BASE, *packages).splitlines())
    return {line[1] for line in lines if line[:1] == ["Inst"]}


def _kib(apt: Apt, packages: set[str]) -> int:
    said = do(*apt("apt-cache"), "show", "--no-all-versions", *sorted(packages))
    return sum(int(line.split()[1]) for line in said.splitlines() if line.startswith("Installed-Size:"))
