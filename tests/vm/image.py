"""Images: what a builder bakes. A Debian tree, our package in it, and what the image says."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import pathlib
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from .host import REPOSITORY, TARGET, ask, do

# Every image has this account, as Debian's own cloud images have theirs, beside root, for whom the
# image's builder left a key.
ACCOUNT = """\
system_info: {default_user: {name: debian, shell: /bin/bash, sudo: ["ALL=(ALL) NOPASSWD:ALL"]}}
"""
# A container has no EC2 firmware to show, so its image says where it runs.
IN_EC2 = "datasource_list: [Ec2, None]\ndatasource: {Ec2: {strict_id: false}}\n"
IN_SEED = "datasource_list: [NoCloud, None]\n"

NETWORKD = "[Match]\nName=e*\n[Network]\nDHCP=yes\n"
INTERFACES = "auto lo\niface lo inet loopback\nallow-hotplug {0}\nauto {0}\niface {0} inet dhcp\n"
# Who may set up the network, and the units that do it.
NETWORKS = {
    "networkd": ["systemd-networkd.service"],
    "ifupdown": ["networking.service"],
    "NetworkManager": ["NetworkManager.service", "NetworkManager-dispatcher.service"],
}


@dataclass(frozen=True)
class Image:
    """What an image says; the rest is the same for all of them."""

    # Its /etc/firstlight/config.d/50-image.yaml.
    config: str = ""
    # Other files, by their path in the image; what begins with `#!` can be run.
    files: dict[str, str] = field(default_factory=dict)
    network: str = "networkd"
    # ssh.service, or ssh.socket, which starts it when somebody comes.
    ssh: str = "ssh.service"
    # Where the machine's facts come from: `IN_EC2`, `IN_SEED`, or "" to find out.
    source: str | None = None
    # Units that the builder enables beside ours.
    enable: tuple[str, ...] = ()
    # Packages of Debian's beside the usual ones.
    packages: tuple[str, ...] = ()
    # Packages of ours; none for an image without firstlight.
    ours: tuple[str, ...] = ("firstlight",)
    # What the builder does to the finished tree.
    finish: Callable[[pathlib.Path], None] | None = None
    # Whether it brings host keys along, so that sshd can start without firstlight.
    host_keys: bool = False


def tree(packages: tuple[str, ...] = ()) -> pathlib.Path:
    """The tree below all images, built where it is not yet."""
    return pathlib.Path(do(REPOSITORY / "tests/vm/tree", *packages))


class Root:
    """A writable root directory for an image: an overlay on the tree, or a copy of it."""

    def __init__(self, folder: pathlib.Path, packages: tuple[str, ...] = ()) -> None:
        self.path = folder / "root"
        self._layers = [folder / "upper", folder / "layer-work"]
        for directory in (self.path, *self._layers):
            directory.mkdir(parents=True)
            directory.chmod(0o755)
        lower = tree(packages)
        upper, work = self._layers
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        self._mounted = ask(["mount", "-t", "overlay", "overlay", "-o", options, self.path]).code == 0
        if not self._mounted:
            do("cp", "-a", "--reflink=auto", f"{lower}/.", self.path)

    def remove(self) -> None:
        if self._mounted:
            do("umount", "--lazy", self.path)
        for directory in (self.path, *self._layers):
            shutil.rmtree(directory, ignore_errors=True)


def bake(image: Image, root: pathlib.Path, source: str, key: pathlib.Path) -> None:
    """Makes `root` this image. `source` is what it says of its data source unless it knows better."""
    if image.ours:
        install(root, *(package(name) for name in image.ours))
    config = root / "etc/firstlight/config.d"
    config.mkdir(parents=True, exist_ok=True)
    write(config / "40-test.yaml", ACCOUNT + (source if image.source is None else image.source))
    if image.config:
        write(config / "50-image.yaml", image.config)
    write(root / "etc/systemd/network/10-dhcp.network", NETWORKD)
    write(root / "etc/network/interfaces", INTERFACES.format("eth0") if image.network == "ifupdown" else "")
    others = [unit for name, units in NETWORKS.items() if name != image.network for unit in units]
    _systemctl(root, "disable", *others)
    _systemctl(root, "enable", *NETWORKS[image.network])
    _systemctl(root, "disable", "ssh.service", "ssh.socket")
    _systemctl(root, "enable", image.ssh)
    for path, text in image.files.items():
        write(root / path.lstrip("/"), text)
    write(root / "root/.ssh/authorized_keys", builders(key).with_suffix(".pub").read_text())
    if image.host_keys:
        do("ssh-keygen", "-A", "-f", root)
    if image.enable:
        _systemctl(root, "enable", *image.enable)
    if image.finish:
        image.finish(root)


def builders(key: pathlib.Path) -> pathlib.Path:
    """The key of the image's builder, which lies beside the launch key: root's, in every image."""
    return key.with_name("builder")


def write(file: pathlib.Path, text: str) -> None:
    """Writes a file, and the directories that it needs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755 if text.startswith("#!") else 0o644)


def binary() -> pathlib.Path:
    """The firstlight under test."""
    return pathlib.Path(os.environ.get("FIRSTLIGHT_BIN", REPOSITORY / "target/debug/firstlight")).resolve()


@functools.cache
def _packages(version: str) -> dict[str, pathlib.Path]:
    """Our packages with this version, by their names; built where they are not yet."""
    state = hashlib.sha256(binary().read_bytes())
    for folder in ("packaging", "systemd"):
        for file in sorted((REPOSITORY / folder).rglob("*")):
            state.update(f"{file} {file.readlink()}".encode() if file.is_symlink() else b"")
            state.update(file.read_bytes() if file.is_file() else b"")
    out = TARGET / "packages" / f"{version}-{state.hexdigest()[:12]}"
    # Two builds at once are in each other's way.
    with (TARGET / "packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            new = out.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            do(REPOSITORY / "packaging/build", "--out", new, "--binary", binary(), "--version", version, "deb")
            new.rename(out)
    return {file.name.split("_")[0]: file for file in out.glob("*.deb")}


_building = threading.Lock()


def package(name: str, version: str = "0.1.0") -> pathlib.Path:
    """Our package of this name, with the program under test in it."""
    with _building:
        return _packages(version)[name]


def install(root: pathlib.Path, *debs: pathlib.Path) -> None:
    """Installs packages into a tree that is not running, with dpkg's own maintainer scripts."""
    inside: list[str] = []
    for deb in debs:
        shutil.copy(deb, root / "root")
        inside.append(f"/root/{deb.name}")
    do("chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--install", *inside)
    for deb in debs:
        (root / "root" / deb.name).unlink()


def _systemctl(root: pathlib.Path, *words: str) -> None:
    do("systemctl", "--quiet", f"--root={root}", *words)
