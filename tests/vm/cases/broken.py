"""Broken images and broken programs: the machine boots to a login, and says what is wrong."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

from ..checks import LOGIN_PROMPT, NO_CYCLE, console_tells, file, host_name, logs_in, ran, status, status_tells
from ..image import Image, write
from ..lab import Launch
from ..fixture import Boot, Case, Rule, Fixture
from .userdata import CLOUD_CONFIG, SCRIPT

Finish = Callable[[pathlib.Path], None]
LOGIN = (LOGIN_PROMPT, logs_in("root"), NO_CYCLE)
PROGRAM = "usr/bin/firstlight"
# systemd gives up on the start after this, in place of 90 seconds.
SOON = {"/etc/systemd/system/firstlight.service.d/soon.conf": "[Service]\nTimeoutStartSec=8\n"}

FULL = {
    "/etc/fstab": "tmpfs /var tmpfs size=256k,mode=755 0 0\n",
    "/etc/systemd/system/fill.service": """\
[Unit]
DefaultDependencies=no
RequiresMountsFor=/var
Before=firstlight.service systemd-tmpfiles-setup.service
[Service]
Type=oneshot
ExecStart=-/bin/sh -c 'cat /dev/zero >/var/fill'
[Install]
WantedBy=sysinit.target
""",
}


def without(*paths: str) -> Finish:
    """What an image's builder does who loses these files."""

    def finish(root: pathlib.Path) -> None:
        for path in paths:
            (root / path).unlink()

    return finish


def with_program(text: str) -> Finish:
    """What an image's builder does who puts another program in the place of ours."""

    def finish(root: pathlib.Path) -> None:
        (root / PROGRAM).unlink()
        write(root / PROGRAM, text)

    return finish


def ruin_state(fixture: Fixture) -> None:
    """Every file of the instance's state becomes noise."""
    for path in (fixture.root / "var/lib/firstlight").rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.write_bytes(b"\x00\xff{]\n" * 50)


def has_prompt(fixture: Fixture) -> bool:
    return "login:" in fixture.machine.console()


def case(name: str, says: str, image: Image, *holds: Rule, user_data: str = SCRIPT) -> Case:
    return Case(name, says, (Boot(Launch(user_data), (*LOGIN, *holds)),), image)


CASES = (
    case(
        "no-program",
        "the program is missing",
        Image(finish=without(PROGRAM), host_keys=True),
        ran("script", 0),
    ),
    case(
        "crash",
        "the program dies of a signal",
        Image(finish=with_program("#!/bin/sh\nkill -SEGV $$\n"), host_keys=True),
    ),
    Case(
        "hang",
        "the program hangs before it is ready",
        (Boot(Launch(), LOGIN, until=has_prompt),),
        Image(finish=with_program("#!/bin/sh\nexec sleep infinity\n"), files=SOON, host_keys=True),
    ),
    Case(
        "hanging-bootcmd",
        "a command of the user's hangs before the gate is open",
        (
            Boot(
                Launch("#cloud-config\nbootcmd: [sleep infinity]\n"),
                (*LOGIN, status_tells("(?i)running"), console_tells("(?i)gate|logins|budget")),
                until=has_prompt,
            ),
        ),
        Image(config="firstlight: {gate_budget: 5s}\n", host_keys=True),
    ),
    case(
        "corrupt-config",
        "the image's configuration is no YAML",
        Image(files={"/etc/firstlight/config.d/60-broken.yaml": "content: [\n  - {source: \n"}, host_keys=True),
        status("error"),
        status_tells("60-broken.yaml:[0-9]+"),
        console_tells("60-broken.yaml:[0-9]+"),
        host_name("first"),
        logs_in(),
    ),
    Case(
        "ruined-state",
        "the state of the instance is noise at its second boot",
        (
            Boot(Launch(SCRIPT), (logs_in(), ran("script", 1), status("done"))),
            Boot(
                Launch(SCRIPT),
                (
                    *LOGIN,
                    host_name("first"),
                    logs_in(),
                    ran("script", 1),
                    status("degraded"),
                    status_tells("/journal:1:"),
                ),
                before=ruin_state,
            ),
        ),
        Image(host_keys=True),
    ),
    case(
        "full-disk",
        "there is no room in /var",
        Image(files=FULL, enable=("fill.service",), host_keys=True),
        status("error"),
        status_tells("(?i)no space left"),
        console_tells("(?i)no space left"),
        logs_in(),
    ),
    case(
        "no-useradd",
        "useradd is missing",
        Image(finish=without("usr/sbin/useradd"), host_keys=True),
        status("error"),
        status_tells("useradd"),
        console_tells("useradd"),
        host_name("web"),
        file("/etc/hostname", "web\n"),
        ran("runcmd", 1),
        user_data=CLOUD_CONFIG,
    ),
    Case(
        "no-ssh-keygen",
        "ssh-keygen is missing, so there are no host keys",
        (
            Boot(
                Launch(SCRIPT),
                (LOGIN_PROMPT, NO_CYCLE, status_tells("ssh-keygen"), ran("script", 1)),
            ),
        ),
        Image(finish=without("usr/bin/ssh-keygen")),
    ),
)
