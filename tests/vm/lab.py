"""The services around a machine: its metadata, its address, and the S3 store."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import threading
from dataclasses import dataclass, field, replace

from .host import REPOSITORY, Failure, do, stop
from .network import CLOUD, Cloud, Subnet

BINARIES = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")).resolve() / "debug"
REGION = "eu-central-1"
# The name of the role that an instance may have.
ROLE = "lab"


@dataclass(frozen=True)
class Launch:
    """What the cloud says about an instance, and what its owner said when launching it."""

    user_data: str | None = None
    instance_id: str = "i-0aaaaaaaaaaaaaaa1"
    name: str = "first"
    index: int = 0
    # Its credentials are good for the lab's S3 store.
    role: bool = False
    # How the metadata service treats it: see lab-imds. `away` is none at all.
    mood: str = "fair"
    latency_ms: int = 0
    # Entries of meta-data beside the usual ones.
    more: dict[str, str] = field(default_factory=dict)

    def but(self, **changes: object) -> Launch:
        """Another launch that differs in this."""
        return replace(self, **changes)  # type: ignore[arg-type]


class Store:
    """The S3 server of a run, beside the cloud's machines."""

    def __init__(self, cloud: Cloud) -> None:
        weed = REPOSITORY / "target/tools/bin/weed"
        environment = {"FIRSTLIGHT_WEED": str(weed), **os.environ}
        self._server = subprocess.Popen(
            cloud.namespace.within([BINARIES / "lab-s3", CLOUD]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._one_at_a_time = threading.Lock()
        self.endpoint = self._answer()

    def put(self, bucket: str, key: str, file: pathlib.Path) -> None:
        """Stores a file; its bucket is made where there is none."""
        self._say(f"put {bucket} {key} {file}")

    def credentials(self) -> dict[str, str]:
        """Credentials as an instance with the role has them."""
        found: dict[str, str] = json.loads(self._say("credentials"))
        return found

    def end(self) -> None:
        if self._server.stdin:
            self._server.stdin.close()
        self._server.wait()

    def _say(self, line: str) -> str:
        with self._one_at_a_time:
            assert self._server.stdin
            self._server.stdin.write(line + "\n")
            self._server.stdin.flush()
            return self._answer()

    def _answer(self) -> str:
        assert self._server.stdout
        line = self._server.stdout.readline().strip()
        if not line:
            raise Failure("lab-s3 has ended")
        return line


class Services:
    """What answers a machine on its subnet. Logs and state are in `folder`."""

    def __init__(self, subnet: Subnet, folder: pathlib.Path, key: pathlib.Path) -> None:
        self.subnet = subnet
        self.folder = folder
        self.key = key
        self._metadata: subprocess.Popen[bytes] | None = None
        self._dhcp: subprocess.Popen[bytes] | None = None

    def give_addresses(self, ipv4: bool = True) -> None:
        """DHCP and router advertisements, as a VPC has them; without `ipv4` these alone."""
        n = self.subnet
        ranges = [f"--dhcp-range=fd00:77:{n.number}::,ra-only"]
        if ipv4:
            ranges += [f"--dhcp-range={n.address},{n.address},255.255.255.0,1h", f"--dhcp-option=3,{n.gateway}"]
        leases = self.folder / "leases"
        leases.unlink(missing_ok=True)
        self._dhcp = self._start(
            "dhcp",
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file",
             "--log-facility=-", "--log-dhcp", "--interface=lab0", "--bind-interfaces", "--dhcp-authoritative",
             "--no-ping", "--dhcp-ignore-clid", f"--dhcp-leasefile={leases}", "--enable-ra", *ranges],
        )  # fmt: skip

    def become(self, launch: Launch, store: Store | None) -> None:
        """From now on the metadata service speaks of this launch."""
        if self._metadata:
            stop(self._metadata)
            self._metadata = None
        if launch.mood == "away":
            return
        tree = self.folder / "metadata.json"
        tree.write_text(json.dumps(self.tree(launch, store), indent=2))
        self.log.unlink(missing_ok=True)
        self._metadata = self._start(
            "metadata",
            [BINARIES / "lab-imds", "--listen", "169.254.169.254:80", "--listen", "[fd00:ec2::254]:80",
             "--tree", tree, "--log", self.log, "--mood", launch.mood, "--latency-ms", str(launch.latency_ms)],
        )  # fmt: skip

    @property
    def log(self) -> pathlib.Path:
        """A line for each request since the last launch."""
        return self.folder / "requests.log"

    def requests(self) -> list[str]:
        """What was asked since the last launch."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def tree(self, launch: Launch, store: Store | None) -> dict[str, object]:
        """The metadata tree in the shape that lab-imds reads."""
        host = f"{launch.name}.{REGION}.compute.internal"
        identity = {
            "accountId": "123456789012",
            "architecture": "x86_64",
            "availabilityZone": f"{REGION}a",
            "imageId": "ami-0123456789abcdef0",
            "instanceId": launch.instance_id,
            "instanceType": "t3.micro",
            "privateIp": self.subnet.address,
            "region": REGION,
        }
        meta_data: dict[str, object] = {
            "ami-id": identity["imageId"],
            "ami-launch-index": str(launch.index),
            "hostname": host,
            "instance-id": launch.instance_id,
            "instance-type": identity["instanceType"],
            "local-hostname": host,
            "local-ipv4": self.subnet.address,
            "mac": self.subnet.mac,
            "placement": {"availability-zone": identity["availabilityZone"], "region": REGION},
            "public-keys": {"0=launch-key": {"openssh-key": self.key.with_suffix(".pub").read_text()}},
            "reservation-id": "r-0123456789abcdef0",
            **launch.more,
        }
        if launch.role and store:
            meta_data["iam"] = {"security-credentials": {ROLE: json.dumps(store.credentials())}}
        tree: dict[str, object] = {
            "meta-data": meta_data,
            "dynamic": {"instance-identity": {"document": json.dumps(identity, indent=2)}},
        }
        if launch.user_data is not None:
            tree["user-data"] = launch.user_data
        return tree

    def end(self) -> None:
        for process in (self._metadata, self._dhcp):
            if process:
                stop(process)

    def _start(self, name: str, argv: list[str | pathlib.Path]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(self.subnet.router.within(argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def write_seed(root: pathlib.Path, launch: Launch, key: pathlib.Path) -> None:
    """The same facts as a seed in the image (cloud-init's doc/rtd/reference/datasources/nocloud.rst)."""
    seed = root / "var/lib/cloud/seed/nocloud"
    seed.mkdir(parents=True, exist_ok=True)
    (seed / "user-data").write_text(launch.user_data or "")
    public = key.with_suffix(".pub").read_text().strip()
    (seed / "meta-data").write_text(
        f'instance-id: {launch.instance_id}\nlocal-hostname: {launch.name}\npublic-keys: ["{public}"]\n'
    )


def make_key(file: pathlib.Path) -> pathlib.Path:
    """A launch key."""
    do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "launch-key", "-f", file)
    return file
