"""The .deb packages in a throw-away Debian: installed, upgraded, removed and purged.

systemctl(1) is written down there, and systemd seems to run: whatever a maintainer's script would
start, is seen.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from packages import PACKAGES, REPOSITORY, debs, install_recorder, run

ROOTS = os.environ.get("FIRSTLIGHT_DEBIAN_ROOT", REPOSITORY / "tests/debian-root")
WANTS = "etc/systemd/system/multi-user.target.wants/"
GATE = "etc/systemd/system/firstlight.service.d/10-before-basic.conf"
# Units are read again: by our scripts, by deb-systemd-helper, by triggers of the system. It starts nothing.
HARMLESS = {"daemon-reload", "--system daemon-reload"}
# dpkg's own books and caches.
BOOKS = re.compile(r"^(var/lib/dpkg|var/log/(dpkg\.log|alternatives\.log|apt)|var/cache|usr/local/sbin|run/systemd/system|root/packages)")


@unittest.skipUnless(os.geteuid() == 0, "needs root, for a Debian root directory")
class Debian(unittest.TestCase):
    """A fresh root for each test."""

    # The tree that the root is a copy of, if it is not the ordinary one.
    tree: list[str] = []

    def setUp(self):
        self.root = pathlib.Path(run(ROOTS, "make", *self.tree, stderr=None).splitlines()[-1])
        self.addCleanup(run, ROOTS, "remove", self.root)
        (self.root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        self.log = install_recorder(self.root / "usr/local/sbin")

    def chroot(self, *command: str, code: int | None = 0) -> str:
        path = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = {"PATH": path, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        return run("chroot", self.root, *command, code=code, env=environment)

    def install(self, *packages: pathlib.Path) -> str:
        folder = self.root / "root/packages"
        folder.mkdir(exist_ok=True)
        for package in packages:
            shutil.copy(package, folder)
        return self.chroot("dpkg", "--install", *(f"/root/packages/{package.name}" for package in packages))

    def stand_in(self, name: str, *fields: str, files: tuple[str, ...] = ()) -> pathlib.Path:
        """A package with these fields and with empty files, too new for anything to break it (chrony does old ones)."""
        with tempfile.TemporaryDirectory() as folder:
            tree = pathlib.Path(folder)
            for path in files:
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                (tree / path).touch()
            (tree / "DEBIAN").mkdir()
            lines = [f"Package: {name}", "Version: 9:1", "Architecture: all", *fields]
            lines += ["Maintainer: Nobody <nobody@example.invalid>", "Description: a stand-in", ""]
            (tree / "DEBIAN/control").write_text("\n".join(lines))
            os.chmod(tree, 0o755)
            built = PACKAGES / f"{name}_1_all.deb"
            run("dpkg-deb", "--root-owner-group", "--build", tree, built)
            self.addCleanup(built.unlink)
            return built

    def asked(self) -> set[str]:
        """What systemctl was asked for since the last time."""
        asked = set(self.log.read_text().splitlines())
        self.log.write_text("")
        return asked

    def is_enabled(self, unit: str) -> bool:
        link = self.root / WANTS / unit
        return link.is_symlink() and (self.root / "usr/lib/systemd/system" / unit).is_file()

    def everything(self) -> dict[str, str]:
        """Each path with what is there, but for dpkg's books."""
        found = {}
        for folder, folders, files in os.walk(self.root):
            for name in folders + files:
                path = pathlib.Path(folder, name)
                relative = str(path.relative_to(self.root))
                if not BOOKS.match(relative):
                    found[relative] = described(path)
        return found


def described(path: pathlib.Path) -> str:
    info = path.lstat()
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    if path.is_file():
        return f"{info.st_mode:o} {info.st_uid}:{info.st_gid} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return f"{info.st_mode:o} {info.st_uid}:{info.st_gid}"


class Installation(Debian):
    def test_it_enables_the_units_and_starts_nothing(self):
        self.install(*debs())
        self.assertTrue(self.is_enabled("firstlight.service"))
        self.assertTrue(self.is_enabled("firstlight-final.service"))
        self.assertTrue(self.is_enabled("cloud-init.target"))
        self.assertLessEqual(self.asked(), HARMLESS)
        self.assertFalse((self.root / "var/lib/firstlight").exists())
        self.assertIn("firstlight 0.", self.chroot("firstlight", "--version"))
        self.assertIn("status:", self.chroot("cloud-init", "status", code=None))

    def test_compat_waits_for_firstlight_of_its_own_version(self):
        self.install(package_of_earlier())
        said = self.chroot_install_fails(debs()[1])
        self.assertIn("depends on firstlight (=", said)

    def chroot_install_fails(self, package: pathlib.Path) -> str:
        shutil.copy(package, self.root / "root/packages")
        return self.chroot("dpkg", "--install", f"/root/packages/{package.name}", code=1)

    def test_removal_and_purge_leave_nothing(self):
        before = self.everything()
        self.install(*debs())
        # As a boot leaves it.
        for path in ("var/lib/firstlight/instances/i-1/user-data", "run/firstlight/status.json"):
            (self.root / path).parent.mkdir(parents=True)
            (self.root / path).write_text("left")
        (self.root / "var/log/firstlight-output.log").write_text("left")
        self.asked()
        names = ["firstlight-cloud-init-compat", "firstlight"]

        self.chroot("dpkg", "--remove", *names)
        for unit in ("firstlight.service", "firstlight-final.service", "cloud-init.target"):
            self.assertFalse((self.root / WANTS / unit).is_symlink(), unit)
        self.assertTrue((self.root / "etc/firstlight/config.yaml").exists())
        self.assertTrue((self.root / "var/lib/firstlight/instances/i-1/user-data").exists())
        self.assertLessEqual(self.asked(), HARMLESS)

        self.chroot("dpkg", "--purge", *names)
        after = self.everything()
        self.assertEqual({path: after[path] for path in after.keys() - before.keys()}, {})
        self.assertEqual({path for path in before if after.get(path) != before[path]} - {"etc/systemd/system"}, set())

    def test_what_was_removed_and_comes_again_is_enabled(self):
        firstlight = debs()[0]
        self.install(firstlight)
        self.chroot("dpkg", "--remove", "firstlight")
        self.install(firstlight)
        self.assertTrue(self.is_enabled("firstlight.service"))
        self.assertTrue((self.root / GATE).is_symlink())


class Gate(Debian):
    """Ordinary services wait, where the network does not."""

    MANAGER = ("lib/systemd/system/NetworkManager.service",)

    def test_ordinary_services_wait_where_networkd_or_ifupdown_is(self):
        self.install(debs()[0])
        self.assertIn("Before=basic.target", (self.root / os.readlink(self.root / GATE).lstrip("/")).read_text())

    def test_they_do_not_where_the_network_is_an_ordinary_service(self):
        self.install(self.stand_in("network-manager", files=self.MANAGER), debs()[0])
        self.assertFalse((self.root / GATE).is_symlink())

    def test_they_are_let_go_when_such_a_network_is_installed_later(self):
        self.install(debs()[0])
        self.install(self.stand_in("network-manager", files=self.MANAGER))
        self.assertFalse((self.root / GATE).is_symlink())

    def test_what_the_administrator_took_away_stays_away(self):
        self.install(package_of_earlier())
        (self.root / GATE).unlink()
        self.install(debs()[0])
        self.assertFalse((self.root / GATE).is_symlink())


class Instance(Debian):
    """A machine that an earlier version has booted."""

    def setUp(self):
        super().setUp()
        self.install(package_of_earlier())
        shutil.copytree(REPOSITORY / "examples/web-server", self.root / "root/seed", ignore=lambda *_: ["root"])
        shutil.copytree(REPOSITORY / "examples/web-server/root/usr/share/site", self.root / "usr/share/site")
        (self.root / "etc/firstlight/config.yaml").write_text("timezone: Europe/Berlin\n")
        self.chroot("firstlight", "apply", "--seed", "/root/seed")
        self.log.write_text("")

    def state(self) -> dict[str, str]:
        folders = ("var/lib/firstlight", "run/firstlight")
        return {
            str(path): f"{described(path)} {path.lstat().st_mtime_ns}"
            for folder in folders
            for path in (self.root / folder).rglob("*")
        }

    def test_an_upgrade_leaves_its_state_and_its_configuration(self):
        before = self.state()
        self.assertTrue(any("user-data" in path for path in before), before)
        ran = (self.root / "var/log/example").read_text()
        self.assertEqual(ran.count("the script ran once"), 1)

        self.install(debs()[0])
        self.assertLessEqual(self.asked(), HARMLESS)
        self.assertEqual(self.state(), before)
        self.assertEqual((self.root / "etc/firstlight/config.yaml").read_text(), "timezone: Europe/Berlin\n")

        self.assertIn("status: done", self.chroot("firstlight", "status"))
        self.assertIn("scripts_user", self.chroot("firstlight", "semaphores", "list"))
        self.chroot("firstlight", "plan", "--seed", "/root/seed")
        self.chroot("firstlight", "apply", "--seed", "/root/seed")
        self.assertEqual((self.root / "var/log/example").read_text(), ran)

    def test_a_unit_that_was_disabled_stays_so(self):
        run("systemctl", f"--root={self.root}", "disable", "firstlight.service", "firstlight-final.service")
        self.install(debs()[0])
        self.assertFalse(self.is_enabled("firstlight.service"))
        self.assertFalse(self.is_enabled("firstlight-final.service"))


class InPlaceOfCloudInit(Debian):
    """A tree in which Debian's cloud-init is installed."""

    @classmethod
    def setUpClass(cls):
        if os.geteuid() == 0:
            made = subprocess.run([REPOSITORY / "tests/compat/tree"], stdout=subprocess.PIPE, text=True)
            if made.returncode:
                raise unittest.SkipTest("a tree with cloud-init cannot be made here")
            cls.tree = [made.stdout.strip()]

    def test_it_takes_the_place_of_the_package(self):
        needs_it = self.stand_in("needs-cloud-init", "Depends: cloud-init (>= 22)")
        self.install(needs_it)
        configuration = (self.root / "etc/cloud/cloud.cfg").read_text()

        self.install(*debs())
        packages = self.chroot("dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n")
        self.assertIn("cloud-init config-files\n", packages)
        self.assertIn("needs-cloud-init installed\n", packages)
        self.assertIn("firstlight-cloud-init-compat installed\n", packages)
        self.assertEqual(self.chroot("dpkg", "--audit"), "")
        self.assertLessEqual(self.asked(), HARMLESS)
        self.assertEqual((self.root / "etc/cloud/cloud.cfg").read_text(), configuration)
        for name in ("cloud-init", "cloud-id", "cloud-init-per"):
            self.assertEqual(os.readlink(self.root / "usr/bin" / name), "firstlight")

    def test_nothing_of_cloud_init_starts_and_no_name_of_its_units_is_masked(self):
        # As a removal of Ubuntu 22.04's cloud-init leaves it.
        self.install(debs()[0])
        self.chroot("dpkg", "--remove", "--force-depends", "cloud-init")
        self.chroot("env", "DPKG_MAINTSCRIPT_PACKAGE=cloud-init", "deb-systemd-helper", "mask", "cloud-final.service")
        self.install(debs()[1])
        systemd = self.root / "etc/systemd/system"
        masked = [path for path in systemd.rglob("*") if path.is_symlink() and os.readlink(path) == "/dev/null"]
        self.assertEqual([path.name for path in masked if path.name.startswith("cloud-")], [])
        # Links that its removal leaves lead to us or nowhere.
        for link in systemd.rglob("*.wants/cloud-*"):
            unit = "/usr/lib/systemd/system/" + os.path.basename(os.readlink(link))
            if os.path.lexists(self.root / unit.lstrip("/")):
                self.assertRegex(self.chroot("dpkg", "--search", unit), "^firstlight-cloud-init-compat: ")

    def test_its_purge_spares_a_cloud_init_that_came_back(self):
        for path in ("var/lib/cloud/data/instance-id", "var/lib/cloud/scripts/per-boot/theirs"):
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text("i-1")
        self.install(*debs())
        self.chroot("dpkg", "--remove", "firstlight-cloud-init-compat")
        (self.root / "usr/bin/cloud-init").write_text("#!/bin/sh\n")
        self.chroot("dpkg", "--purge", "firstlight-cloud-init-compat")
        self.assertTrue((self.root / "var/lib/cloud/data/instance-id").exists())

        (self.root / "usr/bin/cloud-init").unlink()
        self.install(debs()[1])
        self.chroot("dpkg", "--purge", "firstlight-cloud-init-compat")
        self.assertFalse((self.root / "var/lib/cloud/data").exists())
        self.assertTrue((self.root / "var/lib/cloud/scripts/per-boot/theirs").exists())


def package_of_earlier() -> pathlib.Path:
    """firstlight of an earlier version."""
    (found,) = (PACKAGES / "earlier").glob("firstlight_*.deb")
    return found
