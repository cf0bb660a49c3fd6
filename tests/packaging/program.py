"""The shipped program runs on every distribution whose images it is made for."""

import re
import tempfile
import unittest
from pathlib import Path

from packages import debs, run

# Amazon Linux 2023 and Red Hat 9 have this one; what is asked of newer ones does not start there.
OLDEST_GLIBC = (2, 34)
# Of glibc and gcc; the loader's name is the architecture's.
LIBRARIES = re.compile(r"(libc\.so\.6|libm\.so\.6|libgcc_s\.so\.1|ld-linux.*\.so\.\d)$")


def newer_symbols(program: Path) -> list[str]:
    """Those that it takes from a glibc newer than the oldest."""
    # readelf reads the programs of all machines, objdump those of its own.
    table = run("readelf", "--wide", "--dyn-syms", program)
    symbols = re.findall(r"(\S+)@GLIBC_(\d+)\.(\d+)", table)
    if len(symbols) < 50:
        raise AssertionError(f"{program} is not linked with glibc, or its symbols cannot be read")
    return [name for name, major, minor in symbols if (int(major), int(minor)) > OLDEST_GLIBC]


class Program(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        run("dpkg-deb", "--extract", debs()[0], folder.name)
        cls.program = Path(folder.name, "usr/bin/firstlight")

    def test_it_asks_nothing_of_a_newer_glibc(self):
        self.assertEqual(newer_symbols(self.program), [])

    def test_it_needs_no_library_but_those_of_every_system(self):
        needed = re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "--dynamic", self.program))
        self.assertIn("libc.so.6", needed)
        self.assertEqual([name for name in needed if not LIBRARIES.match(name)], [])

    def test_it_carries_no_symbols_and_no_paths_of_its_builder(self):
        self.assertNotIn(".symtab", run("readelf", "--sections", "--wide", self.program))
        self.assertFalse(b"/.cargo/" in self.program.read_bytes())
