"""Compares what firstlight makes of user data with what cloud-init makes of it.

usage: compare.py --firstlight PROGRAM --tree DIR [--seed N] [--random N] [--only TEXT] [--show]

Runs driver.py inside the tree, as root. Prints each difference that the file known-differences
does not name, and a line `N passed, M failed`; exits with 1 if there is one, or if an entry of
that file names none any more.
"""

import argparse
import base64
import concurrent.futures
import fnmatch
import hashlib
import http.server
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

import configs
import formats
import generated

HERE = pathlib.Path(__file__).resolve().parent
SEED, RANDOM = 1, 200
OTHER_INDEX = "for another launch index"
INSTANCE_ID = "i-0123456789abcdef0"
STATE = "var/lib/firstlight/instances/" + INSTANCE_ID
# Where cloud-init writes what is run, and where firstlight does.
WRITTEN = {
    "instance/scripts": STATE + "/scripts", "instance/boothooks": STATE + "/boothooks",
    "scripts/per-boot": "var/lib/cloud/scripts/per-boot", "scripts/per-once": "var/lib/cloud/scripts/per-once",
    "scripts/per-instance": "var/lib/cloud/scripts/per-instance",
}


class Served(http.server.BaseHTTPRequestHandler):
    """What #include fetches."""

    def do_GET(self):
        name = self.path.removeprefix("/")
        found = configs.SERVED.get(name)
        self.send_response(302 if name == "moved" else 404 if found is None else 200)
        if name == "moved":
            self.send_header("Location", "/config")
        content = (found or b"").replace(b"@", self.server.address)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Served)
    server.address = b"http://127.0.0.1:%d" % server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def inputs(options, address):
    for case in [*formats.cases(), *configs.cases(), *generated.cases(options.seed, options.random)]:
        if options.only in case["name"]:
            if case.get("fetches"):
                case["data"] = case["data"].replace(b"@", address)
            yield case


def ask_cloud_init(tree, cases):
    lines = "".join(json.dumps({**case, "data": base64.b64encode(case["data"]).decode()}) + "\n" for case in cases)
    environment = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]
    command = ["chroot", tree, *environment, "python3", "-c", (HERE / "driver.py").read_text()]
    run = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    print("cloud-init %(cloud_init)s with Python %(python)s" % answers[0])
    if len(answers) != len(cases) + 1:
        sys.exit("the driver answered %d of %d" % (len(answers) - 1, len(cases)))
    return answers[1:]


def ask_firstlight(program, case, folder):
    """Its table of parts, its configuration, and what it writes to be run."""
    seed, root = folder / "seed", folder / "root"
    seed.mkdir(parents=True)
    (root / "etc").mkdir(parents=True)
    zone = {"placement": {"region": "eu-west-1", "availability-zone": "eu-west-1a"}}
    metadata = {**zone, **(case.get("metadata") or {}), "instance-id": INSTANCE_ID}
    metadata.pop("ami-launch-index", None)
    if case.get("launch_index") is not None:
        metadata["ami-launch-index"] = case["launch_index"]
    (seed / "meta-data").write_text(json.dumps(metadata))
    (seed / "user-data").write_bytes(case["data"])
    json_of_seed, answer = ["--format", "json", "--seed", seed, "--root", root], {}
    for what in [["userdata", "parts"], ["userdata", "config"], ["apply"]]:
        run = subprocess.run([program, *what, *json_of_seed], capture_output=True, check=False)
        if run.returncode not in (0, 1) or (run.returncode and what[0] == "userdata"):
            return {"crash": "exit %d: %s" % (run.returncode, run.stderr.decode(errors="replace")[-300:])}
        if what[0] == "userdata":
            answer[what[1]] = json.loads(run.stdout)
    answer["files"] = {}
    for theirs, ours in WRITTEN.items():
        for path in (root / ours).glob("*"):
            if path.name != "runcmd":
                answer["files"]["%s/%s" % (theirs, path.name)] = digest(path.read_bytes())
    shutil.rmtree(folder)
    return answer


def digest(content):
    return "%d %s" % (len(content), hashlib.sha256(content).hexdigest()[:12])


def same(theirs, ours):
    """Whether a value is the same, as far as JSON can hold it."""
    if isinstance(theirs, dict) and len(theirs) == 1 and next(iter(theirs)).startswith("!"):
        (kind, text), = theirs.items()
        if kind == "!bytes":
            return ours == text
        if kind == "!time":
            return isinstance(ours, str) and ours[:4] == text[:4]
        return ours is None
    if isinstance(theirs, dict):
        return isinstance(ours, dict) and theirs.keys() == ours.keys() and all(same(v, ours[k]) for k, v in theirs.items())
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(theirs) == len(ours) and all(map(same, theirs, ours))
    if isinstance(theirs, int) and abs(theirs) >= 2 ** 63 and isinstance(ours, str):
        return ours == str(theirs)
    return type(theirs) is type(ours) and theirs == ours


def number(text):
    """A launch index; None when it is one of no instance, which the parts that are kept tell apart."""
    try:
        found = int(text or "")
    except ValueError:
        return None
    return found if 0 <= found < 2 ** 32 and text.isascii() else None


def type_of(part):
    """The type. What is no message has one of its own in cloud-init; launch parameters have none."""
    is_plain = part.get("format") == "parameters" or part["type"] == "text/x-not-multipart"
    return "text/plain" if is_plain else part["type"]


def differences(theirs, ours):
    """Pairs of a field and both answers."""
    if "crash" in ours:
        yield "crash", theirs["fatal"], ours["crash"]
        return
    used = [part for part in ours["parts"] if part["decision"] == "used"]
    if theirs["fatal"]:
        if used or ours["config"]:
            yield "fatal", theirs["fatal"], "%d parts are used" % len(used)
        return
    for field, of_theirs, of_ours in [
        ("names", lambda part: part["file"], lambda part: part["name"]),
        ("types", type_of, type_of),
        ("bytes", lambda part: (part["size"], part["sha256"][:12]), lambda part: (part["size"], part["sha256"][:12])),
        ("indexes", lambda part: number(part["launch_index"]), lambda part: part["launch_index"]),
        ("kept", lambda part: part["kept"], lambda part: part["decision"] != OTHER_INDEX),
    ]:
        a, b = list(map(of_theirs, theirs["parts"])), list(map(of_ours, ours["parts"]))
        if a != b:
            yield field, a, b
    written = {path: "%(size)d %(sha256).12s" % file for path, file in theirs["files"].items()}
    if written != ours["files"]:
        yield "files", written, ours["files"]
    # Both know by now for whom a part is; nobody reads the key again.
    (theirs["config"] or {}).pop("launch-index", None)
    if not same(theirs["config"] or {}, ours["config"]):
        yield "config", theirs["config"], ours["config"]


def known_differences():
    """Entries `FIELD PATTERN`, each below a comment that gives the reason."""
    entries, reason = [], None
    for line in (HERE / "known-differences").read_text().splitlines():
        if line.startswith("#"):
            reason = line.lstrip("# ")
        elif line.strip():
            field, pattern = line.split(None, 1)
            entries.append((field, pattern.strip(), reason))
    return entries


def is_known(entry, field, name):
    return fnmatch.fnmatchcase(field, entry[0]) and fnmatch.fnmatchcase(name, entry[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--firstlight", required=True)
    parser.add_argument("--tree", required=True)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--random", type=int, default=RANDOM)
    parser.add_argument("--only", default="")
    parser.add_argument("--show", action="store_true", help="print the inputs and all that both said")
    options = parser.parse_args()
    usual = (options.seed, options.random, options.only) == (SEED, RANDOM, "")

    server = serve()
    cases = list(inputs(options, server.address))
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        program = os.path.abspath(options.firstlight)
        folders = [pathlib.Path(folder, str(number)) for number in range(len(cases))]
        waiting = pool.map(ask_firstlight, itertools.repeat(program), cases, folders)
        theirs_of_all = ask_cloud_init(options.tree, cases)
        ours_of_all = list(waiting)

    entries = known_differences()
    unused = set(entries)
    passed = failed = known = 0
    for case, theirs, ours in zip(cases, theirs_of_all, ours_of_all):
        bad = False
        for field, of_theirs, of_ours in differences(theirs, ours):
            reasons = [entry for entry in entries if is_known(entry, field, case["name"])]
            unused -= set(reasons)
            if reasons:
                known += 1
                continue
            bad = True
            print("DIFFERENT %s in `%s`\n  cloud-init: %s\n  firstlight: %s" % (
                field, case["name"], json.dumps(of_theirs)[:500], json.dumps(of_ours)[:500]))
        if options.show:
            print(case["data"].decode(errors="backslashreplace"), json.dumps(theirs, indent=1), json.dumps(ours, indent=1), sep="\n")
        failed += bad
        passed += not bad
    if usual:
        for field, pattern, reason in sorted(unused):
            failed += 1
            print("NO LONGER DIFFERENT: %s %s (%s)" % (field, pattern, reason))
    print("%d inputs, %d known differences" % (len(cases), known))
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
