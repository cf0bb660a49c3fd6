"""Packages: an upgrade on a running instance, and an image that cloud-init has configured before."""

from __future__ import annotations

from ..checks import (
    GATE,
    HEALTHY,
    NO_CYCLE,
    NO_FAILED_UNITS,
    SAME_HOST_KEY,
    equal,
    file,
    host_key,
    host_name,
    logs_in,
    ran,
    says,
    status,
)
from ..host import Failure, do
from ..image import IN_EC2, Image, install, package
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

# A unit of the image's that waits for cloud-init, as many images have one.
AFTER_CLOUD_INIT = """\
[Unit]
After=cloud-final.service
[Service]
Type=oneshot
ExecStart=cp /var/lib/who /var/lib/seen
ExecStart=/bin/sh -c 'test -e /var/lib/cloud/instance/boot-finished && echo finished >>/var/lib/seen'
[Install]
WantedBy=cloud-init.target
"""


def _keep_host_key(scene: Scene) -> None:
    scene.memory["host key"] = host_key(scene)


def _take_over(scene: Scene) -> None:
    """Exchanges cloud-init for our packages on a disk that is switched off."""
    install(scene.root, *(package(name) for name in COMPAT))


FIRST = Launch(SCRIPT)
# cloud-init asks for a token only where the firmware says EC2, which it does not in a container.
OPTIONAL = FIRST.but(mood="optional")
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
    Case(
        "compat",
        "a unit of the image waits for cloud-init",
        (
            Boot(
                FIRST,
                (
                    GATE,
                    logs_in(),
                    file("/var/lib/seen", "root\nfinished\n"),
                    equal(
                        "cloud-init status --wait says done",
                        lambda scene: scene.run("cloud-init", "status", "--wait").text.split("\n")[-1],
                        "status: done",
                    ),
                    file("/var/lib/cloud/data/instance-id", FIRST.instance_id),
                    says("cloud-id knows the cloud", "cloud-id", "aws"),
                    says("cloud-init query knows the instance", "cloud-init query instance_id", FIRST.instance_id),
                    ran("script", 1),
                    *HEALTHY,
                ),
            ),
        ),
        Image(
            files={"/etc/systemd/system/after-cloud.service": AFTER_CLOUD_INIT},
            enable=("after-cloud.service",),
            ours=COMPAT,
        ),
    ),
    Case(
        "takeover",
        "an instance that cloud-init configured goes on with firstlight",
        (
            Boot(OPTIONAL, (host_name("first"), logs_in(), ran("script", 1)), then=_keep_host_key),
            Boot(
                OPTIONAL,
                (
                    GATE,
                    host_name("first"),
                    logs_in(),
                    SAME_HOST_KEY,
                    ran("script", 1),
                    status("done"),
                    NO_FAILED_UNITS,
                    NO_CYCLE,
                ),
                before=_take_over,
            ),
            Boot(SECOND, (GATE, host_name("second"), logs_in(), ran("script", 2), *HEALTHY)),
        ),
        Image(
            packages=("cloud-init",),
            ours=(),
            files={
                "/etc/cloud/cloud.cfg.d/50-source.cfg": IN_EC2,
                "/etc/cloud/cloud.cfg.d/51-network.cfg": "network: {config: disabled}\n",
            },
        ),
    ),
)
