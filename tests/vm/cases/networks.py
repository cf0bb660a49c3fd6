"""Whoever sets up the network: no ordering cycle, no wait for each other, logins after the gate."""

from __future__ import annotations

from ..checks import CLEAN_SHUTDOWN, GATE, HEALTHY, host_name, logs_in, ran
from ..image import Image
from ..lab import Launch
from ..fixture import Boot, Case
from .userdata import SCRIPT


def case(name: str, says: str, image: Image) -> Case:
    """A first boot and a later one in which everything is as it should."""
    holds = (host_name("first"), logs_in(), GATE, ran("script", 1), *HEALTHY)
    return Case(name, says, (Boot(Launch(SCRIPT), holds, after=(CLEAN_SHUTDOWN,)),) * 2, image)


CASES = (
    case("ifupdown", "the network is ifupdown's", Image(network="ifupdown")),
    case(
        "network-manager",
        "the network is NetworkManager's",
        Image(network="NetworkManager", packages=("network-manager",)),
    ),
    case("ssh-socket", "sshd starts when somebody comes", Image(ssh="ssh.socket")),
)
