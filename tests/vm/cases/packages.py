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
from ..fixture import Boot, Case, Rule, Fixture
from .userdata import SCRIPT

COMPAT = ("firstlight", "firstlight-cloud-init-compat")
UNITS = ("firstlight.service", "firstlight-final.service")


def _starts(fixture: Fixture) -> str:
    """What changes when one of our units starts anew."""
    properties = "--property=InvocationID,ActiveEnterTimestampMonotonic,InactiveExitTimestampMonotonic"
    return fixture.out("systemctl", "show", properties, *UNITS)


def _upgrade(fixture: Fixture) -> None:
    """Installs a newer version, as apt would on a running machine."""
    fixture.out("firstlight", "status", "--wait")
    fixture.memory["starts"] = _starts(fixture)
    deb = package("firstlight", "0.2.0")
    do("cp", deb, fixture.root / "root/newer.deb")
    fixture.out("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--install", "/root/newer.deb")


def _started_nothing(fixture: Fixture) -> None:
    if (found := _starts(fixture)) != fixture.memory["starts"]:
        raise Failure(f"{fixture.memory['starts']}\nbecame\n{found}")


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


def _keep_host_key(fixture: Fixture) -> None:
    fixture.memory["host key"] = host_key(fixture)


def _take_over(fixture: Fixture) -> None:
    """Exchanges cloud-init for our packages on a disk that is switched off."""
    install(fixture.root, *(package(name) for name in COMPAT))


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
                        lambda fixture: fixture.run("cloud-init", "status", "--wait").text.split("\n")[-1],
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
