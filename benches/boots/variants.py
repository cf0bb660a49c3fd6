"""The images that are compared: one Debian, bare, with cloud-init, and with firstlight."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass, replace

from vm.host import REPOSITORY, Failure, do
from vm.image import Image
from vm.lab import Launch

# What people launch with: a host name, two users with keys, ten files, runcmd.
USER_DATA = (REPOSITORY / "benches/document/user-data").read_text()
# The metadata of an ordinary instance; what the lab says itself is left to it.
OWN = ("public-keys", "local-ipv4", "mac", "instance-id", "hostname", "local-hostname", "placement", "iam")
METADATA = json.loads((REPOSITORY / "tests/lab/trees/aws-mock.json").read_text())["meta-data"]
FIRST = Launch(user_data=USER_DATA, name="web", more={key: value for key, value in METADATA.items() if key not in OWN})

# The host keys that the others make too.
HOST_KEYS = """\
[Unit]
Description=Host keys
Before=ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A
[Install]
WantedBy=multi-user.target
"""

# The network is that of the other images, which cloud-init need not set up.
CLOUD_INIT = """\
datasource_list: [Ec2]
network: {config: disabled}
"""
# Without a name server that might be waited for: cloud-init looks for some hosts that are not there.
NO_NAMES = {"etc/resolv.conf": ""}

# A container shows no firmware of EC2. cloud-init goes another way where there is none (no session
# token, no metadata before the network), so it is shown files that say what EC2's says.
FIRMWARE = {
    "product_uuid": "ec2e1916-9099-7caf-fd21-012345abcdef",
    "product_serial": "ec2e1916-9099-7caf-fd21-012345abcdef",
    "product_name": "t3.micro",
    "sys_vendor": "Amazon EC2",
    "chassis_vendor": "Amazon EC2",
}

# Notes what a Python program called cloud-init used itself, when it ends.
USAGE = """\
import atexit, sys

def note():
    if not any(word.endswith("/cloud-init") for word in sys.orig_argv):
        return
    import json, resource
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    with open("/run/usage", "a") as file:
        cpu_us = round((used.ru_utime + used.ru_stime) * 1e6)
        file.write(json.dumps({"cpu_us": cpu_us, "peak_memory_kib": peak}) + "\\n")

atexit.register(note)
"""
PACKAGES = "usr/lib/python3/dist-packages"


@dataclass(frozen=True)
class Variant:
    """An image, and which of its units do the work."""

    name: str
    image: Image
    # The last of them; when it is active the machine is finished.
    last: str
    units: tuple[str, ...] = ()


def _firmware(root: pathlib.Path) -> None:
    reader = root / PACKAGES / "cloudinit/dmi.py"
    text = reader.read_text()
    for old, new in (("/sys/class/dmi/id", "/etc/firmware"), ("if is_container():", "if False:")):
        if old not in text:
            raise Failure(f"{reader} does not speak of `{old}`")
        text = text.replace(old, new)
    reader.write_text(text)


def _accounts(root: pathlib.Path) -> None:
    """The accounts that the others make, made by whoever built the image."""
    for user in ("debian", "ann", "ben"):
        do("chroot", root, "useradd", "--create-home", "--shell", "/bin/bash", "--groups", "sudo", user)
    (root / "etc/hostname").write_text("web\n")


def machines() -> tuple[Variant, ...]:
    """Those that a virtual machine is booted from, which shows firmware of EC2's."""
    _, cloud_init, firstlight = every()
    return (replace(cloud_init, image=replace(cloud_init.image, finish=None)), replace(firstlight, image=replace(firstlight.image, source="")))


def every() -> tuple[Variant, ...]:
    """All of them, in the order in which a round boots them."""
    return (
        Variant(
            "bare",
            Image(ours=(), files={**NO_NAMES, "etc/systemd/system/host-keys.service": HOST_KEYS}, enable=("host-keys.service",), finish=_accounts),
            last="multi-user.target",
        ),
        Variant(
            "cloud-init",
            Image(
                ours=(),
                packages=("cloud-init",),
                files={
                    **NO_NAMES,
                    "etc/cloud/cloud.cfg.d/99-bench.cfg": CLOUD_INIT,
                    f"{PACKAGES}/zz_usage.py": USAGE,
                    f"{PACKAGES}/zz_usage.pth": "import zz_usage\n",
                    **{f"etc/firmware/{name}": text + "\n" for name, text in FIRMWARE.items()},
                },
                finish=_firmware,
            ),
            last="cloud-final.service",
            units=(
                "cloud-init-main.service", "cloud-init-local.service", "cloud-init-network.service",
                "cloud-config.service", "cloud-final.service",
            ),
        ),
        Variant("firstlight", Image(files=NO_NAMES), last="firstlight-final.service", units=("firstlight.service", "firstlight-final.service")),
    )  # fmt: skip
