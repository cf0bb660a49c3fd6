"""What an instance of the comparison is launched with: its documents are made of this."""

import base64
import json

INSTANCE = "i-0123456789abcdef0"
OTHER_INSTANCE = "i-0fedcba9876543210"
HOST_NAME = "ip-172-31-7-25.eu-west-1.compute.internal"
CARD = "02:00:ac:1f:07:19"
# An image whose instances have host keys of all types.
ALL_TYPES = "ssh_genkeytypes: [rsa, ecdsa, ed25519]\n"
LAUNCH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f launch"


def case(name, user_data=b"", *, image="", prepare="", boots=None, passwords=(), keys=(LAUNCH_KEY,), index=0,
         devices=None, **more):
    """A document: what it is about, its user data, and what the image says.

    `image` is a file in /etc/cloud/cloud.cfg.d, `prepare` a script that makes the image, `passwords` those
    that may be found hashed. `boots` are changes of a boot: `instance`, `user_data`, and `before`, a
    script that is run before it; one boot unless told. `more` are `state`, for /var/lib/cloud to be
    compared as well, and `taken_over`, for the first boot to be cloud-init's.
    """
    raw = user_data.encode() if isinstance(user_data, str) else user_data
    made, text = [], image + raw.decode(errors="replace")
    for boot in boots or [{}]:
        data = boot.get("user_data", raw)
        data = data.encode() if isinstance(data, str) else data
        tree = metadata(boot.get("instance", INSTANCE), data, keys, index, devices)
        made.append({"before": boot.get("before", ""), "tree": tree})
    return {"name": name, "image": image, "prepare": prepare, "boots": made, "passwords": list(passwords), "text": text,
            **more}


def config(name, text, **more):
    """A document that is one cloud-config, or none at all."""
    return case(name, "#cloud-config\n" + text.strip("\n") + "\n" if text else "", **more)


def multipart(*parts):
    """A message with these parts: pairs of a type and a text, and optionally a file name."""
    lines = ["MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="==="', ""]
    for kind, text, *name in parts:
        lines += ["--===", "Content-Type: " + kind]
        lines += ['Content-Disposition: attachment; filename="%s"' % name[0]] if name else []
        lines += ["", text]
    return "\n".join([*lines, "--===--", ""])


def metadata(instance, user_data, keys, index, devices):
    """The tree that the lab's metadata service serves."""
    document = {"instanceId": instance, "region": "eu-west-1", "availabilityZone": "eu-west-1a",
                "privateIp": "172.31.7.25", "accountId": "123456789012", "architecture": "x86_64",
                "imageId": "ami-0123456789abcdef0", "instanceType": "t3.micro"}
    tree = {
        "dynamic": {"instance-identity": {"document": json.dumps(document)}},
        "meta-data": {
            "ami-id": "ami-0123456789abcdef0", "ami-launch-index": str(index),
            "hostname": HOST_NAME, "instance-id": instance, "instance-type": "t3.micro",
            "local-hostname": HOST_NAME, "local-ipv4": "172.31.7.25", "mac": CARD,
            "network": {"interfaces": {"macs": {CARD: {
                "device-number": "0", "local-ipv4s": "172.31.7.25", "subnet-ipv4-cidr-block": "172.31.0.0/20"}}}},
            "placement": {"availability-zone": "eu-west-1a", "region": "eu-west-1"},
            "services": {"domain": "amazonaws.com", "partition": "aws"},
        },
    }
    if keys:
        tree["meta-data"]["public-keys"] = {
            "%d=key%d" % (number, number): {"openssh-key": key} for number, key in enumerate(keys)}
    if devices:
        tree["meta-data"]["block-device-mapping"] = devices
    if user_data:
        tree["user-data"] = {"(base64)": base64.b64encode(user_data).decode()}
    return tree
