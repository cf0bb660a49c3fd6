"""Runs cases: makes the fixtures, boots, asks whether the rules hold, and cleans up."""

from __future__ import annotations

import functools
import pathlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from .container import Container
from .host import LOGS, TARGET, Failure, ended
from .image import builders
from .lab import Launch, Services, Store, make_key
from .machine import Virtual
from .network import Cloud, Subnet
from .fixture import Boot, Case, Fixture, Machine, Rule, set_launch


class Runner:
    """What all cases of a run share: the cloud, its store, a launch key, a folder below `place`."""

    def __init__(self, floor: str, place: pathlib.Path = TARGET) -> None:
        self.floor = floor
        TARGET.mkdir(parents=True, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=place))
        self.folder.chmod(0o755)
        self.name = "fl" + self.folder.name.removeprefix("run-").replace("_", "x")
        self.cloud = Cloud(self.name)
        self.key = make_key(self.folder / "key")
        make_key(builders(self.key))
        self._store: Store | None = None
        self._numbers = iter(range(1, 255))
        self._lock = threading.Lock()

    def store(self) -> Store:
        """The S3 store, started when the first case wants it."""
        with self._lock:
            self._store = self._store or Store(self.cloud)
            return self._store

    def fixture(self, case: Case, index: int = 0) -> Fixture:
        """A machine, off, with the case's image on its disk."""
        with self._lock:
            number = next(self._numbers)
        folder = self.folder / f"{case.name}-{index}"
        folder.mkdir()
        subnet = Subnet(self.name, number, self.cloud)
        services = Services(subnet, folder, self.key)
        services.give_addresses(case.ipv4)
        image = case.image
        if case.objects:
            image = replace(image, config=image.config.replace("ENDPOINT", self.store().endpoint))
        name = f"{self.name}-{number}"
        machine: Machine
        try:
            if self.floor == "container":
                machine = Container(name, image, subnet, folder, self.key)
            else:
                machine = Virtual(name, image, subnet, folder, self.key)
        except Failure:
            services.end()
            subnet.remove()
            raise
        return Fixture(machine, services, self.key, Launch())

    def remove(self, fixture: Fixture) -> None:
        """Ends a fixture, in whatever state it is."""
        fixture.services.end()
        fixture.machine.remove()
        fixture.machine.subnet.remove()
        shutil.rmtree(fixture.services.folder, ignore_errors=True)

    def fill_store(self, case: Case) -> None:
        for name, text in case.objects.items():
            bucket, key = name.split("/", 1)
            file = self.folder / "object"
            file.write_text(text)
            self.store().put(bucket, key, file)

    def end(self) -> None:
        if self._store:
            self._store.end()
        self.cloud.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


class Report:
    """What came of a case, as lines to print."""

    def __init__(self, case: Case) -> None:
        self.lines = [f"case {case.name}: {case.says}"]
        self.failures = 0
        self._begin = time.monotonic()

    def say(self, line: str) -> None:
        self.lines.append(f"  {line}")

    def failed(self, rule: str, found: object) -> None:
        self.failures += 1
        self.say(f"FAILED: {rule}")
        self.lines += [f"    {line}" for line in str(found).splitlines()]

    def check(self, rule: Rule, fixture: Fixture) -> None:
        if fixture.machine.floor not in rule.floors:
            return
        try:
            rule.holds(fixture)
        except Failure as failure:
            self.failed(rule.text, failure)
        else:
            self.say(f"ok: {rule.text}")
        for figure in fixture.figures:
            self.say(f"figure: {fixture.machine.floor}: {figure}")
        fixture.figures.clear()

    def text(self) -> str:
        return "\n".join([*self.lines, f"  {time.monotonic() - self._begin:.0f} s"])


def run_case(runner: Runner, case: Case) -> Report:
    """Runs one case from its beginning to its end."""
    report = Report(case)
    fixtures: list[Fixture] = []
    try:
        if ended.is_set():
            raise Failure("the run was ended")
        runner.fill_store(case)
        for index in range(case.instances):
            fixtures.append(runner.fixture(case, index))
        for number, boot in enumerate(case.boots, 1):
            report.say(f"boot {number}: {boot.launch.name}")
            _boot(runner, case, boot, fixtures, report)
    except Failure as failure:
        report.failed("the case could be run to its end", failure)
    finally:
        for fixture in fixtures:
            if report.failures:
                keep_evidence(fixture, case)
            runner.remove(fixture)
    return report


def _boot(runner: Runner, case: Case, boot: Boot, fixtures: Sequence[Fixture], report: Report) -> None:
    for index, fixture in enumerate(fixtures):
        fixture.launch = boot.launch if case.instances == 1 else _member(boot, index)
        if boot.before:
            boot.before(fixture)
        set_launch(fixture, case.image, runner.store() if fixture.launch.role else None)
        fixture.machine.start(fixture.launch.instance_id, boot.kernel_words, boot.clock)
    for fixture in fixtures:
        fixture.machine.wait_booted(boot.limit, boot.until and functools.partial(boot.until, fixture))
        if boot.then:
            boot.then(fixture)
        for rule in boot.holds:
            report.check(rule, fixture)
    for fixture in fixtures:
        fixture.machine.power_off()
        for rule in boot.after:
            report.check(rule, fixture)


def _member(boot: Boot, index: int) -> Launch:
    """The launch of one instance of several."""
    identifier = f"{boot.launch.instance_id[:-1]}{index:x}"
    return boot.launch.but(index=index, instance_id=identifier, name=f"{boot.launch.name}{index}")


def keep_evidence(fixture: Fixture, case: Case) -> None:
    """Copies what tells why a case failed to where the logs of the tests are."""
    LOGS.mkdir(parents=True, exist_ok=True)
    name = f"vm-{case.name}-{fixture.machine.subnet.number}"
    for log in fixture.services.folder.glob("*.log"):
        shutil.copy(log, LOGS / f"{name}-{log.name}")
    (LOGS / f"{name}-journal.log").write_text(fixture.machine.last_journal("-o", "short-monotonic"))


def run_all(cases: Sequence[Case], floor: str, at_once: int, tell: Callable[[str], None]) -> int:
    """Runs them, so many at once; how many failed."""
    runner = Runner(floor)
    failed = 0
    try:
        with ThreadPoolExecutor(at_once) as pool:
            for report in pool.map(lambda case: run_case(runner, case), cases):
                tell(report.text())
                failed += report.failures > 0
    finally:
        runner.end()
    tell(f"{len(cases) - failed} passed, {failed} failed")
    return failed
