"""Broken images and broken programs: the machine boots to a login, and says what is wrong."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

from ..checks import LOGIN_PROMPT, NO_CYCLE, logs_in, ran, status_tells
from ..image import Image, write
from ..lab import Launch
from ..scene import Boot, Case, Rule, Scene
from .userdata import SCRIPT

Finish = Callable[[pathlib.Path], None]
LOGIN = (LOGIN_PROMPT, logs_in("root"), NO_CYCLE)
PROGRAM = "usr/bin/firstlight"
# systemd gives up on the start after this, in place of 90 seconds.
SOON = {"/etc/systemd/system/firstlight.service.d/soon.conf": "[Service]\nTimeoutStartSec=8\n"}


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


def has_prompt(scene: Scene) -> bool:
    return "login:" in scene.machine.console()


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
