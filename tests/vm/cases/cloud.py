"""A cloud that is slow, away, or of the new kind."""

from __future__ import annotations

from ..checks import GATE, HEALTHY, LOGIN_PROMPT, NO_CYCLE, NO_FAILED_UNITS, host_name, logs_in, ran, status_tells
from ..host import Failure
from ..image import IN_EC2, Image
from ..lab import Launch
from ..fixture import Boot, Case, Rule, Fixture
from .userdata import SCRIPT

# Twelve seconds in place of the default of four minutes: what ends the wait is the same.
IMPATIENT = IN_EC2.replace("strict_id: false", "strict_id: false, max_wait: 12, timeout: 2")


def _address6(fixture: Fixture) -> str:
    # The interface's own address, as it makes it from its number (RFC 4291, appendix A).
    return f"fd00:77:{fixture.machine.subnet.number}::ff:fe00:77{fixture.machine.subnet.number:02x}"


def _asked_little(fixture: Fixture) -> None:
    asked = len(fixture.services.requests())
    fixture.figures.append(f"requests to the metadata service {asked}")
    if asked > 20:
        raise Failure(f"{asked} requests")


ASKED_LITTLE = Rule("the metadata service is asked at most 20 times", _asked_little)

CASES = (
    Case(
        "metadata-away",
        "no metadata service answers",
        (
            Boot(
                Launch(mood="away"),
                (LOGIN_PROMPT, status_tells("(?i)metadata|data ?source|169.254.169.254"), NO_CYCLE, logs_in("root")),
            ),
        ),
        Image(source=IMPATIENT, host_keys=True),
    ),
    Case(
        "metadata-slow",
        "each answer of the metadata service takes half a second",
        (Boot(Launch(SCRIPT, latency_ms=500), (GATE, host_name("first"), logs_in(), ran("script", 1), *HEALTHY)),),
    ),
    Case(
        "metadata-busy",
        "the metadata service answers 503 at first",
        (Boot(Launch(SCRIPT, mood="throttles:2"), (GATE, host_name("first"), logs_in(), ran("script", 1), *HEALTHY)),),
    ),
    Case(
        "metadata-switched-off",
        "the metadata service is switched off for this instance",
        (
            Boot(
                Launch(SCRIPT, mood="disabled"),
                (LOGIN_PROMPT, status_tells("(?i)disabled"), NO_FAILED_UNITS, logs_in("root")),
            ),
        ),
        Image(source=IMPATIENT, host_keys=True),
    ),
    Case(
        "requests",
        "what a first boot and a later one cost the metadata service",
        (Boot(Launch(SCRIPT), (ASKED_LITTLE, *HEALTHY)), Boot(Launch(SCRIPT), (ASKED_LITTLE, *HEALTHY))),
    ),
    Case(
        "ipv6-only",
        "a subnet that has IPv6 alone",
        (Boot(Launch(SCRIPT), (GATE, host_name("first"), logs_in(address=_address6), ran("script", 1), *HEALTHY)),),
        ipv4=False,
    ),
)
