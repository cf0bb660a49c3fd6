"""One boot after the other, and what can be read of each when it is over."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import statistics
import time
from collections.abc import Callable

from vm.host import Failure, ask, do
from vm.fixture import Case, Fixture, set_launch
from vm.machine import Virtual
from vm.runner import Runner

from .disk import installed, new_disk
from .variants import FIRST, Variant, every, machines

# Long enough to be no load for the boot that is waited for, in seconds.
PAUSE = 1.0
LIMIT = 180
# Where the guest's instructions are counted, and each is a nanosecond: what a boot costs is the same on
# every host, and a guest that waits is not.
COUNTED = ("-icount", "shift=0,sleep=on")

Figures = dict[str, object]


def all_rounds(rounds: int, tell: Callable[[str], None], floor: str = "container") -> Figures:
    """So many rounds of all images."""
    boots: list[Figures] = []
    for number in range(1, rounds + 1):
        for variant in every() if floor == "container" else machines():
            with new_disk() as disk:
                for figures in _machine(floor, disk, variant):
                    boots.append({"round": number, "image": variant.name, **figures})
                    tell(json.dumps(boots[-1]))
    found: Figures = {"boots": boots, "machine": _this_machine()}
    return found | {"installed": installed()} if floor == "container" else found


def _machine(floor: str, disk: pathlib.Path, variant: Variant) -> list[Figures]:
    """A machine on a new disk, booted as a new instance and then again."""
    runner = Runner(floor, disk)
    try:
        fixture = runner.fixture(Case(variant.name, variant.name, (), variant.image))
        if isinstance(fixture.machine, Virtual):
            fixture.machine.options = COUNTED
        try:
            fixture.launch = FIRST
            found = []
            for boot in ("first", "later"):
                set_launch(fixture, variant.image, None)
                fixture.machine.start(FIRST.instance_id)
                wait(fixture)
                found.append({"boot": boot, **_look(fixture, variant)})
                fixture.machine.power_off()
            return found
        finally:
            runner.remove(fixture)
    finally:
        runner.end()


def wait(fixture: Fixture) -> None:
    end = time.monotonic() + LIMIT
    if fixture.machine.floor == "machine":
        fixture.machine.wait_booted(LIMIT)
        return
    while True:
        time.sleep(PAUSE)
        state = fixture.run("systemctl", "is-system-running").out.strip()
        if state in ("running", "degraded"):
            return
        if time.monotonic() > end:
            raise Failure(f"the boot did not end: {state}\n{fixture.machine.console()[-2000:]}")


def _look(fixture: Fixture, variant: Variant) -> Figures:
    start = _property(fixture, "UserspaceTimestampMonotonic")

    def since_start(unit: str) -> float:
        # A unit that failed was never active: in a container one of cloud-init's modules does.
        events = (_property(fixture, f"{event}TimestampMonotonic", unit) for event in ("ActiveEnter", "InactiveEnter"))
        return (next(filter(None, events)) - start) / 1000

    figures: Figures = {
        "sshd_ms": since_start("ssh.service"),
        "multi_user_ms": since_start("multi-user.target"),
        "finished_ms": since_start(variant.last),
        "units_cpu_ms": sum(_property(fixture, "CPUUsageNSec", unit) for unit in variant.units) / 1e6,
        "requests": len(fixture.services.requests()),
        "failed_units": fixture.run("systemctl", "--failed", "--no-legend", "--plain").out.split("\n")[:-1],
    }
    if fixture.machine.floor == "machine":
        figures["memory_peak_kib"] = max(_property(fixture, "MemoryPeak", unit) for unit in variant.units) / 1024
        figures["kernel"] = fixture.out("uname", "-r")
    own = _own(fixture, variant)
    if own:
        figures["own_cpu_ms"] = sum(used["cpu_us"] for used in own) / 1000
        figures["own_memory_kib"] = max(used["peak_memory_kib"] for used in own)
    if variant.name == "firstlight":
        figures |= _ready(fixture, start)
    return figures


def _own(fixture: Fixture, variant: Variant) -> list[dict[str, int]]:
    """What its processes used themselves, without what they ran. firstlight counts from its own first
    instruction on, so what it takes to load it is added, and to read a command line."""
    if variant.name == "firstlight":
        loading = _loading_us() if fixture.machine.floor == "container" else _loading_inside_us(fixture)
        return [used | {"cpu_us": used["cpu_us"] + loading} for used in _report(fixture).get("used", [])]
    return [json.loads(line) for line in fixture.run("cat", "/run/usage").out.splitlines()]


@functools.cache
def _loading_us() -> int:
    """What a process takes that loads firstlight, reads its command line, and says its version."""

    def once() -> float:
        silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        pid = os.posix_spawn(os.environ["FIRSTLIGHT_BIN"], ["firstlight", "--version"], {}, file_actions=silent)
        used = os.wait4(pid, 0)[2]
        return (used.ru_utime + used.ru_stime) * 1e6

    return round(statistics.median(once() for _ in range(25)))


def _loading_inside_us(fixture: Fixture) -> int:
    """The same in the machine itself, with what its shell takes to start it."""
    times = 25
    script = f"for _ in $(seq {times}); do firstlight --version >/dev/null; done; times"
    # The last line is of the children: `0m1.250s 0m0.500s`, user and system.
    words = fixture.out("bash", "-c", script).split("\n")[-1].split()
    minutes = [word.rstrip("s").split("m") for word in words]
    return round(sum(int(whole) * 60 + float(rest) for whole, rest in minutes) * 1e6 / times)


def _report(fixture: Fixture) -> dict:
    said = fixture.run("firstlight", "status", "--format", "json")
    return json.loads(said.out)["report"]


def _ready(fixture: Fixture, start: int) -> Figures:
    """From the later of firstlight's start and the first route to READY."""
    begun = _property(fixture, "InactiveExitTimestampMonotonic", "firstlight.service")
    ready = _property(fixture, "ActiveEnterTimestampMonotonic", "firstlight.service")
    lease = fixture.run("journalctl", "--boot", "--unit=systemd-networkd", "--grep=DHCPv4 address", "--output=json")
    # networkd tells of the lease just before it sets the route.
    route = min((int(json.loads(line)["__MONOTONIC_TIMESTAMP"]) for line in lease.out.splitlines()), default=0)
    stages = {stage["stage"]: stage for stage in _report(fixture)["stages"]}
    return {
        "begun_ms": (begun - start) / 1000,
        "route_ms": (route - start) / 1000,
        "to_ready_ms": (ready - max(begun, route)) / 1000,
        "in_programs_ms": stages["identity"]["programs_us"] / 1000,
        "modules_ms": {module["name"]: module["duration_us"] / 1000 for module in stages["identity"]["modules"]},
    }


def _property(fixture: Fixture, name: str, *unit: str) -> int:
    text = fixture.run("systemctl", "show", f"--property={name}", "--value", *unit).out.strip()
    return int(text) if text.isdigit() and int(text) < 1 << 63 else 0


def _this_machine() -> Figures:
    return {"kernel": do("uname", "-r"), "cpus": do("nproc"), "load": ask(["cat", "/proc/loadavg"]).out.split()[0]}
