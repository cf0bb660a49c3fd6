"""The second floor: a virtual machine whose firmware says Amazon EC2, with a kernel and a disk of its own.

Source of what the firmware says: EC2 User Guide, "Detect whether a host is an EC2 instance"; what
`dmidecode` shows on Nitro instances.
"""

from __future__ import annotations

import functools
import pathlib
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence

from .floor import Floor
from .host import Argument, Failure, Said, ask, do, stop, wait_for
from .image import Image, Root, bake, builders, tree, write
from .network import Subnet

# Where nothing runs the guest's instructions natively, all takes so many times longer.
SLOWNESS = 6
# In MiB. The root partition is there to be grown.
DISK, PARTITION, OFFSET = 4096, 1536, 1
FSTAB = "LABEL=root / ext4 defaults 0 1\n"
# An image for so slow a machine has longer budgets, everywhere.
PATIENCE = {
    "etc/firstlight/config.d/45-slow.yaml": """\
firstlight: {gate_budget: 10m}
datasource: {Ec2: {max_wait: 1200, timeout: 50}}
""",
    "etc/systemd/system/firstlight.service.d/slow.conf": "[Service]\nTimeoutStartSec=11min\n",
    "etc/systemd/system.conf.d/slow.conf": """\
[Manager]
DefaultTimeoutStartSec=10min
DefaultDeviceTimeoutSec=10min
""",
}


@functools.cache
def accelerator() -> str:
    """`kvm` where it really starts a kernel, else `tcg`: /dev/kvm may open and be of no use."""
    trial = [
        *("timeout", "10", "qemu-system-x86_64", "-accel", "kvm", "-cpu", "max", "-m", "512", "-nodefaults"),
        *("-display", "none", "-serial", "stdio", "-no-reboot", *kernel("console=ttyS0 panic=-1")),
    ]
    return "kvm" if "Linux version" in ask(trial).out else "tcg"


def kernel(line: str) -> list[Argument]:
    """The options that start the tree's own kernel with this command line."""
    boot = tree() / "boot"
    (image,), (ramdisk,) = boot.glob("vmlinuz-*"), boot.glob("initrd.img-*")
    return ["-kernel", image, "-initrd", ramdisk, "-append", line]


class Virtual(Floor):
    """A virtual machine; `folder` keeps its disk and what it shows."""

    floor = "machine"
    root: pathlib.Path | None = None
    # More words for qemu.
    options: Sequence[Argument] = ()

    def __init__(self, name: str, image: Image, subnet: Subnet, folder: pathlib.Path, key: pathlib.Path) -> None:
        self.name = name
        self.subnet = subnet
        self.folder = folder
        self.key = key
        self.log = folder / "console.log"
        self._disk = folder / "disk"
        self._process: subprocess.Popen[bytes] | None = None
        # A short path, as that of a socket has to be (unix(7)).
        self._sockets = pathlib.Path(tempfile.mkdtemp(prefix="vm-ssh-"))
        self._make_disk(image)

    def _make_disk(self, image: Image) -> None:
        root = Root(self.folder, image.packages)
        try:
            bake(image, root.path, "", self.key)
            write(root.path / "etc/fstab", FSTAB)
            if accelerator() == "tcg":
                for path, text in PATIENCE.items():
                    write(root.path / path, text)
            make_disk(root.path, self._disk)
        finally:
            root.remove()

    def start(self, instance_id: str, kernel_words: str = "", clock: str = "") -> None:
        """Switches it on, with firmware that says who it is."""
        self._begin = len(self._all_console())
        self._process = subprocess.Popen(
            self.subnet.router.within(self._command(instance_id, kernel_words, clock)),
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "qemu.log").open("ab"),
            stderr=subprocess.STDOUT,
        )

    def _command(self, instance_id: str, kernel_words: str, clock: str) -> list[Argument]:
        tap = self.subnet.plug_tap()
        uuid = "ec2" + instance_id.removeprefix("i-").rjust(29, "0")[-29:]
        uuid = "-".join((uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]))
        words = f"root=LABEL=root ro console=ttyS0 {kernel_words}"
        return [
            *("qemu-system-x86_64", "-name", self.name, "-accel", accelerator(), "-cpu", "max"),
            *("-smp", "1", "-m", "1024"),
            *("-nodefaults", "-display", "none", "-no-reboot"),
            *("-chardev", f"file,id=console,path={self.log},append=on", "-serial", "chardev:console"),
            *("-drive", f"file={self._disk},format=raw,if=none,id=root,cache=unsafe,discard=unmap"),
            *("-device", "nvme,drive=root,serial=vol0123456789abcdef0"),
            *("-netdev", f"tap,id=net,ifname={tap},script=no,downscript=no"),
            *("-device", f"virtio-net-pci,netdev=net,mac={self.subnet.mac}", "-device", "virtio-rng-pci"),
            *("-smbios", "type=0,vendor=Amazon EC2,version=1.0,date=10/16/2017"),
            *("-smbios", f"type=1,manufacturer=Amazon EC2,product=t3.micro,serial={uuid},uuid={uuid}"),
            *("-smbios", f"type=2,manufacturer=Amazon EC2,asset={instance_id}"),
            *("-smbios", "type=3,manufacturer=Amazon EC2,asset=Amazon EC2"),
            *(("-rtc", f"base={clock}") if clock else ()),
            *self.options,
            *kernel(words),
        ]

    def wait_booted(self, limit: float, until: Callable[[], bool] | None = None) -> None:
        """Waits until it is so, or else until somebody can log in and no job of the boot is left."""
        limit *= SLOWNESS if accelerator() == "tcg" else 1
        try:
            if until:
                wait_for("the end of the boot", lambda: self._is_alive() and until(), limit)
                return
            wait_for("a login over the network", lambda: self._is_alive() and self.run(["true"]).code == 0, limit)
            self.run(["systemctl", "is-system-running", "--wait"], timeout=limit)
        except Failure as failure:
            raise Failure(f"{failure}\n{self.console()[-3000:]}") from None

    def _is_alive(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise Failure(f"the machine has ended: {(self.folder / 'qemu.log').read_text()}")
        return True

    def run(self, argv: Sequence[Argument], timeout: float = 90) -> Said:
        """Runs a command in it as root, through a login with the key of the image's builder."""
        command = shlex.join(map(str, argv))
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "ConnectTimeout": "30",
            "LogLevel": "ERROR",
            "ControlMaster": "auto",
            "ControlPath": f"{self._sockets}/{self.subnet.number}",
            "ControlPersist": "60",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        ssh: list[Argument] = ["ssh", "-i", builders(self.key), *words, f"root@{self.subnet.address}", command]
        return ask(self.subnet.router.within(ssh), timeout=timeout * SLOWNESS)

    def wait_ended(self, limit: float = 60) -> None:
        """Waits until it has switched itself off."""
        assert self._process
        try:
            self._process.wait(limit * SLOWNESS)
        except subprocess.TimeoutExpired:
            raise Failure(f"it did not switch off\n{self.console()[-2000:]}") from None
        self._process = None
        for socket in self._sockets.iterdir():
            ask(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "it"], timeout=10)

    def last_journal(self, *words: str) -> str:
        """The journal of its last boot, read from its disk while it is switched off."""
        with tempfile.TemporaryDirectory() as place:
            ask(["debugfs", "-R", f"rdump /var/log/journal {place}", f"{self._disk}?offset={OFFSET * 1024 * 1024}"])
            argv = ["journalctl", f"--directory={place}/journal", "--boot=-0", "--quiet", "--no-pager"]
            return ask([*argv, *words]).out

    def remove(self) -> None:
        """Ends it as it is, and forgets its disk."""
        if self._process:
            stop(self._process)
        self._disk.unlink(missing_ok=True)
        shutil.rmtree(self._sockets, ignore_errors=True)


def make_disk(root: pathlib.Path, disk: pathlib.Path) -> None:
    """Makes a GPT disk with room behind its one partition, which holds what is below `root`."""
    with disk.open("wb") as file:
        file.truncate(DISK * 1024 * 1024)
    table = (
        f"label: gpt\nstart={OFFSET}MiB, size={PARTITION}MiB, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name=root\n"
    )
    do("sfdisk", "--quiet", disk, stdin=table)
    place = f"offset={OFFSET * 1024 * 1024},lazy_itable_init=1"
    do("mkfs.ext4", "-q", "-F", "-L", "root", "-E", place, "-d", root, disk, f"{PARTITION}M")
