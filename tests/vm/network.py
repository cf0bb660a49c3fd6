"""Networks in namespaces: a cloud, which all share, and for each machine a subnet with its router.

machine 10.77.N.2 -- lab0 10.77.N.1, 169.254.169.254 [router N] 10.78.N.1 -- cloud0 10.78.0.1
"""

from __future__ import annotations

from collections.abc import Sequence

from .host import Argument, do

CLOUD = "10.78.0.1"


class Namespace:
    """A network namespace with a name."""

    def __init__(self, name: str) -> None:
        self.name = name
        do("ip", "netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words: Argument) -> str:
        """ip(8) inside."""
        return do("ip", "-n", self.name, *words)

    def within(self, argv: Sequence[Argument]) -> list[Argument]:
        """The command, run inside."""
        return ["ip", "netns", "exec", self.name, *argv]

    def remove(self) -> None:
        """Removes it; its links go with it."""
        do("ip", "netns", "delete", self.name)


class Cloud:
    """Where the services are that all machines of a run share."""

    def __init__(self, run: str) -> None:
        self.namespace = Namespace(f"{run}-cloud")
        self.namespace.ip("link", "add", "cloud0", "type", "bridge")
        self.namespace.ip("link", "set", "cloud0", "up")
        self.namespace.ip("address", "add", f"{CLOUD}/16", "dev", "cloud0")

    def remove(self) -> None:
        self.namespace.remove()


class Subnet:
    """The network of one machine: what is beyond its interface, and the namespace that it lives in.

    `number` is 1 to 254, and no two subnets of a cloud have the same.
    """

    def __init__(self, run: str, number: int, cloud: Cloud) -> None:
        self.number = number
        self.mac = f"02:00:00:00:77:{number:02x}"
        self.address = f"10.77.{number}.2"
        self.address6 = f"fd00:77:{number}::2"
        self.gateway = f"10.77.{number}.1"
        self.gateway6 = f"fd00:77:{number}::1"
        self.router = Namespace(f"{run}-{number}-lab")
        self.machine = Namespace(f"{run}-{number}-vm")
        self._join(cloud)
        self._listen()

    def _join(self, cloud: Cloud) -> None:
        uplink, n = f"up{self.number}", self.number
        cloud.namespace.ip("link", "add", uplink, "type", "veth", "peer", "name", "up0", "netns", self.router.name)
        cloud.namespace.ip("link", "set", uplink, "master", "cloud0", "up")
        self.router.ip("link", "set", "up0", "up")
        self.router.ip("address", "add", f"10.78.{n}.1/16", "dev", "up0")
        cloud.namespace.ip("route", "add", f"10.77.{n}.0/24", "via", f"10.78.{n}.1")
        do(*self.router.within(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"]))

    def _listen(self) -> None:
        self.router.ip("link", "add", "lab0", "type", "bridge")
        self.router.ip("link", "set", "lab0", "up")
        self.router.ip("address", "add", f"{self.gateway}/24", "dev", "lab0")
        self.router.ip("address", "add", "169.254.169.254/32", "dev", "lab0")
        self.router.ip("address", "add", f"{self.gateway6}/64", "dev", "lab0", "nodad")
        self.router.ip("address", "add", "fd00:ec2::254/128", "dev", "lab0", "nodad")

    def plug_container(self) -> None:
        """Gives the machine's namespace an interface, `eth0`, unless it has one."""
        if "eth0" in self.machine.ip("-brief", "link"):
            return
        self.machine.ip(
            "link",
            "add",
            "eth0",
            "address",
            self.mac,
            "type",
            "veth",
            "peer",
            "name",
            "port0",
            "netns",
            self.router.name,
        )
        self.router.ip("link", "set", "port0", "master", "lab0", "up")

    def plug_tap(self) -> str:
        """Adds a tap device for a virtual machine that runs in the router's namespace; its name."""
        if "tap0" not in self.router.ip("-brief", "link"):
            self.router.ip("tuntap", "add", "tap0", "mode", "tap")
            self.router.ip("link", "set", "tap0", "master", "lab0", "up")
        return "tap0"

    def remove(self) -> None:
        self.router.remove()
        self.machine.remove()
