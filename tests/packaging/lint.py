"""What the distributions' own checkers say, and how large the packages are."""

import unittest

from packages import PACKAGES, REPOSITORY, debs, rpms, run

MIB = 1024 * 1024


class Lint(unittest.TestCase):
    def test_lintian_finds_no_error_and_no_warning(self):
        said = run("lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", *debs(), code=None)
        found = [line for line in said.splitlines() if line.startswith(("E:", "W:"))]
        self.assertEqual(found, [])

    def test_rpmlint_finds_no_error_and_no_warning(self):
        said = run("rpmlint", "--config", REPOSITORY / "packaging/rpm/rpmlint.toml", *rpms(), code=None)
        self.assertRegex(said, r"2 packages .* 0 errors, 0 warnings", said)

    def test_the_maintainers_scripts_are_clean(self):
        scripts = {f"{deb.name} {name}": run("dpkg-deb", "--info", deb, name) for deb in debs() for name in ("postinst", "postrm")}
        for rpm in rpms():
            for tag in ("POSTIN", "PREUN"):
                scripts[f"{rpm.name} {tag}"] = "#!/bin/sh\n" + run("rpm", "-qp", "--qf", f"%{{{tag}}}", rpm)
        for name, script in scripts.items():
            with self.subTest(name):
                self.assertNotIn("@", script)
                # A list of units may have one unit.
                self.assertEqual(run("shellcheck", "--exclude=SC2043", "-", input=script), "")


class Packages(unittest.TestCase):
    def test_two_builds_of_one_program_are_the_same_byte_for_byte(self):
        for built in (*debs(), *rpms()):
            again = PACKAGES / "again" / built.name
            self.assertTrue(built.read_bytes() == again.read_bytes(), built.name)

    def test_they_are_small(self):
        deb = debs()[0]
        installed = int(run("dpkg-deb", "--field", deb, "Installed-Size")) * 1024
        print(f"\nfigure: {deb.name} has {deb.stat().st_size / MIB:.2f} MiB, {installed / MIB:.2f} MiB installed")
        self.assertLess(deb.stat().st_size, 3 * MIB)
        self.assertLess(installed, 7 * MIB)
