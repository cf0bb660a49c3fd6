"""Reads user data with cloud-init's own classes and says what became of it.

Runs inside the tree that tests/compat/tree makes. Standard input: a JSON object a line, with
`name`, `data` (base64), `launch_index` (number or null) and `metadata` (object). Standard output:
an answer a line, in the same order. Boothooks are written and not run; nothing outside of a
temporary directory is changed.
"""

import base64
import datetime
import hashlib
import importlib
import json
import logging
import os
import pathlib
import sys
import tempfile

from cloudinit import helpers, sources, stages, util, version
from cloudinit.handlers import boot_hook
from cloudinit.settings import PER_INSTANCE
from cloudinit.url_helper import time as url_clock

INSTANCE_ID = "i-0123456789abcdef0"
SCRIPTS = ["scripts/per-boot", "scripts/per-instance", "scripts/per-once",
           "instance/scripts", "instance/boothooks"]


class Warnings(logging.Handler):
    """Keeps what cloud-init warns of: the template of each message, without what it was about."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.kinds = []

    def emit(self, record):
        kind = str(record.msg).split(". Invalid format")[0].split("\n")[0][:90]
        self.kinds.append("%s: %s" % (record.levelname.lower(), kind))


class Source(sources.DataSource):
    """A data source that has everything already, as EC2's has after its crawl."""

    dsname = "Ec2"

    def __init__(self, paths, raw, launch_index):
        super().__init__({}, None, paths)
        self.userdata_raw = raw
        self.index = launch_index

    def get_instance_id(self):
        return INSTANCE_ID

    @property
    def launch_index(self):
        return self.index

    def get_config_obj(self):
        return {}


def plain(value):
    """A value of YAML as JSON can hold it."""
    if isinstance(value, dict):
        return {key_text(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, set):
        return {key_text(entry): None for entry in value}
    if isinstance(value, (datetime.date, datetime.datetime)):
        return {"!time": value.isoformat()}
    if isinstance(value, bytes):
        return {"!bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return {"!float": repr(value)}
    return value


def key_text(key):
    return "null" if key is None else str(key)


def octets(payload):
    if payload is None:
        return b""
    return payload if isinstance(payload, bytes) else payload.encode("utf-8", "surrogateescape")


def described(message, kept):
    """The leaves in the order in which the handlers get them."""
    leaves = []
    for part in message.walk():
        if part.get_content_maintype() == "multipart":
            continue
        payload = octets(util.fully_decoded_payload(part))
        name = part.get_filename() or "part-%03d" % len(leaves)
        leaves.append({
            "name": name,
            "file": util.clean_filename(name),
            "type": part.get_content_type(),
            "launch_index": part.get("Launch-Index"),
            "size": len(payload),
            "sha256": hashlib.sha256(payload).hexdigest(),
            "kept": id(part._headers) in kept,
        })
    return leaves


def files_below(top):
    found = {}
    for folder in SCRIPTS:
        for path in sorted((top / folder).glob("*")):
            content = path.read_bytes()
            found["%s/%s" % (folder, path.name)] = {
                "mode": "%04o" % (path.stat().st_mode & 0o7777),
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
    return found


def answer(case, top):
    cloud, run = top / "cloud", top / "run"
    instance = cloud / "instances" / INSTANCE_ID
    instance.mkdir(parents=True)
    run.mkdir()
    (cloud / "instance").symlink_to(instance)
    settings = {"cloud_dir": str(cloud), "run_dir": str(run), "templates_dir": "/etc/cloud/templates"}
    metadata = case.get("metadata") or {}
    # As DataSource.get_hostname makes it.
    name = metadata.get("local-hostname")
    known = {
        "v1": {
            "cloud_name": "aws", "cloud_id": "aws", "platform": "ec2", "instance_id": INSTANCE_ID,
            "local_hostname": name and name.split(".")[0], "region": "eu-west-1",
            "availability_zone": "eu-west-1a", "availability-zone": "eu-west-1a",
        },
        "ds": {"meta_data": metadata},
    }
    (run / "instance-data-sensitive.json").write_text(json.dumps(known))

    for name in [name for name in sys.modules if name.startswith("part-handler")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    warnings = Warnings()
    logging.getLogger().handlers = [warnings]
    hooks = []
    boot_hook.subp.subp = lambda command, **_: hooks.append(os.path.basename(command[0]))

    init = stages.Init()
    init._cfg = {"system_info": {"distro": "debian", "paths": settings}}
    raw = util.maybe_b64decode(base64.b64decode(case["data"]))
    init.datasource = Source(helpers.Paths(settings), raw, case.get("launch_index"))
    init.datasource.paths.datasource = init.datasource
    init._paths = helpers.Paths(settings, init.datasource)
    init.datasource.ud_proc.paths = init._paths

    said = {"name": case["name"], "fatal": None, "parts": [], "config": None, "ignored": []}
    try:
        message = init.datasource.get_userdata()
        filtered = init.datasource.get_userdata(apply_filter=True)
        kept = {id(part._headers) for part in filtered.walk()}
        said["parts"] = described(message, kept)
        init._consume_userdata(PER_INSTANCE)
    except Exception as error:
        said["fatal"] = "%s: %s" % (type(error).__name__, str(error)[:160])
    merged = instance / "cloud-config.txt"
    if merged.is_file():
        mark = "# Cloud-config part ignored SCHEMA_ERROR: "
        lines = merged.read_text(errors="replace").splitlines()
        said["ignored"] = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
        try:
            said["config"] = plain(util.read_conf(str(merged)))
        except Exception as error:
            said["fatal"] = "reading cloud-config.txt: %s" % type(error).__name__
    said["files"] = files_below(cloud)
    said["hooks"] = hooks
    said["warnings"] = warnings.kinds
    return said


def main():
    # Failed fetches are tried again after a pause, of which nothing is learnt here.
    url_clock.sleep = lambda _: None
    print(json.dumps({"cloud_init": version.version_string(), "python": sys.version.split()[0]}))
    for line in sys.stdin:
        case = json.loads(line)
        with tempfile.TemporaryDirectory() as top:
            print(json.dumps(answer(case, pathlib.Path(top)), default=str), flush=True)


if __name__ == "__main__":
    main()
