"""The machine that the tests run on: commands, namespaces that are nobody else's, control groups."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TARGET = REPOSITORY / "target" / "vm"
LOGS = REPOSITORY / "target" / "test-logs"
CGROUPS = pathlib.Path("/sys/fs/cgroup")

Argument = str | pathlib.Path


# Set when this run is to end early; whatever waits gives up then.
ended = threading.Event()


class Failure(Exception):
    """What was to happen did not; the text says what was found instead."""


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str = ""

    @property
    def text(self) -> str:
        """All of it, without the end of the last line."""
        return (self.out + self.err).rstrip("\n")


def ask(argv: Sequence[Argument], stdin: str = "", timeout: float | None = None) -> Said:
    """Runs a command to its end, or kills it after so many seconds: then its code is 124."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, errors="replace")
    except subprocess.TimeoutExpired:
        return Said(124, "", f"{argv[0]} took longer than {timeout} s")
    return Said(done.returncode, done.stdout, done.stderr)


def do(*argv: Argument, stdin: str = "") -> str:
    """Runs a command that has to succeed; what it printed."""
    said = ask(argv, stdin)
    if said.code:
        raise Failure(f"{' '.join(map(str, argv))} ended with {said.code}: {said.text}")
    return said.out.strip()


def wait_for(what: str, ready: Callable[[], bool], seconds: float) -> None:
    """Looks again and again until it is so, for so many seconds at most."""
    end = time.monotonic() + seconds
    while not ready():
        if ended.is_set():
            raise Failure(f"{what}: the run was ended")
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.2)


def stop(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Ends a process of ours, and waits until it is gone."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def be_private() -> None:
    """Starts this program anew where mounts, and names of namespaces and containers, are its own.

    They go with the process, however it ends.
    """
    if os.environ.get("VM_PRIVATE") != "1":
        os.environ["VM_PRIVATE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    for place in ("/run/netns", "/run/systemd/nspawn"):
        pathlib.Path(place).mkdir(parents=True, exist_ok=True)
        do("mount", "-t", "tmpfs", "tmpfs", place)
    # systemd wants a tree of control groups of one kind. Where this machine still mounts the old
    # one, its unified tree is mounted over it (cgroups(7)).
    if do("stat", "--file-system", "--format=%T", CGROUPS) != "cgroup2fs":
        do("umount", "--lazy", CGROUPS)
        do("mount", "-t", "cgroup2", "cgroup2", CGROUPS)


class ControlGroup:
    """A control group of our own, in which a container lives and with which it can be killed."""

    def __init__(self, name: str) -> None:
        self.path = CGROUPS / name
        self.path.mkdir(exist_ok=True)

    def enter(self, argv: Sequence[Argument]) -> list[Argument]:
        """The command, begun inside this group."""
        inner = self.path / "run"
        inner.mkdir(exist_ok=True)
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', inner / "cgroup.procs", *argv]

    def leader(self) -> int | None:
        """The first process of the container; `None` before it is there."""
        try:
            found = (self.path / "run/payload/init.scope/cgroup.procs").read_text().split()
        except OSError:
            return None
        return int(found[0]) if found else None

    def kill(self) -> None:
        """Kills everything in it."""
        (self.path / "cgroup.kill").write_text("1")
        wait_for("the end of a killed container", lambda: "populated 0" in self._events(), 30)

    def remove(self) -> None:
        """Removes it with the empty groups below it."""
        ask(["find", self.path, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"])

    def _events(self) -> str:
        return (self.path / "cgroup.events").read_text()
