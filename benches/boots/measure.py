"""One boot after the other, and what can be read of each when it is over."""

from __future__ import annotations

import json
import pathlib
import tempfile
import time
from collections.abc import Callable

from vm.container import Container
from vm.host import REPOSITORY, TARGET, Failure, ask, do
from vm.image import tree
from vm.lab import Services, make_key
from vm.network import Cloud, Subnet

from .variants import FIRST, Variant, every

# Long enough to be no load for the boot that is waited for, in seconds.
PAUSE = 1.0
LIMIT = 180

Figures = dict[str, object]


def all_rounds(rounds: int, tell: Callable[[str], None]) -> Figures:
    """So many rounds of all images."""
    TARGET.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=TARGET))
    folder.chmod(0o755)
    key = make_key(folder / "key")
    cloud = Cloud("flbench")
    boots: list[Figures] = []
    try:
        for number in range(1, rounds + 1):
            for place, variant in enumerate(every()):
                subnet = Subnet("flbench", 1 + (number * 3 + place) % 250, cloud)
                for figures in _machine(variant, subnet, folder, key):
                    boots.append({"round": number, "image": variant.name, **figures})
                    tell(json.dumps(boots[-1]))
    finally:
        cloud.remove()
        do("rm", "-rf", "--one-file-system", folder)
    return {"boots": boots, "installed": _installed(), "machine": _this_machine()}


def _machine(variant: Variant, subnet: Subnet, folder: pathlib.Path, key: pathlib.Path) -> list[Figures]:
    """A new disk, booted as a new instance and then again."""
    own = folder / f"{variant.name}-{subnet.number}"
    own.mkdir()
    services = Services(subnet, own, key)
    services.give_addresses()
    machine = Container(f"flbench-{subnet.number}", variant.image, subnet, own)
    try:
        found = []
        for boot in ("first", "later"):
            services.become(FIRST, None)
            machine.start()
            _wait(machine)
            found.append({"boot": boot, **_look(machine, variant, services)})
            machine.power_off()
        return found
    finally:
        services.end()
        machine.remove()
        subnet.remove()


def _wait(machine: Container) -> None:
    end = time.monotonic() + LIMIT
    while True:
        time.sleep(PAUSE)
        state = machine.run(["systemctl", "is-system-running"]).out.strip()
        if state in ("running", "degraded"):
            return
        if time.monotonic() > end:
            raise Failure(f"the boot did not end: {state}\n{machine.console()[-2000:]}")


def _look(machine: Container, variant: Variant, services: Services) -> Figures:
    start = _property(machine, "UserspaceTimestampMonotonic")

    def since_start(unit: str) -> float:
        return (_property(machine, "ActiveEnterTimestampMonotonic", unit) - start) / 1000

    figures: Figures = {
        "sshd_ms": since_start("ssh.service"),
        "multi_user_ms": since_start("multi-user.target"),
        "finished_ms": since_start(variant.last),
        "units_cpu_ms": sum(_property(machine, "CPUUsageNSec", unit) for unit in variant.units) / 1e6,
        "requests": len(services.requests()),
        "failed_units": machine.run(["systemctl", "--failed", "--no-legend", "--plain"]).out.split("\n")[:-1],
    }
    own = _own(machine, variant)
    if own:
        figures["own_cpu_ms"] = sum(used["cpu_us"] for used in own) / 1000
        figures["own_memory_kib"] = max(used["peak_memory_kib"] for used in own)
    if variant.name == "firstlight":
        figures |= _ready(machine, start)
    return figures


def _own(machine: Container, variant: Variant) -> list[dict[str, int]]:
    """What its processes used themselves, without what they ran."""
    if variant.name == "firstlight":
        return _report(machine).get("used", [])
    return [json.loads(line) for line in machine.run(["cat", "/run/usage"]).out.splitlines()]


def _report(machine: Container) -> dict:
    said = machine.run(["firstlight", "status", "--format", "json"])
    return json.loads(said.out)["report"]


def _ready(machine: Container, start: int) -> Figures:
    """From the later of firstlight's start and the first route to READY."""
    begun = _property(machine, "InactiveExitTimestampMonotonic", "firstlight.service")
    ready = _property(machine, "ActiveEnterTimestampMonotonic", "firstlight.service")
    lease = machine.run(["journalctl", "--boot", "--unit=systemd-networkd", "--grep=DHCPv4 address", "--output=json"])
    # networkd tells of the lease just before it sets the route.
    route = min((int(json.loads(line)["__MONOTONIC_TIMESTAMP"]) for line in lease.out.splitlines()), default=0)
    stages = {stage["stage"]: stage for stage in _report(machine)["stages"]}
    return {
        "begun_ms": (begun - start) / 1000,
        "route_ms": (route - start) / 1000,
        "to_ready_ms": (ready - max(begun, route)) / 1000,
        "in_programs_ms": stages["identity"]["programs_us"] / 1000,
        "modules_ms": {module["name"]: module["duration_us"] / 1000 for module in stages["identity"]["modules"]},
    }


def _property(machine: Container, name: str, *unit: str) -> int:
    text = machine.run(["systemctl", "show", f"--property={name}", "--value", *unit]).out.strip()
    return int(text) if text.isdigit() and int(text) < 1 << 63 else 0


def _installed() -> Figures:
    """Bytes on disk: of cloud-init with what it brings along, and of firstlight."""
    bare, with_it = (_packages(tree(names)) for names in ((), ("cloud-init",)))
    added = {name: size for name, size in with_it.items() if name not in bare}
    stage = pathlib.Path(tempfile.mkdtemp(dir=TARGET))
    do(REPOSITORY / "packaging/install.sh", "--root", stage, "--binary", REPOSITORY / "target/dist/firstlight")
    ours = int(do("du", "--summarize", "--apparent-size", "--block-size=1024", stage).split()[0])
    do("rm", "-rf", stage)
    return {"cloud_init_kib": sum(added.values()), "cloud_init_packages": len(added), "firstlight_kib": ours}


def _packages(root: pathlib.Path) -> dict[str, int]:
    listed = do("dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat=${Package} ${Installed-Size}\\n")
    return {name: int(size) for name, size in (line.split() for line in listed.splitlines())}


def _this_machine() -> Figures:
    return {"kernel": do("uname", "-r"), "cpus": do("nproc"), "load": ask(["cat", "/proc/loadavg"]).out.split()[0]}
