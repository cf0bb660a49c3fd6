"""Compares the commands of cloud-init with those of firstlight called by the same names.

usage: commands.py --firstlight PROGRAM --tree DIR [--show]

As root. Both boot a copy of the tree with the same seed, in namespaces of their own, and are asked the
same before and after it. Exit codes have to be equal, and what programs read. Prints each difference,
and a line `N passed, M failed`; exits with 1 if there is one.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SIDES = ["cloud-init", "firstlight"]
NAMESPACES = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
LIMIT = 120
NAMES = ["cloud-init", "cloud-id", "cloud-init-per"]
STAGES = {
    "cloud-init": ["cloud-init init --local", "cloud-init init", "cloud-init modules --mode=config",
                   "cloud-init modules --mode=final"],
    "firstlight": ["firstlight boot"],
}
FILES = {
    "etc/cloud/cloud.cfg.d/90-lab.cfg":
        "datasource_list: [NoCloud, None]\nnetwork: {config: disabled}\ngrowpart: {mode: 'off'}\n"
        "resize_rootfs: false\nssh_genkeytypes: [ed25519]\nusers: []\nsystem_info: {distro: debian}\n",
    # Neither has an sshd here; a boot that ends well is what is asked about.
    "etc/cloud/cloud.cfg":
        "cloud_init_modules: [bootcmd, write_files]\ncloud_config_modules: [runcmd]\n"
        "cloud_final_modules: [scripts_user]\n",
    # Nobody answers here.
    "usr/local/bin/systemctl": "#!/bin/sh\n[ \"$1\" != is-failed ]\n",
    "usr/local/bin/ip": "#!/bin/sh\n[ \"$1\" != --json ] || echo '[]'\n",
    "etc/cloud/clean.d/10-mark": "#!/bin/sh\ntouch /root/cleaned\n",
    "var/lib/cloud/seed/nocloud/meta-data": "instance-id: i-1\nlocal-hostname: web.example.com\n",
    "var/lib/cloud/seed/nocloud/user-data":
        "#cloud-config\nwrite_files: [{path: /root/written, content: x}]\nruncmd: [echo ran]\n",
    "root/good.yaml": "#cloud-config\nhostname: a\n",
    "root/bad.yaml": "#cloud-config\nusers: 3\nfoo: 1\n",
    "root/broken.yaml": "#cloud-config\na: [\n",
    "root/other.yaml": "hostname: a\n",
    "root/old.yaml": "#cloud-config\napt_update: true\n",
    "root/empty.yaml": "",
    "root/script.sh": "#!/bin/sh\n",
    "root/template": "## template: jinja\n#cloud-config\nhostname: {{ v1.instance_id }}\n",
}

# What is compared beside the exit code: nothing, the whole standard output, its first line, the keys of
# the mapping in JSON that it is, or the mapping but for what is of its time.
CODE, TEXT, FIRST, KEYS, MAPPING = "code", "text", "first line", "keys", "mapping"

BEFORE = [
    (TEXT, "cloud-init --version"),
    (CODE, "cloud-init"), (CODE, "cloud-init nosuch"), (CODE, "cloud-init stat"), (CODE, "cloud-init --bad"),
    (CODE, "cloud-init status --bad"), (CODE, "cloud-init status --format xml"), (CODE, "cloud-init status -f json"),
    (CODE, "cloud-init status --debug"), (CODE, "cloud-init single"), (CODE, "cloud-init single -n x --frequency no"),
    (CODE, "cloud-init modules --mode no"), (CODE, "cloud-init clean -c no"), (CODE, "cloud-init analyze"),
    (CODE, "cloud-init devel"), (CODE, "cloud-init schema -t no"), (CODE, "cloud-init query --bad"),
    (CODE, "cloud-id --bad"), (CODE, "cloud-init --help"), (CODE, "cloud-init status --help"),
    (CODE, "cloud-init-per"), (CODE, "cloud-init-per once x"), (CODE, "cloud-init-per once a/b true"),
    (CODE, "cloud-init-per weekly a true"),
    (TEXT, "cloud-init status"), (TEXT, "cloud-init status --long"), (MAPPING, "cloud-init status --format json"),
    (TEXT, "cloud-id"), (CODE, "cloud-init query v1"), (CODE, "cloud-init query"),
    (CODE, "cloud-init schema"), (CODE, "cloud-init schema -c /nosuch"), (CODE, "cloud-init single -n runcmd"),
    (CODE, "cloud-init schema -c /root/good.yaml --system"),
    *[(TEXT, "cloud-init schema -c /root/" + name) for name in [
        "good.yaml", "bad.yaml", "broken.yaml", "other.yaml", "empty.yaml", "script.sh"]],
    (CODE, "cloud-init schema -c /root/old.yaml"),
    (TEXT, "cloud-init schema -c /root/good.yaml --annotate"), (FIRST, "cloud-init schema -c /root/bad.yaml --annotate"),
]
AFTER = [
    (TEXT, "cloud-init status"), (TEXT, "cloud-init status --wait"), (FIRST, "cloud-init status --long"),
    (MAPPING, "cloud-init status --format json"), (MAPPING, "cloud-init status --form json --wait"),
    (TEXT, "cloud-id"), (TEXT, "cloud-id --long"), (CODE, "cloud-id --json"),
    (CODE, "cloud-id -i /nosuch"),
    (TEXT, "cloud-init query instance_id"), (TEXT, "cloud-init query v1.local_hostname"),
    (TEXT, "cloud-init query v1.cloud-name"), (TEXT, "cloud-init query platform"), (TEXT, "cloud-init query distro"),
    (TEXT, "cloud-init query distro_release"), (TEXT, "cloud-init query v1.public_ssh_keys"),
    (TEXT, "cloud-init query ds.meta_data.local-hostname"), (TEXT, "cloud-init query userdata"),
    (TEXT, "cloud-init query ds.meta_data.instance_id"),
    (TEXT, "cloud-init query merged_system_cfg.datasource_list"),
    (TEXT, "cloud-init query combined_cloud_config.runcmd"), (TEXT, "cloud-init query --list-keys ds"),
    (TEXT, "cloud-init query -f {{instance_id}}/{{v1.distro}}"), (TEXT, "cloud-init query -f {{nosuch}}"),
    (CODE, "cloud-init query -f {%if%}"), (CODE, "cloud-init query -f {{nosuch.more}}"),
    (CODE, "cloud-init query nosuch"), (CODE, "cloud-init query v1.nosuch"), (CODE, "cloud-init query --list-keys region"),
    (CODE, "cloud-init query --all"), (TEXT, "cloud-init schema --system"),
    (CODE, "cloud-init single --name cc_nosuch"), (CODE, "cloud-init single --name scripts-user"),
    (CODE, "cloud-init single -n cc_bootcmd --frequency always"), (CODE, "cloud-init modules --mode final"),
    (TEXT, "cloud-init devel render /root/template"), (CODE, "cloud-init devel render /root/good.yaml"),
    (TEXT, "cloud-init devel make-mime --list-types"), (CODE, "cloud-init devel make-mime -a /root/good.yaml:no"),
    (FIRST, "cloud-init analyze show"), (FIRST, "cloud-init analyze blame"), (CODE, "cloud-init analyze dump"),
    (TEXT, "cloud-init-per once a-b echo one"), (TEXT, "cloud-init-per once a-b echo one"),
    (CODE, "cloud-init-per once fails false"), (CODE, "cloud-init-per once fails false"),
    (TEXT, "cloud-init-per instance c echo two"), (TEXT, "cloud-init-per instance c echo two"),
    (TEXT, "cloud-init-per always d echo three"), (TEXT, "cloud-init-per always d echo three"),
    (CODE, "cloud-init-per once none /no/such/program"),
    (CODE, "ls /var/lib/cloud/sem/bootper.a_b.once"),
    (CODE, "cloud-init clean --logs"), (CODE, "ls /root/cleaned"), (CODE, "ls /var/lib/cloud/seed/nocloud/meta-data"),
    (CODE, "cloud-init clean --seed"), (CODE, "ls /var/lib/cloud/seed"),
]
# What differs on purpose, and why: docs/compatibility.md says the same.
DIFFERENT = {
    "single -n runcmd": "firstlight does single modules from what a boot stored, and asks nobody anew",
}


class Machine:
    """One side, below a directory of its own. Only in namespaces of its own."""

    def __init__(self, side, tree, firstlight):
        self.side = side
        work = pathlib.Path("/mnt")
        mount("-t", "tmpfs", "tmpfs", work)
        for name in ["root", "upper", "overlay"]:
            (work / name).mkdir()
        self.root = work / "root"
        layers = "lowerdir=%s,upperdir=/mnt/upper,workdir=/mnt/overlay" % tree
        mount("-t", "overlay", "-o", layers, "overlay", self.root)
        mount("-t", "proc", "proc", self.root / "proc")
        mount("-t", "tmpfs", "tmpfs", self.root / "run")
        for name in ["run/systemd/system", "run/cloud-init"]:
            (self.root / name).mkdir(parents=True)
        # As the generator of either leaves it.
        (self.root / "run/cloud-init/enabled").touch()
        for name in ["null", "urandom"]:
            (self.root / "dev" / name).touch()
            mount("--bind", "/dev/" + name, self.root / "dev" / name)
        for name, text in FILES.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755 if text.startswith("#!") else 0o644)
        if side == "firstlight":
            for name in ["firstlight", *NAMES]:
                (self.root / "usr/bin" / name).touch()
                mount("--bind", firstlight, self.root / "usr/bin" / name)

    def run(self, command):
        environment = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG=C.UTF-8"]
        run = subprocess.run(["chroot", self.root, *environment, *command.split(" ")], stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=LIMIT, check=False)
        return {"code": run.returncode, "text": run.stdout, "said": run.stderr}

    def answers(self):
        before = [self.run(command) for _, command in BEFORE]
        for command in STAGES[self.side]:
            self.run(command)
        return before + [self.run(command) for _, command in AFTER]


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


def seen(how, text):
    """What is compared of a standard output."""
    if how == CODE:
        return None
    if how == FIRST:
        return text.split("\n")[0]
    if how == TEXT:
        # What is said of a file that cannot be used is each side's own.
        return re.sub(r"detail: .*", "detail: ...", text)
    mapping = json.loads(text)
    if how == MAPPING:
        mapping["last_update"] = bool(mapping["last_update"])
        # Each side names its data source with what it knows of it.
        mapping["detail"] = mapping["detail"].split(" ")[0] if mapping["last_update"] else ""
        for stage in mapping.values():
            if isinstance(stage, dict) and "start" in stage:
                stage["start"], stage["finished"] = bool(stage["start"]), bool(stage["finished"])
    return mapping


def inside(side, options):
    json.dump(Machine(side, options.tree, options.firstlight).answers(), sys.stdout)


def asked(side, options):
    command = [*NAMESPACES, sys.executable, os.path.abspath(__file__), "--inside", side,
               "--firstlight", options.firstlight, "--tree", options.tree]
    with tempfile.TemporaryFile() as errors:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, check=False)
        errors.seek(0)
        if run.returncode != 0:
            raise SystemExit("with %s: exit %d: %s" % (side, run.returncode, errors.read().decode()[-2000:]))
    return json.loads(run.stdout)


def main():
    parser = argparse.ArgumentParser()
    for path in ["--firstlight", "--tree"]:
        parser.add_argument(path, required=True, type=os.path.abspath)
    parser.add_argument("--show", action="store_true", help="print what both said")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return inside(options.inside, options)
    with concurrent.futures.ThreadPoolExecutor(len(SIDES)) as pool:
        theirs, ours = pool.map(lambda side: asked(side, options), SIDES)
    passed = failed = 0
    unused = set(DIFFERENT)
    for (how, command), a, b in zip(BEFORE + AFTER, theirs, ours):
        try:
            same = a["code"] == b["code"] and seen(how, a["text"]) == seen(how, b["text"])
        except ValueError:
            same = False
        name = command.removeprefix("cloud-init ")
        known = name in DIFFERENT
        if not same:
            unused.discard(name)
        passed += same or known
        failed += not (same or known)
        if options.show or not (same or known):
            print("%s %s" % ("same" if same else "known" if known else "DIFFERENT", command))
            for side, answer in zip(SIDES, [a, b]):
                print("    %s: %s" % (side, json.dumps(answer)[:1500]))
    for command in unused:
        failed += 1
        print("NO LONGER DIFFERENT: %s (%s)" % (command, DIFFERENT[command]))
    print("%d passed, %d failed" % (passed, failed))
    return sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
