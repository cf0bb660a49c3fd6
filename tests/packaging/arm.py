"""The packages for 64-bit Arm, built on another machine: nothing in the program assumes its builder's."""

import re
import tempfile
import unittest
from pathlib import Path

from packages import PACKAGES, package, run
from program import LIBRARIES, newer_symbols

ARM = PACKAGES / "arm"


@unittest.skipUnless(ARM.is_dir(), "Rust's target aarch64-unknown-linux-gnu or Debian's gcc for it is not installed")
class Arm(unittest.TestCase):
    def test_they_say_whose_they_are(self):
        deb, rpm = package("firstlight_*.deb", ARM), package("firstlight-[0-9]*.rpm", ARM)
        self.assertTrue(deb.name.endswith("_arm64.deb") and rpm.name.endswith(".aarch64.rpm"), (deb, rpm))
        self.assertEqual(run("dpkg-deb", "--field", deb, "Architecture"), "arm64\n")
        self.assertEqual(run("rpm", "-qp", "--qf", "%{ARCH}", rpm), "aarch64")

    def test_the_program_is_arms_and_asks_for_nothing_newer_either(self):
        with tempfile.TemporaryDirectory() as folder:
            run("dpkg-deb", "--extract", package("firstlight_*.deb", ARM), folder)
            program = Path(folder, "usr/bin/firstlight")
            self.assertIn("AArch64", run("readelf", "--file-header", program))
            self.assertEqual(newer_symbols(program), [])
            needed = re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "--dynamic", program))
            self.assertEqual([name for name in needed if not LIBRARIES.match(name)], [])

    def test_what_has_no_program_is_the_same_for_all(self):
        for pattern in ("firstlight-cloud-init-compat_*.deb", "firstlight-cloud-init-compat-*.rpm"):
            ours, theirs = package(pattern), package(pattern, ARM)
            self.assertTrue(ours.read_bytes() == theirs.read_bytes(), ours.name)
