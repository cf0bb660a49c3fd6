"""The life of a disk: a first boot, the same instance again, the same disk as another instance."""

from __future__ import annotations

from ..checks import (
    CLEAN_SHUTDOWN, GATE, GROWN, HEALTHY, NEW_HOST_KEY, NOTE, SAME_HOST_KEY, host_name, logs_in, nothing, ran,
)  # fmt: skip
from ..host import Failure, ask
from ..image import IN_SEED, Image
from ..lab import Launch
from ..fixture import Boot, Case, Fixture, Rule

USER_DATA = f"""\
Content-Type: multipart/mixed; boundary="part"
MIME-Version: 1.0

--part
Content-Type: text/cloud-config

#cloud-config
runcmd:
  - [sh, -c, "{NOTE}runcmd"]
--part
Content-Type: text/x-shellscript

#!/bin/sh
{NOTE}script
--part--
"""

FIRST = Launch(user_data=USER_DATA)
SECOND = FIRST.but(instance_id="i-0bbbbbbbbbbbbbbb2", name="second")


def boot(launch: Launch, times: int, key: Rule, clock: str = "") -> Boot:
    """One boot, after which the user's code has run so many times."""
    done = (GROWN, ran("script", times), ran("runcmd", times))
    return Boot(
        launch, (GATE, host_name(launch.name), logs_in(), key, *done, *HEALTHY), after=(CLEAN_SHUTDOWN,), clock=clock
    )


THREE = (boot(FIRST, 1, NEW_HOST_KEY), boot(FIRST, 1, SAME_HOST_KEY, clock="1970-01-01"), boot(SECOND, 2, NEW_HOST_KEY))


def _seal(fixture: Fixture) -> None:
    """The last step of an image's build, with everything at work as on any machine."""
    fixture.memory["machine id"] = fixture.out("cat", "/etc/machine-id")
    fixture.memory["launch key"] = fixture.out("cut", "-d ", "-f2", "/home/debian/.ssh/authorized_keys")
    fixture.out("firstlight", "clean", "--seal")


def _traces(fixture: Fixture) -> str:
    """Files of the disk that still know the instance, whichever way they say it."""
    known = [FIRST.instance_id, fixture.memory["machine id"], fixture.memory["launch key"], f"{NOTE}runcmd"]
    words = [word for text in known for word in ("-e", text)]
    places = [fixture.root / place for place in ("etc", "home", "root", "run", "srv", "tmp", "usr/local", "var")]
    return ask(["grep", "-rlFs", *words, *places]).text


def _new_machine_id(fixture: Fixture) -> None:
    found = fixture.out("cat", "/etc/machine-id")
    if len(found) != 32 or found == fixture.memory["machine id"]:
        raise Failure(f"it is {found!r}")


SEALED = (
    Boot(
        FIRST,
        (logs_in(), NEW_HOST_KEY, *HEALTHY, Rule("firstlight clean --seal ends well", _seal)),
        after=(nothing("nothing on the disk knows the instance", _traces),),
    ),
    Boot(
        SECOND,
        (
            *(GATE, host_name("second"), logs_in(), NEW_HOST_KEY, Rule("the machine id is a new one", _new_machine_id)),
            *(ran("script", 2), ran("runcmd", 2), *HEALTHY),
        ),
        after=(CLEAN_SHUTDOWN,),
    ),
)

CASES = (
    Case("boots", "three boots, the last one as another instance", THREE, floors=("container", "machine")),
    Case("boots-seed", "the same from a seed in the image", THREE, Image(source=IN_SEED)),
    Case("boots-sealed", "an image that was made of a running instance, and sealed", SEALED),
)
