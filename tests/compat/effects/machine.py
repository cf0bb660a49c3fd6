"""One machine of the comparison: boots a copy of the tree, and says what that left behind.

Standard input: a JSON object with `side` (cloud-init or firstlight), `lower` (directories, the
highest first), `work` (an empty directory), `firstlight`, `imds`, and of the document `prepare`,
`boots` and `taken_over`: whether the first boot is cloud-init's on both sides. Standard output: a JSON object. Runs in namespaces of its own for mounts, network, host
name and processes (unshare), of which it is the first process: nothing of the machine that the
tests run on is changed, and nothing goes on when it ends.
"""

import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import uuid

import snapshot

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
ADDRESS = "169.254.169.254"
# What systemd calls a machine that says nothing about its name.
NO_NAME = "localhost"
DEVICES = ["full", "null", "random", "tty", "urandom", "zero"]
DMI = {
    "product_uuid": "ec2e1916-9099-7caf-fd21-012345abcdef",
    "product_serial": "ec2e1916-9099-7caf-fd21-012345abcdef",
    "product_name": "t3.micro", "sys_vendor": "Amazon EC2", "chassis_vendor": "Amazon EC2",
}
HERE = pathlib.Path(__file__).resolve().parent
# The stages, as the units of both start them.
STAGES = {
    "cloud-init": [["python3", "-c", (HERE / "stages.py").read_text()]],
    "firstlight": [["firstlight", "boot", "--stage", stage] for stage in ["identity", "config", "final"]],
}
STAGE_LIMIT, LEFT_OVER_LIMIT = 120, 20
CONSOLE_SIZE = 1 << 20


class Machine:
    def __init__(self, task):
        self.task = task
        self.work = pathlib.Path(task["work"])
        self.root = self.work / "root"
        self.log = []

    def mount(self, *arguments):
        subprocess.run(["mount", *map(str, arguments)], check=True)

    def assemble(self):
        """The overlay, with what a kernel and udev would have made in it."""
        self.mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", self.work)
        for name in ["root", "upper", "overlay"]:
            (self.work / name).mkdir()
        lower = ":".join(self.task["lower"])
        options = "lowerdir=%s,upperdir=%s/upper,workdir=%s/overlay" % (lower, self.work, self.work)
        self.mount("-t", "overlay", "-o", options + ",redirect_dir=off,metacopy=off,index=off", "overlay", self.root)
        self.mount("-t", "proc", "proc", self.root / "proc")
        self.mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", self.root / "dev")
        self.mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", self.root / "sys")
        for name in DEVICES:
            (self.root / "dev" / name).touch()
            self.mount("--bind", "/dev/" + name, self.root / "dev" / name)
        # A line that somebody listens to; what is written stays in it until it is asked for.
        os.mkfifo(self.root / "dev/console", 0o600)
        self.console = os.open(self.root / "dev/console", os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self.console, fcntl.F_SETPIPE_SZ, CONSOLE_SIZE)
        (self.root / "dev/fd").symlink_to("/proc/self/fd")
        dmi = self.root / "sys/class/dmi/id"
        dmi.mkdir(parents=True)
        (self.root / "sys/class/net").mkdir()
        for name, text in DMI.items():
            (dmi / name).write_text(text + "\n")
        self.mount("--bind", self.task["firstlight"], self.root / "usr/bin/firstlight")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "address", "add", ADDRESS + "/32", "dev", "lo"], check=True)

    def run(self, argv, limit=STAGE_LIMIT):
        """A program in the root, as systemd starts it. Its output is only kept to be shown."""
        environment = ["env", "-i", "PATH=" + PATH, "LANG=C.UTF-8"]
        said = self.work / "said"
        with said.open("wb") as output:
            try:
                status = subprocess.run(
                    ["chroot", self.root, *environment, *argv], stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT, cwd="/", timeout=limit, check=False).returncode
            except subprocess.TimeoutExpired:
                status = "over %d s" % limit
        text = said.read_text(errors="replace")
        self.log.append("$ %s\n%s[exit %s]" % (" ".join(argv)[:200], text[-6000:], status))
        return status

    def start(self, boot):
        """What is there before anybody's stage: an empty /run, a kernel's name and boot id, a metadata service."""
        self.mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", self.root / "run")
        # systemd runs, unless the document says that it is OpenRC (sd_booted(3)).
        for name in ["lock", "cloud-init", *([] if self.task.get("openrc") else ["systemd/system"])]:
            (self.root / "run" / name).mkdir(parents=True)
        # As ds-identify, which looks at the firmware before a boot's first stage, writes it.
        (self.root / "run/cloud-init/cloud.cfg").write_text("datasource_list: [ Ec2, None ]\n")
        boot_id = self.root / "run/boot_id"
        boot_id.write_text(str(uuid.uuid4()) + "\n")
        self.mount("--bind", boot_id, self.root / "proc/sys/kernel/random/boot_id")
        name = self.root / "etc/hostname"
        socket.sethostname(name.read_text().strip() if name.exists() else NO_NAME)
        tree = self.work / "tree.json"
        tree.write_text(json.dumps(boot["tree"]))
        command = [self.task["imds"], "--listen", ADDRESS + ":80", "--tree", tree]
        service = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        while True:
            try:
                socket.create_connection((ADDRESS, 80), 1).close()
                return service
            except ConnectionRefusedError:
                if service.poll() is not None:
                    raise
                time.sleep(0.01)

    def boot(self, boot, side):
        service = self.start(boot)
        for command in STAGES[side]:
            self.run(command)
        service.terminate()
        service.wait()
        finished = self.wait_for_the_rest()
        calls = self.root / "run/calls"
        result = {
            "finished": finished,
            "calls": calls.read_text().splitlines() if calls.exists() else [],
            "console": self.said_on_console(),
            "host_name": socket.gethostname(),
            **self.status(side),
        }
        subprocess.run(["umount", "--lazy", self.root / "run"], check=True)
        return result

    def said_on_console(self):
        try:
            return os.read(self.console, CONSOLE_SIZE).decode(errors="replace")
        except BlockingIOError:
            return ""

    def wait_for_the_rest(self):
        """Waits for those who outlive the stages, such as what shuts the machine down in the end."""
        end = time.monotonic() + LEFT_OVER_LIMIT
        while time.monotonic() < end:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.02)
            except ChildProcessError:
                return True
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) > 1:
                os.kill(int(name), signal.SIGKILL)
        return False

    def status(self, side):
        """How it went: done, degraded (a warning) or error, and why."""
        if side == "firstlight":
            return self.status_of_firstlight()
        state = json.loads((self.root / "var/lib/cloud/data/status.json").read_text())["v1"]
        errors, warnings = [], []
        for stage in state.values():
            if isinstance(stage, dict):
                errors += stage.get("errors", [])
                # A deprecated key works, and firstlight says so in its report without a fuss.
                found = stage.get("recoverable_errors", {}).items()
                warnings += [text for level, texts in found if level != "DEPRECATED" for text in texts]
        word = "error" if errors else "degraded" if warnings else "done"
        return {"status": word, "why": errors + warnings}

    def status_of_firstlight(self):
        command = ["chroot", self.root, "firstlight", "status", "--format", "json"]
        run = subprocess.run(command, capture_output=True, check=False, cwd="/")
        if not run.stdout:
            return {"status": "error", "why": [run.stderr.decode(errors="replace")]}
        said = json.loads(run.stdout)
        report = said["report"] or {}
        modules = [module for stage in report.get("stages", []) for module in stage["modules"]]
        problems = [*report.get("problems", []), *(problem for module in modules for problem in module["problems"])]
        why = [problem["message"] for problem in problems if problem["severity"] != "notice"]
        why += [step["error"]["message"] for module in modules for step in module["steps"] if "error" in step]
        return {"status": said["status"], "why": why}

    def prepare(self, script):
        if script and self.run(["sh", "-euc", script]) != 0:
            raise RuntimeError("the document's preparation fails: " + self.log[-1])


def main():
    task = json.load(sys.stdin)
    machine = Machine(task)
    machine.assemble()
    machine.prepare(task.get("prepare"))
    boots = []
    for boot in task["boots"]:
        machine.prepare(boot.get("before"))
        is_taken_over = task.get("taken_over") and not boots
        boots.append(machine.boot(boot, "cloud-init" if is_taken_over else task["side"]))
    files = snapshot.changes(machine.work / "upper", [pathlib.Path(path) for path in task["lower"]])
    json.dump({"boots": boots, "files": files, "log": machine.log}, sys.stdout)


main()
