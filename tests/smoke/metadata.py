"""Writes the metadata tree of the smoke boot, in the shape that lab-imds reads.

Usage: metadata.py INSTANCE_ID NAME PUBLIC_KEY_FILE < USER_DATA
"""

import json
import pathlib
import sys


def main(instance_id: str, name: str, key_file: str) -> None:
    identity = {
        "accountId": "123456789012",
        "architecture": "x86_64",
        "availabilityZone": "eu-central-1a",
        "imageId": "ami-0123456789abcdef0",
        "instanceId": instance_id,
        "instanceType": "t3.micro",
        "privateIp": "10.77.0.2",
        "region": "eu-central-1",
    }
    tree = {
        "meta-data": {
            "ami-id": identity["imageId"],
            "ami-launch-index": "0",
            "hostname": f"{name}.eu-central-1.compute.internal",
            "instance-id": instance_id,
            "instance-type": identity["instanceType"],
            "local-hostname": f"{name}.eu-central-1.compute.internal",
            "local-ipv4": identity["privateIp"],
            "placement": {"availability-zone": identity["availabilityZone"], "region": "eu-central-1"},
            "public-keys": {"0=launch-key": {"openssh-key": pathlib.Path(key_file).read_text()}},
            "reservation-id": "r-0123456789abcdef0",
        },
        "dynamic": {"instance-identity": {"document": json.dumps(identity, indent=2)}},
        "user-data": sys.stdin.read(),
    }
    json.dump(tree, sys.stdout, indent=2)


main(*sys.argv[1:])
