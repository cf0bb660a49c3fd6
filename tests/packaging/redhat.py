"""The .rpm packages: what is in them, what their scripts do, and what they are in conflict with."""

import pathlib
import re
import subprocess
import tempfile
import unittest

from packages import install_recorder, rpms, run

UNITS = "/usr/lib/systemd/system/"
STARTS = re.compile(r"(?<!no-)\b(start|stop|restart|try-restart|condrestart|reload|isolate)\b|--now")


def files(package: pathlib.Path, *options: str) -> set[str]:
    return set(run("rpm", "-qpl", *options, package).splitlines())


class Contents(unittest.TestCase):
    def test_firstlight_has_the_program_its_units_and_its_pages(self):
        listed = files(rpms()[0])
        for path in (
            "/usr/bin/firstlight",
            UNITS + "firstlight.service",
            UNITS + "firstlight-final.service",
            UNITS + "sshd-keygen@.service.d/50-firstlight.conf",
            "/usr/lib/systemd/system-preset/80-firstlight.preset",
            "/usr/lib/tmpfiles.d/firstlight.conf",
            "/etc/firstlight/config.yaml",
            "/etc/firstlight/config.d",
            "/usr/share/man/man1/firstlight.1.gz",
            "/usr/share/man/man5/firstlight.yaml.5.gz",
            "/usr/share/bash-completion/completions/firstlight",
            "/usr/share/zsh/site-functions/_firstlight",
            "/usr/share/fish/vendor_completions.d/firstlight.fish",
            "/usr/share/licenses/firstlight/LICENSE",
            "/usr/share/licenses/firstlight/licences-of-crates",
        ):
            self.assertIn(path, listed)

    def test_what_is_debians_is_not_in_it(self):
        for package in rpms():
            self.assertEqual([path for path in files(package) if re.search("before-basic|needrestart|lintian", path)], [])

    def test_no_directory_of_the_system_is_its_own(self):
        for package in rpms():
            listed = run("rpm", "-qp", "--qf", r"[%{FILEMODES:perms} %{FILENAMES}\n]", package).splitlines()
            folders = [line.split()[1] for line in listed if line.startswith("d")]
            theirs = [path for path in folders if not re.search(r"firstlight|\.service\.d$", path)]
            self.assertEqual(theirs, [], package.name)

    def test_configuration_stays_when_it_was_edited(self):
        self.assertEqual(files(rpms()[0], "-c"), {"/etc/firstlight/config.yaml"})
        self.assertEqual(files(rpms()[1], "-c"), {"/etc/firstlight/config.d/10-cloud-init-compat.yaml"})
        flags = run("rpm", "-qp", "--qf", r"[%{FILEFLAGS:fflags} %{FILENAMES}\n]", *rpms())
        self.assertEqual(len(re.findall(r"(?m)^cn /etc/firstlight/", flags)), 2, flags)


class Scriptlets(unittest.TestCase):
    def test_none_starts_or_stops_anything(self):
        for package in rpms():
            scripts = run("rpm", "-qp", "--scripts", package)
            commands = "\n".join(line for line in scripts.splitlines() if not line.startswith("#"))
            self.assertNotRegex(commands, STARTS, package.name)
            self.assertNotIn("triggerscriptlet", scripts)

    def test_only_the_first_installation_enables_and_only_the_last_removal_disables(self):
        units = ["firstlight.service firstlight-final.service", "cloud-config.service cloud-init.target"]
        for package, units in zip(rpms(), units):
            for tag, count, asked in (
                ("POSTIN", "1", f"--no-reload preset {units}\n"),
                ("POSTIN", "2", ""),
                ("PREUN", "1", ""),
                ("PREUN", "0", f"--no-reload disable {units}\n"),
            ):
                with self.subTest(package=package.name, tag=tag, count=count), tempfile.TemporaryDirectory() as folder:
                    log = install_recorder(pathlib.Path(folder))
                    script = run("rpm", "-qp", "--qf", f"%{{{tag}}}", package)
                    run("/bin/sh", "-ec", script, "script", count, env={"PATH": f"{folder}:/usr/bin:/bin"})
                    self.assertEqual(log.read_text(), asked)

    def test_the_preset_wins_over_a_distribution_that_disables_all_others(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for package in rpms():
                unpack(package, root)
            presets = root / "usr/lib/systemd/system-preset"
            (presets / "99-default-disable.preset").write_text("disable *\n")
            units = ["firstlight.service", "firstlight-final.service", "cloud-config.service", "cloud-init.target"]
            run("systemctl", f"--root={root}", "preset", *units)
            for unit in units:
                self.assertEqual(run("systemctl", f"--root={root}", "is-enabled", unit), "enabled\n")
            # And gives way to what the image's builder says.
            image = root / "etc/systemd/system-preset"
            image.mkdir(parents=True)
            (image / "10-image.preset").write_text("disable firstlight*.service\n")
            run("systemctl", f"--root={root}", "preset", *units)
            self.assertEqual(run("systemctl", f"--root={root}", "is-enabled", units[0], code=1), "disabled\n")


class Relations(unittest.TestCase):
    def test_it_needs_the_oldest_glibc_that_the_program_runs_with(self):
        self.assertIn("libc.so.6(GLIBC_2.34)(64bit)", run("rpm", "-qp", "--requires", rpms()[0]))

    def test_cloud_init_is_provided_in_a_version_and_never_taken_away_by_an_upgrade(self):
        compat = rpms()[1]
        self.assertRegex(run("rpm", "-qp", "--provides", compat), r"(?m)^cloud-init = 25\.")
        self.assertEqual(run("rpm", "-qp", "--conflicts", compat), "cloud-init\n")
        self.assertEqual(run("rpm", "-qp", "--obsoletes", compat), "")
        version = run("rpm", "-qp", "--qf", "%{VERSION}", rpms()[0])
        self.assertIn(f"firstlight = {version}\n", run("rpm", "-qp", "--requires", compat))

    def test_rpm_refuses_it_beside_cloud_init_and_takes_it_without(self):
        with tempfile.TemporaryDirectory() as folder:
            cloud_init = stand_in(pathlib.Path(folder))
            install = ["rpm", "--root", f"{folder}/root", "--install", "--test"]
            run("rpm", "--root", f"{folder}/root", "--initdb")
            said = run(*install, cloud_init, *rpms(), code=None)
            self.assertIn("cloud-init conflicts with firstlight-cloud-init-compat", said)
            # In an empty root these are missing, and nothing else is said.
            said = run(*install, *rpms(), code=None)
            needed = set(re.findall(r"(?m)^\t(.+)", said))
            program = rpms()[0].name.removesuffix(".rpm")
            libraries = ("libc.so.6(GLIBC_2.34)(64bit)", "libgcc_s.so.1()(64bit)", "systemd")
            self.assertEqual(needed, {f"{name} is needed by {program}" for name in libraries})


def unpack(package: pathlib.Path, root: pathlib.Path) -> None:
    archive = root.parent / f"{package.name}.cpio"
    with archive.open("wb") as out:
        subprocess.run(["rpm2cpio", package], stdout=out, check=True)
    with archive.open("rb") as bytes_in:
        run("cpio", "--extract", "--make-directories", "--quiet", cwd=root, stdin=bytes_in)
    archive.unlink()


def stand_in(folder: pathlib.Path) -> pathlib.Path:
    """A package cloud-init with nothing in it."""
    (folder / "nfpm.yaml").write_text("{name: cloud-init, arch: all, version: 23.4, maintainer: Nobody <nobody@example.invalid>}")
    nfpm = pathlib.Path(__file__).resolve().parents[2] / "target/nfpm/bin/nfpm"
    run(nfpm, "package", "--config", "nfpm.yaml", "--packager", "rpm", "--target", ".", cwd=folder)
    (built,) = folder.glob("*.rpm")
    return built
