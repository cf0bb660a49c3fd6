"""Compares what cloud-init and firstlight leave behind after the same boots with the same user data.

usage: compare.py --firstlight PROGRAM --imds PROGRAM --tree DIR [--only TEXT] [--show] [--fresh]

As root. Prints each difference that the file known-differences does not name, and a line
`N passed, M failed`; exits with 1 if there is one, or if an entry of that file names none any more.
What cloud-init did is kept in target/compat, for as long as neither the document, the tree nor the
way of looking changes.
"""

import argparse
import concurrent.futures
import contextlib
import difflib
import fnmatch
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import documents
import normal

HERE = pathlib.Path(__file__).resolve().parent
KEPT = pathlib.Path("target/compat/effects")
SIDES = ["cloud-init", "firstlight"]
# What reaches beyond a root that is thrown away, or needs a network.
SHIMS = [
    "usr/bin/apt-cache", "usr/bin/apt-get", "usr/bin/growpart", "usr/bin/ip", "usr/bin/mount", "usr/bin/systemctl",
    "usr/bin/systemd-detect-virt", "usr/bin/udevadm", "usr/sbin/ip", "usr/sbin/reboot", "usr/sbin/resize2fs",
    "usr/sbin/shutdown", "usr/sbin/swapon",
]
# The image of every document: its network is there, its disk is that of the lab, and one host key is
# enough where the document is about something else.
IMAGE = "network: {config: disabled}\ngrowpart: {mode: 'off'}\nresize_rootfs: false\nssh_genkeytypes: [ed25519]\n"
NAMESPACES = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
MACHINE_LIMIT = 600


class Lab:
    """Boots machines, two layers above the tree: the tools that are stood in for, and the image."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = pathlib.Path(folder)
        self.shims = self.folder / "shims"
        for name in SHIMS:
            self.add(self.shims / name, (HERE / "shim").read_bytes(), 0o755)
        self.add(self.shims / "usr/bin/firstlight", b"", 0o755)
        looks = [(HERE / name).read_bytes() for name in ["machine.py", "stages.py", "snapshot.py", "shim"]]
        self.used = set()
        self.key = hashlib.sha256(b"\0".join(looks) + repr([options.tree, SHIMS, IMAGE]).encode()).hexdigest()

    def tidy(self):
        """Removes answers that no document asks for any more."""
        for kept in set(KEPT.glob("*.json")) - self.used:
            kept.unlink()

    @staticmethod
    def add(path, content, mode=0o644):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)

    def boot(self, document, side):
        if side == "firstlight":
            return self.machine(document, side)
        key = hashlib.sha256((self.key + json.dumps(document, sort_keys=True)).encode()).hexdigest()
        kept = KEPT / (key[:24] + ".json")
        self.used.add(kept)
        if kept.exists() and not self.options.fresh:
            return json.loads(kept.read_text())
        result = self.machine(document, side)
        KEPT.mkdir(parents=True, exist_ok=True)
        new = kept.with_suffix(".new-%d" % os.getpid())
        new.write_text(json.dumps(result))
        new.rename(kept)
        return result

    def machine(self, document, side):
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            place = pathlib.Path(place)
            image = place / "image"
            self.add(image / "etc/cloud/cloud.cfg.d/80-lab.cfg", IMAGE.encode())
            if document["image"]:
                self.add(image / "etc/cloud/cloud.cfg.d/90-image.cfg", document["image"].encode())
            (place / "work").mkdir()
            task = {
                **document, "side": side, "lower": [str(image), str(self.shims), self.options.tree],
                "work": str(place / "work"), "firstlight": self.options.firstlight, "imds": self.options.imds,
            }
            command = [*NAMESPACES, sys.executable, HERE / "machine.py"]
            run = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True,
                                 timeout=MACHINE_LIMIT, check=False)
        if run.returncode != 0:
            raise RuntimeError("with %s: exit %d: %s" % (side, run.returncode, run.stderr[-2000:]))
        return json.loads(run.stdout)


def differences(theirs, ours):
    """Triples of what differs and how it is on both sides."""
    for number, (a, b) in enumerate(zip(theirs["boots"], ours["boots"]), 1):
        mark = "" if number == 1 else " of boot %d" % number
        if a["status"] != b["status"]:
            yield "status" + mark, [a["status"], a["why"]], [b["status"], b["why"]]
        for what in ["host name", "ended", "console"]:
            if a[what] != b[what]:
                yield what + mark, a[what], b[what]
        for line in list(difflib.unified_diff(a["calls"], b["calls"], lineterm="", n=0))[2:]:
            if not line.startswith("@@"):
                missing = line.startswith("-")
                yield "calls%s: %s" % (mark, line[1:]), *(("made", "not made") if missing else ("not made", "made"))
    for path in sorted({**theirs["files"], **ours["files"]}):
        a, b = theirs["files"].get(path), ours["files"].get(path)
        if a is None or b is None:
            yield path, a, b
            continue
        for aspect in ["type", "mode", "owner", "content", "sha256"]:
            if a.get(aspect) != b.get(aspect):
                yield "%s:%s" % (path, aspect), a.get(aspect), b.get(aspect)


def shown(a, b):
    """A difference, for people."""
    if isinstance(a, str) and isinstance(b, str) and "\n" in a + b:
        lines = difflib.unified_diff(a.splitlines(), b.splitlines(), "cloud-init", "firstlight", lineterm="", n=1)
        return "\n".join("    " + line for line in list(lines)[:40])
    return "    cloud-init: %s\n    firstlight: %s" % (json.dumps(a)[:700], json.dumps(b)[:700])


def known_differences():
    """Entries `WHAT DOCUMENT`, each below a comment that gives the reason."""
    entries, reason, was_comment = [], [], False
    for line in (HERE / "known-differences").read_text().splitlines():
        if line.startswith("#"):
            reason = [*(reason if was_comment else []), line.lstrip("# ")]
        elif line.strip():
            what, document = line.split("  ", 1)
            entries.append((what.strip(), document.strip(), " ".join(reason)))
        was_comment = line.startswith("#")
    return entries


def is_known(entry, what, name):
    return fnmatch.fnmatchcase(what, entry[0]) and fnmatch.fnmatchcase(name, entry[1])


def main():
    parser = argparse.ArgumentParser()
    for program in ["--firstlight", "--imds", "--tree"]:
        parser.add_argument(program, required=True, type=os.path.abspath)
    parser.add_argument("--only", default="", help="documents with this in their name")
    parser.add_argument("--show", action="store_true", help="print all that both did")
    parser.add_argument("--fresh", action="store_true", help="boot cloud-init, though its answer is kept")
    options = parser.parse_args()

    wanted = [document for document in documents.all_documents() if options.only in document["name"]]
    entries = known_differences()
    unused = set(entries)
    passed = failed = known = 0
    with contextlib.ExitStack() as stack:
        lab = Lab(options, stack.enter_context(tempfile.TemporaryDirectory()))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(os.cpu_count()))
        pairs = [[pool.submit(lab.boot, document, side) for side in SIDES] for document in wanted]
        for document, pair in zip(wanted, pairs):
            try:
                said = [future.result() for future in pair]
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                print("FAILED `%s`: %s" % (document["name"], error))
                failed += 1
                continue
            bad = False
            for what, a, b in differences(*[normal.normal(result, document) for result in said]):
                reasons = [entry for entry in entries if is_known(entry, what, document["name"])]
                unused -= set(reasons)
                known += bool(reasons)
                if not reasons:
                    bad = True
                    print("DIFFERENT %s in `%s`\n%s" % (what, document["name"], shown(a, b)), flush=True)
            if options.show:
                for side, result in zip(SIDES, said):
                    print("=== %s\n%s" % (side, "\n".join(result.pop("log"))), json.dumps(result, indent=1), sep="\n")
            failed += bad
            passed += not bad
    if not options.only:
        lab.tidy()
        for what, name, reason in sorted(unused):
            failed += 1
            print("NO LONGER DIFFERENT: %s  %s (%s)" % (what, name, reason))
    print("%d documents, %d known differences" % (len(wanted), known))
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
