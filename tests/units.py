"""The units as systemd reads them, and the directives that they may have.

A program that always exists stands at the place of the binary, which is not installed here.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

OURS = pathlib.Path("systemd")
COMPAT = pathlib.Path("packaging/cloud-init-compat/systemd")

# A script of user data runs in the unit: it must not feel that (systemd.exec(5)). And whatever goes
# wrong with a unit of ours, no other one may fail for it: there is no Requires=, no OnFailure=, and
# nobody is RequiredBy= it. What is not here needs a reason before it is added.
ALLOWED = {
    "Unit": {
        "Description": "",
        "DefaultDependencies": "no",
        "Conflicts": "shutdown.target",
        "Before": "",
        "After": "",
        "Wants": "",
        "ConditionKernelCommandLine": "",
        "ConditionPathExists": "",
    },
    "Service": {
        "Type": "notify|oneshot",
        "ExecStart": "(/usr/bin/firstlight boot.*)?",
        "RemainAfterExit": "yes",
        "TimeoutStartSec": "",
        "KillMode": "process",
        "TasksMax": "infinity",
        "OOMPolicy": "continue",
        "KeyringMode": "shared",
        "UMask": "0022",
        "RuntimeDirectory": "firstlight",
        "RuntimeDirectoryMode": "0755",
        "RuntimeDirectoryPreserve": "yes",
        "StandardOutput": r"journal\+console",
        "StandardError": r"journal\+console",
    },
    "Install": {"WantedBy": "multi-user.target|cloud-init.target"},
}

# What waits for us would wait for what we wait for. Source: bootup(7).
NEVER_BEFORE = re.compile(r"^(network-pre|network|sysinit|sockets|paths|timers)\.target$|\.socket$|^dbus")

# Units of images, as they are met. Each must find its place in the boot.
IMAGES_UNITS = {
    "before-cloud-init.service": "[Unit]\nDefaultDependencies=no\nAfter=local-fs.target\nBefore=cloud-init-local.service\n",
    "before-user-data.service": "[Unit]\nBefore=cloud-init.service\nDefaultDependencies=no\n",
    "between.service": "[Unit]\nAfter=cloud-init-local.service\nBefore=cloud-config.service cloud-final.service\n",
    "needs-identity.service": "[Unit]\nRequires=cloud-init.service\nAfter=cloud-init.service\n",
    "after-config.service": "[Unit]\nAfter=cloud-config.target\nWants=cloud-config.target\n",
    "after-all.service": "[Unit]\nAfter=cloud-final.service\n",
    "after-target.service": "[Unit]\nAfter=cloud-init.target\n",
}


def main() -> None:
    breaches = []
    for path in sorted([*OURS.rglob("*"), *COMPAT.rglob("*")]):
        if path.suffix in {".service", ".target", ".conf"} and path.is_file() and "tmpfiles.d" not in path.parts:
            breaches += check_directives(path)
    for gate in (False, True):
        for compat in (False, True):
            breaches += verify(gate, compat)
    print("\n".join(breaches))
    sys.exit(1 if breaches else 0)


def check_directives(path: pathlib.Path) -> list[str]:
    breaches = []
    section = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        name, _, value = line.partition("=")
        allowed = ALLOWED.get(section, {}).get(name)
        if allowed is None:
            breaches.append(f"{path}:{number}: {name}= is not among the directives of our units")
        elif allowed and not re.fullmatch(allowed, value):
            breaches.append(f"{path}:{number}: {name}={value} is not what our units say")
        elif name == "Before":
            too_early = [unit for unit in value.split() if NEVER_BEFORE.search(unit)]
            breaches += [f"{path}:{number}: {unit} must not wait for us" for unit in too_early]
    return breaches


def verify(gate: bool, compat: bool) -> list[str]:
    """What systemd-analyze says of ours, gating basic.target or not, with cloud-init's names or not."""
    with tempfile.TemporaryDirectory() as name:
        units = pathlib.Path(name)
        targets = ["firstlight.service", "firstlight-final.service", "multi-user.target"]
        for unit in OURS.glob("*.service"):
            install(unit, units)
        if gate:
            for drop_in in OURS.glob("debian/firstlight.service.d/*"):
                install(drop_in, units / "firstlight.service.d")
        if compat:
            for path in COMPAT.rglob("*"):
                if not path.is_dir() or path.is_symlink():
                    install(path, units / path.relative_to(COMPAT).parent)
            wants = units / "multi-user.target.wants"
            wants.mkdir()
            (wants / "cloud-init.target").symlink_to("../cloud-init.target")
            wants = units / "cloud-init.target.wants"
            wants.mkdir()
            for unit, text in IMAGES_UNITS.items():
                (units / unit).write_text(f"{text}[Service]\nType=oneshot\nExecStart=/bin/true\n")
                (wants / unit).symlink_to(f"../{unit}")
            targets += ["cloud-init.target", *(unit.name for unit in COMPAT.glob("cloud*"))]
        said = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *targets],
            env=os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:"},
            capture_output=True,
            text=True,
            check=False,
        )
        # It succeeds on what it only warns of, such as a cycle; other units are not ours.
        lines = (said.stdout + said.stderr).splitlines()
        ours = [line for line in lines if said.returncode or re.search("firstlight|cloud|cycle", line, re.IGNORECASE)]
        way = f"{'gating basic.target' if gate else 'not gating'}, {'with' if compat else 'without'} cloud-init's names"
        return [f"systemd-analyze ({way}): {line}" for line in ours]


def install(path: pathlib.Path, folder: pathlib.Path) -> None:
    folder.mkdir(exist_ok=True)
    if path.is_symlink():
        (folder / path.name).symlink_to(path.readlink())
    else:
        (folder / path.name).write_text(path.read_text().replace("/usr/bin/firstlight", "/bin/true"))


main()
