"""User data put together at random from a seed: what no table thinks of."""

import base64
import gzip
import json
import quopri
import random

from configs import HOWS, METADATA
from formats import message, part

KEYS = ["a", "b", "runcmd", "users", "write_files", "d"]
TYPES = ["text/plain", "text/x-not-multipart", "text/x-shellscript", "text/cloud-config", "text/cloud-boothook", "text/jinja2",
         "text/cloud-config-archive", "text/cloud-config-jsonp", "application/octet-stream", "text/x-shellscript-per-once", None]
NAMES = ["one.sh", "a/b", "same", "same", "sp ace", "part-002", "x.yaml"]


def value(rng, depth):
    pick = rng.random()
    if depth == 0 or pick < 0.4:
        return rng.choice([1, 0, "text", "", None, True, 1.5, "yes", "0644", "two words"])
    if pick < 0.7:
        return [value(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    return {key: value(rng, depth - 1) for key in rng.sample(KEYS, rng.randint(0, 3))}


def mapping(rng):
    document = {key: value(rng, 3) for key in rng.sample(KEYS, rng.randint(1, 4))}
    if rng.random() < 0.5:
        document[rng.choice(["merge_how", "merge_how", "merge_type"])] = how(rng)
    if rng.random() < 0.2:
        document["launch-index"] = rng.choice([0, 1, "1", 2])
    return document


def how(rng):
    if rng.random() < 0.2:
        return rng.choice(HOWS)
    options = {"dict": ["replace", "no_replace", "recurse_str", "recurse_list", "recurse_array", "allow_delete"],
               "list": ["append", "prepend", "no_replace", "replace", "recurse_dict", "recurse_list", "recurse_str"], "str": ["append"]}
    chosen = [(name, rng.sample(options[name], rng.randint(0, min(3, len(options[name])))))
              for name in rng.sample(list(options), rng.randint(1, 3))]
    form = rng.random()
    if form < 0.6:
        return "+".join("%s(%s)" % (name, ",".join(said)) for name, said in chosen)
    if form < 0.8:
        return [{"name": name, "settings": said} for name, said in chosen]
    return [[name, *said] for name, said in chosen]


def body(rng):
    pick = rng.random()
    if pick < 0.55:
        text = json.dumps(mapping(rng), indent=rng.choice([None, 1]))
        return rng.choice(["#cloud-config\n", "#Cloud-Config\n", "\n#cloud-config\n", ""]) + text + rng.choice(["\n", "", "\n\n"])
    if pick < 0.7:
        return "#!/bin/%s\necho %d\n" % (rng.choice(["sh", "bash"]), rng.randint(0, 99))
    if pick < 0.78:
        items = [rng.choice([json.dumps(mapping(rng)), "#!/bin/sh\necho\n", {"content": json.dumps(mapping(rng)), "launch-index": rng.randint(0, 2)},
                             {"type": "text/x-shellscript", "content": "#!/bin/sh\n", "filename": rng.choice(NAMES)}]) for _ in range(rng.randint(0, 4))]
        return "#cloud-config-archive\n" + json.dumps(items) + "\n"
    if pick < 0.84:
        patch = {"op": rng.choice(["add", "add", "replace", "remove", "test"]), "path": "/" + rng.choice(KEYS), "value": value(rng, 1)}
        return "#cloud-config-jsonp\n" + json.dumps([patch]) + "\n"
    if pick < 0.9:
        return "## template: jinja\n#cloud-config\n%s: {{ %s }}\n" % (rng.choice(KEYS), rng.choice(["instance_id", "v1.region", "ds.meta_data.instance_type", "missing"]))
    if pick < 0.95:
        return "#cloud-boothook\n#!/bin/sh\necho %d\n" % rng.randint(0, 99)
    return rng.choice(["", "words only\n", "key=value\n", "#cloud-config\n", "#cloud-config\n- a\n", "#cloud-config\na: [\n"])


def leaf(rng):
    data = body(rng).encode()
    kind = rng.choice(TYPES) if rng.random() < 0.6 else "text/plain"
    headers = []
    if rng.random() < 0.1:
        data, kind = gzip.compress(data, mtime=0), "application/gzip"
    encoding = "base64" if kind == "application/gzip" else rng.choice(["base64", "quoted-printable", "7bit", None])
    if encoding:
        headers.append("Content-Transfer-Encoding: " + encoding)
    if encoding == "base64":
        data = base64.encodebytes(data)
    if encoding == "quoted-printable":
        data = quopri.encodestring(data)
    if rng.random() < 0.3:
        headers.append('Content-Disposition: attachment; filename="%s"' % rng.choice(NAMES))
    if rng.random() < 0.3:
        headers.append("Launch-Index: %s" % rng.choice([0, 1, 2, "01", "x"]))
    if rng.random() < 0.2:
        said = how(rng)
        if isinstance(said, str) and said.isascii():
            headers.append(rng.choice(["Merge-Type", "X-Merge-Type", "Merge-type"]) + ": " + said)
    rng.shuffle(headers)
    return part(kind, data, *headers)


def container(rng, depth):
    parts = []
    for _ in range(rng.randint(1, 4)):
        if depth and rng.random() < 0.2:
            parts.append(container(rng, depth - 1))
        else:
            parts.append(leaf(rng))
    mark = "B%d" % rng.randrange(10 ** 6)
    head = "MIME-Version: 1.0\n" if depth == 2 or rng.random() < 0.2 else ""
    return message(*parts, head=head, boundary=mark, end="--%s--\n" % mark, line=rng.choice(["\n", "\n", "\n", "\r\n"]))


def cases(seed, count):
    rng = random.Random(seed)
    for number in range(count):
        data = container(rng, 2) if rng.random() < 0.8 else body(rng).encode()
        if rng.random() < 0.1:
            data = gzip.compress(data, mtime=0)
        if rng.random() < 0.1:
            data = base64.b64encode(data)
        yield {"name": "random %d" % number, "data": data, "launch_index": rng.choice([None, 0, 1]), "metadata": METADATA}
