"""The recipes for images: that they can be read, name files that are there, and end with the sealing.

What runs them, Packer and an account at AWS, is not here; mkosi reads its own where it is installed.
"""

import configparser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import hcl2

PACKER = pathlib.Path("packaging/packer")
MKOSI = pathlib.Path("packaging/mkosi")
# What mkosi(1) of version 25 knows of them, as far as we say it.
SETTINGS = {
    "Distribution": {"Distribution", "Release"},
    "Output": {"Format", "ImageId", "OutputDirectory"},
    "Build": {"WithNetwork"},
    "Content": {"Bootable", "Bootloader", "KernelCommandLine", "Packages", "WithDocs"},
}


def main() -> None:
    breaches = [*script(), *openrc(), *packer(), *mkosi()]
    print("\n".join(breaches))
    sys.exit(1 if breaches else 0)


def script() -> list[str]:
    """packaging/install.sh into a tree, twice: what is enabled, and what the builder wrote stays."""
    breaches = []
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        own = root / "etc/firstlight/config.yaml"
        own.parent.mkdir(parents=True)
        own.write_text("runcmd: []\n")
        for _ in range(2):
            command = ["packaging/install.sh", "--root", root, "--binary", "/bin/true", "--compat", "--gate-basic-target"]
            subprocess.run(command, check=True)
        if own.read_text() != "runcmd: []\n":
            breaches.append("install.sh: the builder's configuration is overwritten")
        for path in [
            "usr/bin/cloud-init",
            "usr/lib/systemd/system/firstlight.service.d/10-before-basic.conf",
            "etc/firstlight/config.d/10-cloud-init-compat.yaml",
        ]:
            if not os.path.lexists(root / path):
                breaches.append(f"install.sh: there is no {path}")
        for unit, expected in {
            "firstlight.service": "enabled",
            "firstlight-final.service": "enabled",
            "cloud-init.target": "enabled",
            "cloud-init.service": "alias",
            "cloud-final.service": "alias",
        }.items():
            breaches += state(root, unit, expected)
        # What builders of images do with cloud-init's names is done to ours.
        for unit, ours in {"cloud-init": "firstlight.service", "cloud-final": "firstlight-final.service"}.items():
            for verb, expected in {"disable": "disabled", "enable": "enabled"}.items():
                subprocess.run(["systemctl", "--quiet", f"--root={root}", verb, unit], check=True, capture_output=True)
                breaches += state(root, ours, expected)
    return breaches


def openrc() -> list[str]:
    """The same into a tree of Alpine Linux: no unit of systemd, and nothing that is made of units."""
    breaches = []
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        command = ["packaging/install.sh", "--root", root, "--binary", "/bin/true", "--openrc"]
        for _ in range(2):
            subprocess.run(command, check=True)
        for service in ["firstlight", "firstlight-final"]:
            link = root / "etc/runlevels/default" / service
            if not link.is_symlink() or not (root / os.readlink(link).lstrip("/")).exists():
                breaches.append(f"install.sh --openrc: {service} is not enabled")
        if (root / "usr/lib/systemd").exists():
            breaches.append("install.sh --openrc: there are units")
        if subprocess.run([*command, "--compat"], capture_output=True, check=False).returncode != 64:
            breaches.append("install.sh: --openrc and --compat do not go together")
    return breaches


def state(root: pathlib.Path, unit: str, expected: str) -> list[str]:
    command = ["systemctl", f"--root={root}", "is-enabled", unit]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return [] if said == expected else [f"install.sh: {unit} is {said or 'not there'}, not {expected}"]


def packer() -> list[str]:
    breaches = []
    path = PACKER / "firstlight.pkr.hcl"
    text = path.read_text()
    recipe = hcl2.loads(text)
    declared = {name.strip('"') for variable in recipe["variable"] for name in variable}
    used = set(re.findall(r"\bvar\.(\w+)", text))
    breaches += [f"{path}: no variable {name}" for name in sorted(used - declared)]
    breaches += [f"{path}: variable {name} is not used" for name in sorted(declared - used)]
    for name in re.findall(r"\$\{path\.root\}/([\w.-]+)", text):
        if not (PACKER / name).is_file():
            breaches.append(f"{path}: there is no {name}")
    # The last that is done on the machine.
    body = (PACKER / "bake").read_text()
    last = body[body.index("main() {") : body.index("\n}")].splitlines()[-1].strip()
    if last != "firstlight clean --seal":
        breaches.append(f"{PACKER}/bake: it ends with `{last}` and not with the sealing")
    return breaches


def mkosi() -> list[str]:
    breaches = []
    path = MKOSI / "mkosi.conf"
    recipe = configparser.ConfigParser(strict=True, interpolation=None)
    recipe.optionxform = str
    recipe.read_string(path.read_text())
    for section in recipe.sections():
        unknown = set(recipe[section]) - SETTINGS.get(section, set())
        breaches += [f"{path}: [{section}] {name}= is not known" for name in sorted(unknown)]
    packages = recipe["Content"]["Packages"].split()
    if "firstlight" not in packages:
        breaches.append(f"{path}: firstlight is not in it")
    for script in MKOSI.glob("mkosi.*.chroot"):
        if not script.stat().st_mode & 0o111:
            breaches.append(f"{script}: mkosi passes over what cannot be executed")
    if (MKOSI / "mkosi.finalize.chroot").read_text().splitlines()[-1] != "firstlight clean --seal":
        breaches.append(f"{MKOSI}: the image is not sealed")
    if shutil.which("mkosi"):
        said = subprocess.run(["mkosi", "--directory", MKOSI, "summary"], capture_output=True, text=True, check=False)
        if said.returncode:
            breaches.append(f"mkosi: {said.stderr.strip()}")
    return breaches


main()
