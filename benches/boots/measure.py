"""One boot after the other, and what can be read of each when it is over."""

from __future__ import annotations

import functools
import json
import os
import statistics
import time
from collections.abc import Callable

from vm.host import Failure, ask, do
from vm.fixture import Case, Fixture, set_launch
from vm.runner import Runner

from .disk import installed
from .variants import FIRST, Variant, every

# Long enough to be no load for the boot that is waited for, in seconds.
PAUSE = 1.0
LIMIT = 180

Figures = dict[str, object]


def all_rounds(rounds: int, tell: Callable[[str], None]) -> Figures:
    """So many rounds of all images."""
    runner = Runner("container")
    boots: list[Figures] = []
    try:
        for number in range(1, rounds + 1):
            for variant in every():
                for figures in _machine(runner, variant):
                    boots.append({"round": number, "image": variant.name, **figures})
                    tell(json.dumps(boots[-1]))
    finally:
        runner.end()
    return {"boots": boots, "installed": installed(), "machine": _this_machine()}


def _machine(runner: Runner, variant: Variant) -> list[Figures]:
    """A new disk, booted as a new instance and then again."""
    fixture = runner.fixture(Case(variant.name, variant.name, (), variant.image))
    try:
        fixture.launch = FIRST
        found = []
        for boot in ("first", "later"):
            set_launch(fixture, variant.image, None)
            fixture.machine.start(FIRST.instance_id)
            _wait(fixture)
            found.append({"boot": boot, **_look(fixture, variant)})
            fixture.machine.power_off()
        return found
    finally:
        runner.remove(fixture)


def _wait(fixture: Fixture) -> None:
    end = time.monotonic() + LIMIT
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
    own = _own(fixture, variant)
    if own:
        figures["own_cpu_ms"] = sum(used["cpu_us"] for used in own) / 1000
        figures["own_memory_kib"] = max(used["peak_memory_kib"] for used in own)
    if variant.name == "firstlight":
        figures |= _ready(fixture, start)
    return figures


def _own(fixture: Fixture, variant: Variant) -> list[dict[str, int]]:
    """What its processes used themselves, without what they ran. firstlight counts from its own first
    instruction on, so what it takes to load it is added."""
    if variant.name == "firstlight":
        loading = _loading_us()
        return [used | {"cpu_us": used["cpu_us"] + loading} for used in _report(fixture).get("used", [])]
    return [json.loads(line) for line in fixture.run("cat", "/run/usage").out.splitlines()]


@functools.cache
def _loading_us() -> int:
    """What a process that does nothing but load firstlight, and say its version, takes."""

    def once() -> float:
        silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        pid = os.posix_spawn(os.environ["FIRSTLIGHT_BIN"], ["firstlight", "--version"], {}, file_actions=silent)
        used = os.wait4(pid, 0)[2]
        return (used.ru_utime + used.ru_stime) * 1e6

    return round(statistics.median(once() for _ in range(25)))


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
