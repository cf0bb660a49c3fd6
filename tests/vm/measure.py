"""What a boot costs, read from a booted machine: for benches, which boot images in turn.

with measure.stage() as theatre:
    figures = measure.boot(theatre, "with-cloud-init", Image(packages=("cloud-init",), ours=()), launch)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .host import be_private
from .image import Image
from .lab import Launch
from .scene import Case, Scene, set_launch
from .theatre import Theatre


@dataclass(frozen=True)
class Figures:
    """One boot. Times are in milliseconds since systemd started, and `None` for what never came."""

    sshd: float | None
    multi_user: float | None
    finished: float | None
    # Processor time of all processes of the units that were asked for, their children with them.
    cpu_ms: float
    requests: int


@contextlib.contextmanager
def stage(floor: str = "container") -> Iterator[Theatre]:
    """A theatre of one's own; the program is started anew where mounts and names are private."""
    be_private()
    theatre = Theatre(floor)
    try:
        yield theatre
    finally:
        theatre.end()


def boot(theatre: Theatre, name: str, image: Image, launch: Launch, units: Sequence[str] = ()) -> Figures:
    """Boots a fresh disk with this image, waits until the boot is over, and ends it.

    `units` are those whose processor time counts.
    """
    case = Case(name, name, (), image)
    scene = theatre.scene(case)
    try:
        scene.launch = launch
        set_launch(scene, image, theatre.store() if launch.role else None)
        scene.machine.start(launch.instance_id)
        scene.machine.wait_booted(300)
        figures = read(scene, units)
        scene.machine.power_off()
        return figures
    finally:
        theatre.strike(scene)


def read(scene: Scene, units: Sequence[str]) -> Figures:
    """What systemd knows of the boot that is over."""
    start = int(scene.out("systemctl", "show", "--property=UserspaceTimestampMonotonic", "--value"))

    def since_start(microseconds: int) -> float | None:
        return (microseconds - start) / 1000 if microseconds else None

    done = int(scene.out("systemctl", "show", "--property=FinishTimestampMonotonic", "--value"))
    spent = [scene.out("systemctl", "show", "--property=CPUUsageNSec", "--value", unit) for unit in units]
    return Figures(
        sshd=since_start(scene.unit_time("ssh.service", "ActiveEnter")),
        multi_user=since_start(scene.unit_time("multi-user.target", "ActiveEnter")),
        finished=since_start(done),
        cpu_ms=sum(int(nanoseconds) for nanoseconds in spent if nanoseconds.isdigit()) / 1e6,
        requests=len(scene.services.requests()),
    )
