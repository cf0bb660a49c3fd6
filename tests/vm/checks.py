"""Rules that many cases have in common. Each looks from outside: what a user would notice."""

from __future__ import annotations

import re
from collections.abc import Callable

from .host import Failure
from .scene import Rule, Scene

Look = Callable[[Scene], object]


def equal(text: str, look: Look, wanted: object) -> Rule:
    """What `look` finds is what is wanted."""

    def holds(scene: Scene) -> None:
        found = look(scene)
        if found != wanted:
            raise Failure(f"found {found!r}, wanted {wanted!r}")

    return Rule(text, holds)


def true(text: str, look: Look) -> Rule:
    """What `look` finds is something."""

    def holds(scene: Scene) -> None:
        if not look(scene):
            raise Failure("it is not so")

    return Rule(text, holds)


def nothing(text: str, look: Look) -> Rule:
    """`look` finds nothing."""

    def holds(scene: Scene) -> None:
        if found := look(scene):
            raise Failure(f"found {found}")

    return Rule(text, holds)


# --- identity -------------------------------------------------------------------------------------


def host_name(name: str) -> Rule:
    return equal(f"the host name is {name}", lambda scene: scene.out("hostname"), name)


def logs_in(user: str = "debian", address: Callable[[Scene], str] | None = None) -> Rule:
    def look(scene: Scene) -> str:
        return scene.log_in("id", "-un", user=user, address=address(scene) if address else None).text

    key = "builder's key" if user == "root" else "launch key"
    return equal(f"the {key} logs {user} in over the network", look, user)


def host_key(scene: Scene) -> str:
    return scene.out("ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub").split()[1]


def _new_host_key(scene: Scene) -> None:
    key = host_key(scene)
    if key == scene.memory.get("host key"):
        raise Failure(f"{key} is still that of the instance before")
    scene.memory["host key"] = key
    # Nobody else may tell whoever logs in for the first time.
    if key not in scene.machine.console():
        raise Failure(f"the console does not show {key}")


def _same_host_key(scene: Scene) -> None:
    if (key := host_key(scene)) != scene.memory.get("host key"):
        raise Failure(f"{key} is not {scene.memory.get('host key')}")


NEW_HOST_KEY = Rule("the host key is this instance's own, and on the console", _new_host_key)
SAME_HOST_KEY = Rule("the host key is still the same", _same_host_key)


# --- the gate -------------------------------------------------------------------------------------


def _gate(scene: Scene) -> None:
    ready = scene.unit_time("firstlight.service", "ActiveEnter")
    start = scene.unit_time("firstlight.service", "InactiveExit")
    ssh = scene.unit_time("ssh.service", "InactiveExit")
    if not ready:
        raise Failure("firstlight.service never became ready")
    if ssh < ready:
        raise Failure(f"ssh.service started {(ready - ssh) / 1000:.0f} ms before READY")
    scene.figures.append(f"start to READY {(ready - start) / 1000:.0f} ms")


GATE = Rule("sshd starts only after firstlight is ready", _gate)


# --- health ---------------------------------------------------------------------------------------


def status(word: str, code: int | None = None) -> Rule:
    """What `firstlight status --wait` says."""

    def holds(scene: Scene) -> None:
        said = scene.run("firstlight", "status", "--wait")
        fits = re.search(rf"\b{word}\b", said.text)
        if not fits or said.code != ({"done": 0, "degraded": 2, "error": 1}[word] if code is None else code):
            raise Failure(f"exit code {said.code}: {said.text}")

    return Rule(f"firstlight status says {word}", holds)


def status_tells(text: str) -> Rule:
    """A sentence of `firstlight status`, as a pattern."""

    def holds(scene: Scene) -> None:
        said = scene.run("firstlight", "status", "--long").text
        if not re.search(text, said):
            raise Failure(f"it says: {said}")

    return Rule(f"firstlight status speaks of `{text}`", holds)


def console_tells(text: str) -> Rule:
    def holds(scene: Scene) -> None:
        if not re.search(text, scene.machine.console()):
            raise Failure(f"it shows: {scene.machine.console()[-1500:]}")

    return Rule(f"the console speaks of `{text}`", holds)


NO_FAILED_UNITS = nothing(
    "no unit has failed", lambda scene: scene.run("systemctl", "--failed", "--no-legend", "--plain").out.strip()
)
NO_CYCLE = nothing("systemd broke no ordering cycle", lambda scene: scene.journal("_PID=1", "--grep", "ordering cycle"))
JOURNAL_FIELDS = true(
    "the journal knows module and stage of our lines",
    lambda scene: scene.journal("FIRSTLIGHT_MODULE=set_hostname", "FIRSTLIGHT_STAGE=identity"),
)
LOGIN_PROMPT = true(
    "somebody at the console could log in",
    lambda scene: (
        scene.run("systemctl", "is-active", "console-getty.service", "serial-getty@ttyS0.service")
        .out.split()
        .count("active")
    ),
)
HEALTHY = (status("done"), NO_FAILED_UNITS, NO_CYCLE, JOURNAL_FIELDS)

# For a machine that is off.
KILLED = r"State '(stop|final)[^']*' timed out|[Ss]topping timed out|Killing process"


def _clean_shutdown(scene: Scene) -> None:
    if not scene.machine.last_journal("--grep", "Journal stopped"):
        raise Failure("the journal of this boot does not come to its end")
    if found := scene.machine.last_journal("_PID=1", "--grep", KILLED):
        raise Failure(found)


CLEAN_SHUTDOWN = Rule("no unit had to be killed at the end", _clean_shutdown)


def _grown(scene: Scene) -> None:
    size = int(scene.out("df", "--output=size", "--block-size=1M", "/").split()[-1])
    # The partition of the image has 1536 MiB on a disk of 4096.
    if size < 3500:
        raise Failure(f"it has {size} MiB")


GROWN = Rule("the root file system fills the disk", _grown, floors=("machine",))

# --- what was done --------------------------------------------------------------------------------

# A line of a shell script that notes the boot in which it runs.
NOTE = "cat /proc/sys/kernel/random/boot_id >>/var/lib/ran-"


def ran(what: str, times: int) -> Rule:
    """`NOTE` with this name ran so many times in the life of this disk."""

    def look(scene: Scene) -> int:
        return len(scene.run("cat", f"/var/lib/ran-{what}").out.splitlines())

    return equal(f"{what} ran {times} time(s)", look, times)


def file(path: str, text: str) -> Rule:
    return equal(f"{path} holds what it should", lambda scene: scene.run("cat", path).text, text.rstrip("\n"))


def no_file(path: str) -> Rule:
    return nothing(f"there is no {path}", lambda scene: scene.run("test", "-e", path).code == 0)


def says(text: str, argv: str, wanted: str) -> Rule:
    """A command, as words with blanks between them, says this and nothing else."""
    return equal(text, lambda scene: scene.run(*argv.split()).text, wanted)
