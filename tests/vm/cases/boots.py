"""The life of a disk: a first boot, the same instance again, the same disk as another instance."""

from __future__ import annotations

from ..checks import CLEAN_SHUTDOWN, GATE, GROWN, HEALTHY, NEW_HOST_KEY, NOTE, SAME_HOST_KEY, host_name, logs_in, ran
from ..image import IN_SEED, Image
from ..lab import Launch
from ..fixture import Boot, Case, Rule

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

CASES = (
    Case("boots", "three boots, the last one as another instance", THREE, floors=("container", "machine")),
    Case("boots-seed", "the same from a seed in the image", THREE, Image(source=IN_SEED)),
)
