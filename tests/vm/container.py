"""The first floor: a booted container. systemd-nspawn, its own systemd, its own network."""

from __future__ import annotations

import os
import pathlib
import subprocess
import threading
from collections.abc import Callable, Sequence

from .floor import Floor
from .host import Argument, ControlGroup, Failure, Said, ask, wait_for
from .image import IN_EC2, Image, Root, bake
from .network import Subnet

# What systemd says of a boot that is over.
BOOTED = ("running", "degraded", "maintenance")


class Container(Floor):
    """A container on a disk of its own; `folder` keeps what belongs to it."""

    floor = "container"

    def __init__(self, name: str, image: Image, subnet: Subnet, folder: pathlib.Path, key: pathlib.Path) -> None:
        self.name = name
        self.subnet = subnet
        self.folder = folder
        self.log = folder / "console.log"
        self._root = Root(folder, image.packages)
        self.root: pathlib.Path | None = self._root.path
        self._cgroup = ControlGroup(name)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            bake(image, self._root.path, IN_EC2, key)
        except Failure:
            self.remove()
            raise
        subnet.plug_container()

    def start(self, instance_id: str, kernel_words: str = "", clock: str = "") -> None:
        """Switches it on. Firmware, kernel and clock are this machine's, and say what they say."""
        argv = [
            "systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}", f"--machine={self.name}",
            "--console=interactive", "--register=no", "--keep-unit", "--capability=CAP_NET_ADMIN", "--resolv-conf=off",
            "--timezone=off", f"--network-namespace-path=/run/netns/{self.subnet.machine.name}",
        ]  # fmt: skip
        self._begin = len(self._all_console())
        # Only a terminal makes a console.
        ours, its = os.openpty()
        # DHCP clients set up their interface in /proc/sys/net.
        environment = {**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}
        self._process = subprocess.Popen(self._cgroup.enter(argv), stdin=its, stdout=its, stderr=its, env=environment)
        os.close(its)
        threading.Thread(target=self._copy_console, args=(ours,), daemon=True).start()

    def wait_booted(self, limit: float, until: Callable[[], bool] | None = None) -> None:
        """Waits until it is so, or else until no job of the boot is left, as systemd sees it."""

        def booted() -> bool:
            if self._process is None or self._process.poll() is not None:
                raise Failure(f"the container has ended; its console said:\n{self.console()[-3000:]}")
            if until:
                return until()
            return self.run(["systemctl", "is-system-running"]).out.strip() in BOOTED

        try:
            wait_for("the end of the boot", booted, limit)
        except Failure as failure:
            jobs = self.run(["systemctl", "list-jobs"]).text
            raise Failure(f"{failure}\n{jobs}\n{self.console()[-2000:]}") from None

    def run(self, argv: Sequence[Argument], timeout: float = 90) -> Said:
        """Runs a command in it as root, whether anybody can log in or not."""
        leader = self._cgroup.leader()
        if leader is None:
            return Said(255, "", "the container is not running")
        inside = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        return ask(["nsenter", "--target", str(leader), *inside, *argv], timeout=timeout)

    def wait_ended(self, limit: float = 60) -> None:
        """Waits until it has switched itself off."""
        assert self._process
        try:
            self._process.wait(limit)
        except subprocess.TimeoutExpired:
            raise Failure(f"it did not switch off within {limit:.0f} s\n{self.console()[-2000:]}") from None
        self._process = None

    def last_journal(self, *words: str) -> str:
        """The journal of its last boot, read from its disk while it is switched off."""
        argv = ["journalctl", f"--directory={self.root}/var/log/journal", "--boot=-0", "--quiet", "--no-pager"]
        return ask([*argv, *words]).out

    def _copy_console(self, terminal: int) -> None:
        with self.log.open("ab", buffering=0) as log, os.fdopen(terminal, "rb", buffering=0) as shown:
            try:
                while text := shown.read(4096):
                    log.write(text)
            except OSError:
                # EIO: nobody has the other end open any more (pty(7)).
                pass

    def remove(self) -> None:
        """Ends it as it is, and forgets its disk."""
        if self._process:
            self._cgroup.kill()
            self._process.wait()
        self._cgroup.remove()
        self._root.remove()
