"""Packages of a running instance."""

from __future__ import annotations

from ..checks import (
    GATE,
    HEALTHY,
    host_name,
    logs_in,
    ran,
    says,
)
from ..host import Failure, do
from ..image import package
from ..lab import Launch
from ..scene import Boot, Case, Rule, Scene
from .userdata import SCRIPT

COMPAT = ("firstlight", "firstlight-cloud-init-compat")
UNITS = ("firstlight.service", "firstlight-final.service")


def _starts(scene: Scene) -> str:
    """What changes when one of our units starts anew."""
    properties = "--property=InvocationID,ActiveEnterTimestampMonotonic,InactiveExitTimestampMonotonic"
    return scene.out("systemctl", "show", properties, *UNITS)


def _upgrade(scene: Scene) -> None:
    """Installs a newer version, as apt would on a running machine."""
    scene.out("firstlight", "status", "--wait")
    scene.memory["starts"] = _starts(scene)
    deb = package("firstlight", "0.2.0")
    do("cp", deb, scene.root / "root/newer.deb")
    scene.out("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--install", "/root/newer.deb")


def _started_nothing(scene: Scene) -> None:
    if (found := _starts(scene)) != scene.memory["starts"]:
        raise Failure(f"{scene.memory['starts']}\nbecame\n{found}")


STARTED_NOTHING = Rule("none of our units was started by the upgrade", _started_nothing)
NEWER = says("the newer version is installed", "dpkg-query --show --showformat ${Version} firstlight", "0.2.0-1")

FIRST = Launch(SCRIPT)
SECOND = FIRST.but(instance_id="i-0bbbbbbbbbbbbbbb2", name="second")

CASES = (
    Case(
        "upgrade",
        "a newer version is installed on a running instance",
        (
            Boot(FIRST, (NEWER, STARTED_NOTHING, ran("script", 1), *HEALTHY), then=_upgrade),
            Boot(FIRST, (GATE, host_name("first"), logs_in(), ran("script", 1), *HEALTHY)),
        ),
    ),
)
