"""What a case is, and the fixture that it runs in: a machine, and the services around it."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .host import Argument, Failure, Said, ask
from .image import IN_SEED, Image, builders
from .lab import Launch, Services, Store, write_seed
from .network import Subnet

FLOORS = ("container", "machine")


class Machine(Protocol):
    """What both floors can do: `container.Container`, `machine.Virtual`."""

    floor: str
    # The root directory of a container, whether it is on or off.
    root: pathlib.Path | None
    subnet: Subnet

    def start(self, instance_id: str, kernel_words: str = ..., clock: str = ...) -> None: ...
    def wait_booted(self, limit: float, until: Callable[[], bool] | None = None) -> None: ...
    def run(self, argv: Sequence[Argument], timeout: float = ...) -> Said: ...
    def console(self) -> str: ...
    def power_off(self) -> None: ...
    def wait_ended(self, limit: float = ...) -> None: ...
    def last_journal(self, *words: str) -> str: ...
    def remove(self) -> None: ...


@dataclass
class Fixture:
    """One machine of a case, as its rules see it."""

    machine: Machine
    services: Services
    key: pathlib.Path
    launch: Launch
    # Text that one rule finds and a later one compares, by a name of theirs.
    memory: dict[str, str] = field(default_factory=dict)
    figures: list[str] = field(default_factory=list)

    def run(self, *argv: Argument, timeout: float = 90) -> Said:
        """A command as root in the machine."""
        return self.machine.run(argv, timeout)

    def out(self, *argv: Argument) -> str:
        """What a command as root in the machine prints; it has to succeed."""
        said = self.run(*argv)
        if said.code:
            raise Failure(f"{' '.join(map(str, argv))} ended with {said.code}: {said.text}")
        return said.out.strip()

    def log_in(self, *argv: Argument, user: str = "debian", address: str | None = None) -> Said:
        """A command over the network, with the launch key; as root with the key of the image's builder."""
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "ConnectTimeout": "20",
            "LogLevel": "ERROR",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        target = f"{user}@{address or self.machine.subnet.address}"
        ssh: list[Argument] = ["ssh", "-i", builders(self.key) if user == "root" else self.key, *words, target, *argv]
        return ask(self.machine.subnet.router.within(ssh), timeout=90)

    @property
    def root(self) -> pathlib.Path:
        """The root directory of a container, whether it is on or off."""
        if self.machine.root is None:
            raise Failure("the disk of a virtual machine is no directory")
        return self.machine.root

    def unit_time(self, unit: str, event: str) -> int:
        """When a unit last went through `event`, in microseconds since the start; 0 for never."""
        return int(self.out("systemctl", "show", f"--property={event}TimestampMonotonic", "--value", unit))

    def journal(self, *words: str) -> list[str]:
        """The lines of this boot that fit. journalctl ends with 1 when there are none."""
        return self.run("journalctl", "--quiet", "--boot", "--no-pager", *words).out.splitlines()


@dataclass(frozen=True)
class Rule:
    """What must hold. `holds` raises Failure with what it found instead."""

    text: str
    holds: Callable[[Fixture], None]
    # Where it can hold.
    floors: Sequence[str] = FLOORS


@dataclass(frozen=True)
class Boot:
    """One boot of the machine: how the cloud sees it, and what must hold when it is up."""

    launch: Launch
    holds: Sequence[Rule]
    # What happens to its disk before it is switched on; in a container alone.
    before: Callable[[Fixture], None] | None = None
    # What ends the wait for the boot; else that systemd has no job left.
    until: Callable[[Fixture], bool] | None = None
    # What happens to the machine while it is up and before anything is looked at.
    then: Callable[[Fixture], None] | None = None
    # How it has to be when it is off again.
    after: Sequence[Rule] = ()
    # Words on the kernel's command line, and what the clock says then (`-rtc base=` of qemu); both in
    # a virtual machine alone.
    kernel_words: str = ""
    clock: str = ""
    # Seconds after which the boot has failed.
    limit: float = 150


@dataclass(frozen=True)
class Case:
    """Something that a user of an image counts on."""

    name: str
    says: str
    boots: Sequence[Boot]
    image: Image = Image()
    # Objects of the lab's S3 store, `BUCKET/KEY`; in an image's configuration ENDPOINT is the store.
    objects: dict[str, str] = field(default_factory=dict)
    floors: Sequence[str] = ("container",)
    # How many instances one launch makes, each of them with its index.
    instances: int = 1
    # Whether the network has IPv4.
    ipv4: bool = True


def set_launch(fixture: Fixture, image: Image, store: Store | None) -> None:
    """Makes the cloud, or the seed in the image, speak of the fixture's launch."""
    if image.source == IN_SEED:
        write_seed(fixture.root, fixture.launch, fixture.key)
    else:
        fixture.services.become(fixture.launch, store)
