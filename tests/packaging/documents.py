"""Manual pages and completions: complete, and without a warning from those who read them."""

import pathlib
import re
import shutil
import tempfile
import unittest

from packages import DOCUMENTS, PROGRAM, run

PAGES = DOCUMENTS / "man"


COMMANDS = ("firstlight", "cloud-init", "cloud-id", "cloud-init-per")


def subcommands(program: pathlib.Path, *path: str) -> list[str]:
    """The command and every subcommand that --help tells of, with those below it, as pages are named."""
    names = ["-".join([program.name, *path])]
    listed = re.search(r"^Commands:\n((?:  .*\n)+)", run(program, *path, "--help"), re.MULTILINE)
    for name in re.findall(r"^  (\S+)", listed[1], re.MULTILINE) if listed else []:
        if name != "help":
            names += subcommands(program, *path, name)
    return names


class Pages(unittest.TestCase):
    def test_every_subcommand_has_a_page_and_every_page_a_subcommand(self):
        named = set()
        with tempfile.TemporaryDirectory() as folder:
            for command in COMMANDS:
                program = pathlib.Path(folder, command)
                program.symlink_to(PROGRAM)
                named.update(f"{name}.1" for name in subcommands(program))
        self.assertGreater(len(named), 25)
        self.assertEqual(named, {page.name for page in (PAGES / "man1").iterdir()})

    def test_man_has_nothing_to_say_against_a_page(self):
        for page in PAGES.glob("man?/*"):
            with self.subTest(page.name):
                said = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page, stdin=None)
                self.assertNotRegex(said, r"(?m)^(man|troff|groff|<standard input>|an\.tmac).*:")

    def test_a_page_names_pages_that_are_there(self):
        ours = {page.name for page in PAGES.glob("man?/*")}
        for page in PAGES.glob("man?/*"):
            also = page.read_text().split('SEE ALSO')[1]
            named = {f"{name}.{section}" for name, section in re.findall(r"\\fB([^\\]+)\\fR\((\d)\)", also.replace("\\-", "-"))}
            self.assertTrue(named, page.name)
            self.assertLessEqual({name for name in named if name.startswith(("firstlight", "cloud"))}, ours, page.name)

    def test_the_page_of_the_configuration_tells_of_our_own_keys_and_of_every_module(self):
        page = run("man", "-E", "UTF-8", "-l", PAGES / "man5/firstlight.yaml.5")
        for key in ("content[].source", "election.leader", "firstlight.gate_budget", "datasource_list", "runcmd"):
            self.assertRegex(page, rf"(?m)^ +{re.escape(key)} ", key)


class Completions(unittest.TestCase):
    SHELLS = {
        "bash": ("bash-completion/completions/{}", ["bash", "-n"]),
        "zsh": ("zsh/site-functions/_{}", ["zsh", "-n"]),
        "fish": ("fish/vendor_completions.d/{}.fish", ["fish", "--no-execute"]),
    }

    def test_each_shell_reads_its_completions(self):
        for shell, (path, command) in self.SHELLS.items():
            for name in ("firstlight", "cloud-init", "cloud-id"):
                with self.subTest(shell=shell, name=name):
                    if not shutil.which(command[0]):
                        self.skipTest(f"{command[0]} is not installed")
                    self.assertEqual(run(*command, DOCUMENTS / path.format(name)), "")

    def test_bash_completes_a_subcommand(self):
        script = DOCUMENTS / self.SHELLS["bash"][0].format("firstlight")
        said = run(
            "bash",
            "-c",
            f"source {script}; COMP_WORDS=(firstlight va) COMP_CWORD=1; _firstlight firstlight va firstlight; "
            'echo "${COMPREPLY[@]}"',
        )
        self.assertEqual(said.split(), ["validate"])
