"""Switched off: nothing is asked, nothing is done, and the machine boots like any other."""

from __future__ import annotations

from ..checks import LOGIN_PROMPT, NO_CYCLE, NO_FAILED_UNITS, logs_in, no_file, nothing, ran, status
from ..image import Image
from ..lab import Launch
from ..fixture import Boot, Case, Rule
from .userdata import SCRIPT

ASKED_NOTHING = nothing("nobody asked the metadata service", lambda fixture: fixture.services.requests())
OFF: tuple[Rule, ...] = (
    LOGIN_PROMPT,
    logs_in("root"),
    ASKED_NOTHING,
    ran("script", 0),
    no_file("/var/lib/firstlight/instance"),
    status("disabled", 0),
    NO_FAILED_UNITS,
    NO_CYCLE,
)


def case(name: str, says: str, image: Image) -> Case:
    return Case(name, says, (Boot(Launch(SCRIPT), OFF),), image)


CASES = (
    Case(
        "off-by-kernel",
        "the kernel command line says firstlight=off",
        (Boot(Launch(SCRIPT), OFF, kernel_words="firstlight=off"),),
        Image(host_keys=True),
        floors=("machine",),
    ),
    case(
        "off-by-file",
        "the image has /etc/firstlight/disabled",
        Image(files={"/etc/firstlight/disabled": ""}, host_keys=True),
    ),
    case(
        "off-by-cloud-inits-file",
        "the image has /etc/cloud/cloud-init.disabled",
        Image(files={"/etc/cloud/cloud-init.disabled": ""}, host_keys=True),
    ),
    case("container-without-a-source", "its image names no data source", Image(source="", host_keys=True)),
)
