"""Prints the licences of the crates that are linked into the program: each text once, with the crates
that come with it. Their copyright notices have to go with every copy of the program.
"""

import json
import pathlib
import re
import subprocess
import sys

NOTICE = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


def main() -> None:
    crates = linked()
    print(f"firstlight is linked with {len(crates)} crates. Their licences:\n")
    texts: dict[str, list[str]] = {}
    for name, version, licence, folder in crates:
        print(f"  {name} {version}: {licence}")
        files = sorted(path for path in folder.iterdir() if path.is_file() and NOTICE.match(path.name))
        if not files:
            sys.exit(f"licences: {folder} has no licence")
        for path in files:
            texts.setdefault(path.read_text().strip(), []).append(f"{name} ({path.name})")
    for text, owners in texts.items():
        print("\n" + "-" * 78)
        print(*sorted(owners), sep=", ", end="\n\n")
        print(text)


def linked() -> list[tuple[str, str, str, pathlib.Path]]:
    """Name, version, licence and source of each crate that is not ours, in order."""
    metadata = json.loads(cargo("metadata", "--format-version=1", "--locked"))
    ours = set(metadata["workspace_members"])
    wanted = set(cargo("tree", "-p", "firstlight", "-e", "normal", "--prefix", "none", "-f", "{p}").splitlines())
    names = {tuple(line.split()[:2]) for line in wanted}
    return sorted(
        (package["name"], package["version"], package["license"], pathlib.Path(package["manifest_path"]).parent)
        for package in metadata["packages"]
        if package["id"] not in ours and (package["name"], f"v{package['version']}") in names
    )


def cargo(*arguments: str) -> str:
    return subprocess.run(["cargo", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


main()
