"""A boot by OpenRC, as on Alpine Linux: in a throw-away Debian that says it is one, with OpenRC in it.

The services around ours stand in for themselves: each writes down what there is when it starts.
"""

import os
import pathlib
import shutil
import subprocess
import unittest

from debian import ROOTS, Debian
from packages import PROGRAM, REPOSITORY, run

NAMESPACES = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
# Its name, where it is started, and what it says of its order.
SERVICES = [
    ("localmount", "boot", ""),
    ("networking", "boot", "depend() { need localmount; provide net; }"),
    ("sshd", "default", ""),
    ("crond", "default", ""),
]
SERVICE = """#!/sbin/openrc-run
{depend}
start() {{
    echo "$RC_SVCNAME: $(getent passwd ada >/dev/null && echo ada) $(ls /etc/ssh | grep -c '^ssh_host_.*_key$')" \\
        "keys $(cat /srv/order 2>/dev/null | tr '\\n' ' ')" >>/srv/services
}}
"""
USER_DATA = """#cloud-config
users: [{name: ada}]
bootcmd: [echo bootcmd >>/srv/order]
runcmd: [echo runcmd >>/srv/order, rc-service --quiet crond restart]
"""
# OpenRC waits a minute for the service that runs it, before whoever is left is sent SIGTERM.
SHUTDOWN = """#!/bin/sh
openrc shutdown &
until grep -q shutdown /run/openrc/softlevel; do :; done
kill -TERM $$
"""
IMAGE = "datasource_list: [NoCloud, None]\nresize_rootfs: false\ngrowpart: {mode: 'off'}\n"


@unittest.skipUnless(os.geteuid() == 0, "needs root, for a Debian root directory")
class OpenRc(Debian):
    @classmethod
    def setUpClass(cls):
        if subprocess.run([*NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/run"], capture_output=True).returncode:
            raise unittest.SkipTest("there are no namespaces here in which something can be mounted")
        tree = pathlib.Path(run(ROOTS, "make", stderr=None).splitlines()[-1])
        cls.addClassCleanup(run, ROOTS, "remove", tree)
        cls.tree = [str(tree)]
        shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "openrc"]):
            done = subprocess.run(["chroot", tree, "apt-get", "--quiet", *command], capture_output=True, text=True,
                                  env={"PATH": "/usr/sbin:/usr/bin", "DEBIAN_FRONTEND": "noninteractive"})
            if done.returncode:
                raise unittest.SkipTest("OpenRC cannot be installed here; is there a network?")

    def setUp(self):
        super().setUp()
        run("packaging/install.sh", "--root", self.root, "--binary", PROGRAM, "--openrc", cwd=REPOSITORY)
        shutil.rmtree(self.root / "run/systemd")
        # Debian's own services are of another make.
        for folder in ("etc/runlevels", "etc/init.d"):
            for path in (self.root / folder).rglob("*"):
                if not path.name.startswith("firstlight") and not path.is_dir():
                    path.unlink()
        for name, runlevel, depend in SERVICES:
            self.write(f"etc/init.d/{name}", SERVICE.format(depend=depend), 0o755)
            (self.root / "etc/runlevels" / runlevel / name).symlink_to(f"/etc/init.d/{name}")
        self.write("usr/lib/os-release", "ID=alpine\n")
        self.write("etc/firstlight/config.d/10-image.yaml", IMAGE)
        self.write("var/lib/firstlight/seed/meta-data", "instance-id: i-1\nlocal-hostname: web-1\n")
        self.write("var/lib/firstlight/seed/user-data", USER_DATA)

    def write(self, path: str, text: str, mode: int = 0o644):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def boot(self) -> tuple[list[str], str]:
        """What the services saw, and what firstlight says of itself in the end."""
        lines = "mount -t proc proc /proc; mount -t tmpfs tmpfs /run; openrc boot; openrc default; firstlight status"
        path = {"PATH": "/usr/sbin:/usr/bin"}
        said = run(*NAMESPACES, "chroot", self.root, "sh", "-c", lines, code=None, env=path, timeout=120)
        return [" ".join(line.split()) for line in (self.root / "srv/services").read_text().splitlines()], said

    def test_logins_wait_for_accounts_and_keys_and_scripts_for_all_services(self):
        for key in (self.root / "etc/ssh").glob("ssh_host_*"):
            key.unlink()
        services, said = self.boot()
        self.assertEqual(services[:2], ["localmount: 0 keys", "networking: 0 keys"], said)
        self.assertIn("sshd: ada 3 keys bootcmd", services, said)
        self.assertEqual(services[-1], "crond: ada 3 keys bootcmd runcmd", said)
        self.assertIn("status: done", said)
        self.assertEqual((self.root / "etc/hostname").read_text(), "web-1\n")

    def test_what_switches_it_off_does_so_here(self):
        self.write("etc/firstlight/disabled", "")
        services, said = self.boot()
        self.assertEqual([line.split(":")[0] for line in services[:2]], ["localmount", "networking"], said)
        self.assertFalse((self.root / "srv/order").exists())
        self.assertIn("firstlight is switched off: there is /etc/firstlight/disabled", said)
        self.assertIn("status: disabled", said)

    def test_a_script_that_shuts_the_machine_down_has_not_failed(self):
        self.write("var/lib/firstlight/seed/user-data", SHUTDOWN)
        said = self.boot()[1]
        self.assertIn("interrupted: ended by the machine's shutdown", said)
        self.assertNotIn("status: error", said)
