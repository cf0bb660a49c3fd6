"""Rules that many cases have in common. Each looks from outside: what a user would notice."""

from __future__ import annotations

import re
from collections.abc import Callable

from .host import Failure
from .fixture import Rule, Fixture

Look = Callable[[Fixture], object]


def equal(text: str, look: Look, wanted: object) -> Rule:
    """What `look` finds is what is wanted."""

    def holds(fixture: Fixture) -> None:
        found = look(fixture)
        if found != wanted:
            raise Failure(f"found {found!r}, wanted {wanted!r}")

    return Rule(text, holds)


def true(text: str, look: Look) -> Rule:
    """What `look` finds is something."""

    def holds(fixture: Fixture) -> None:
        if not look(fixture):
            raise Failure("it is not so")

    return Rule(text, holds)


def nothing(text: str, look: Look) -> Rule:
    """`look` finds nothing."""

    def holds(fixture: Fixture) -> None:
        if found := look(fixture):
            raise Failure(f"found {found}")

    return Rule(text, holds)


# --- identity -------------------------------------------------------------------------------------


def host_name(name: str) -> Rule:
    return equal(f"the host name is {name}", lambda fixture: fixture.out("hostname"), name)


def logs_in(user: str = "debian", address: Callable[[Fixture], str] | None = None) -> Rule:
    def look(fixture: Fixture) -> str:
        return fixture.log_in("id", "-un", user=user, address=address(fixture) if address else None).text

    key = "builder's key" if user == "root" else "launch key"
    return equal(f"the {key} logs {user} in over the network", look, user)


def host_key(fixture: Fixture) -> str:
    return fixture.out("ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub").split()[1]


def _new_host_key(fixture: Fixture) -> None:
    key = host_key(fixture)
    if key == fixture.memory.get("host key"):
        raise Failure(f"{key} is still that of the instance before")
    fixture.memory["host key"] = key
    # Nobody else may tell whoever logs in for the first time.
    if key not in fixture.machine.console():
        raise Failure(f"the console does not show {key}")


def _same_host_key(fixture: Fixture) -> None:
    if (key := host_key(fixture)) != fixture.memory.get("host key"):
        raise Failure(f"{key} is not {fixture.memory.get('host key')}")


NEW_HOST_KEY = Rule("the host key is this instance's own, and on the console", _new_host_key)
SAME_HOST_KEY = Rule("the host key is still the same", _same_host_key)


# --- the gate -------------------------------------------------------------------------------------


def _gate(fixture: Fixture) -> None:
    ready = fixture.unit_time("firstlight.service", "ActiveEnter")
    start = fixture.unit_time("firstlight.service", "InactiveExit")
    ssh = fixture.unit_time("ssh.service", "InactiveExit")
    if not ready:
        raise Failure("firstlight.service never became ready")
    if ssh < ready:
        raise Failure(f"ssh.service started {(ready - ssh) / 1000:.0f} ms before READY")
    fixture.figures.append(f"start to READY {(ready - start) / 1000:.0f} ms")


GATE = Rule("sshd starts only after firstlight is ready", _gate)


# --- health ---------------------------------------------------------------------------------------


def status(word: str, code: int | None = None) -> Rule:
    """What `firstlight status --wait` says."""

    def holds(fixture: Fixture) -> None:
        said = fixture.run("firstlight", "status", "--wait")
        fits = re.search(rf"\b{word}\b", said.text)
        if not fits or said.code != ({"done": 0, "degraded": 2, "error": 1}[word] if code is None else code):
            raise Failure(f"exit code {said.code}: {said.text}")

    return Rule(f"firstlight status says {word}", holds)


def status_tells(text: str) -> Rule:
    """A sentence of `firstlight status`, as a pattern."""

    def holds(fixture: Fixture) -> None:
        said = fixture.run("firstlight", "status", "--long").text
        if not re.search(text, said):
            raise Failure(f"it says: {said}")

    return Rule(f"firstlight status speaks of `{text}`", holds)


def console_tells(text: str) -> Rule:
    def holds(fixture: Fixture) -> None:
        if not re.search(text, fixture.machine.console()):
            raise Failure(f"it shows: {fixture.machine.console()[-1500:]}")

    return Rule(f"the console speaks of `{text}`", holds)


NO_FAILED_UNITS = nothing(
    "no unit has failed", lambda fixture: fixture.run("systemctl", "--failed", "--no-legend", "--plain").out.strip()
)
NO_CYCLE = nothing("systemd broke no ordering cycle", lambda fixture: fixture.journal("_PID=1", "--grep", "ordering cycle"))
JOURNAL_FIELDS = true(
    "the journal knows module and stage of our lines",
    lambda fixture: fixture.journal("FIRSTLIGHT_MODULE=set_hostname", "FIRSTLIGHT_STAGE=identity"),
)
LOGIN_PROMPT = true(
    "somebody at the console could log in",
    lambda fixture: (
        fixture.run("systemctl", "is-active", "console-getty.service", "serial-getty@ttyS0.service")
        .out.split()
        .count("active")
    ),
)
HEALTHY = (status("done"), NO_FAILED_UNITS, NO_CYCLE, JOURNAL_FIELDS)

# For a machine that is off.
KILLED = r"State '(stop|final)[^']*' timed out|[Ss]topping timed out|Killing process"


def _clean_shutdown(fixture: Fixture) -> None:
    if not fixture.machine.last_journal("--grep", "Journal stopped"):
        raise Failure("the journal of this boot does not come to its end")
    if found := fixture.machine.last_journal("_PID=1", "--grep", KILLED):
        raise Failure(found)


CLEAN_SHUTDOWN = Rule("no unit had to be killed at the end", _clean_shutdown)


def _grown(fixture: Fixture) -> None:
    size = int(fixture.out("df", "--output=size", "--block-size=1M", "/").split()[-1])
    # The partition of the image has 1536 MiB on a disk of 4096.
    if size < 3500:
        raise Failure(f"it has {size} MiB")


GROWN = Rule("the root file system fills the disk", _grown, floors=("machine",))

# --- what was done --------------------------------------------------------------------------------

# A line of a shell script that notes the boot in which it runs.
NOTE = "cat /proc/sys/kernel/random/boot_id >>/var/lib/ran-"


def ran(what: str, times: int) -> Rule:
    """`NOTE` with this name ran so many times in the life of this disk."""

    def look(fixture: Fixture) -> int:
        return len(fixture.run("cat", f"/var/lib/ran-{what}").out.splitlines())

    return equal(f"{what} ran {times} time(s)", look, times)


def file(path: str, text: str) -> Rule:
    return equal(f"{path} holds what it should", lambda fixture: fixture.run("cat", path).text, text.rstrip("\n"))


def no_file(path: str) -> Rule:
    return nothing(f"there is no {path}", lambda fixture: fixture.run("test", "-e", path).code == 0)


def says(text: str, argv: str, wanted: str) -> Rule:
    """A command, as words with blanks between them, says this and nothing else."""
    return equal(text, lambda fixture: fixture.run(*argv.split()).text, wanted)
