"""Rules of the house that no compiler keeps. Prints each breach and exits 1 if there is one."""

import graphlib
import pathlib
import re
import subprocess
import sys
import tomllib

MAX_LINES = 500
SOURCES = {".rs", ".py", ".sh", ".service", ".toml", ".yaml", ".yml", ".md", ""}

# Which of our crates each may use. The root package is the face: it may use all.
WALLS = {
    "src/contract": set(),
    "src/engine": {"contract"},
    "src/net": {"contract"},
    "src/system": {"contract", "net"},
    "src/datasources": {"contract", "net"},
    "modules": {"contract"},
}
OURS = {"contract", "engine", "net", "system", "datasources", "modules", "firstlight"}

# Where the crates' sources are, and what stands between `use` and `;`.
CRATES = [*WALLS, "src/agent"]
USE = re.compile(r"^\s*(?:pub(?:\([^)]*\))?\s+)?use\s+((?:crate|super|self)::[^;]*);", re.MULTILINE)

# Left over from work that is not done, or from the machine that it was done on.
LEFTOVERS = re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X)\b|/wor[k]/|/tm[p]/te[a]m|serde_yaml\s*=|#\[ignor[e]")
# A page that is named must be there to read.
PAGES = re.compile(r"(?<![\w/.-])[A-Z][A-Z0-9_]+\.md\b")


def main() -> None:
    breaches = []
    for path in tracked():
        if path.suffix in SOURCES and path.is_file():
            breaches += check_file(path)
    for folder, allowed in WALLS.items():
        breaches += check_wall(pathlib.Path(folder), allowed)
    for folder in CRATES:
        breaches += check_circles(pathlib.Path(folder))
    for breach in breaches:
        print(breach)
    sys.exit(1 if breaches else 0)


def tracked() -> list[pathlib.Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [pathlib.Path(name) for name in names.split("\0") if name]


def check_file(path: pathlib.Path) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        return []
    breaches = []
    is_code = path.suffix in {".rs", ".py", ".sh"} or (path.suffix == "" and lines[:1] and lines[0].startswith("#!"))
    if is_code and len(lines) > MAX_LINES:
        breaches.append(f"{path}: {len(lines)} lines, more than {MAX_LINES}")
    for number, line in enumerate(lines, 1):
        if found := LEFTOVERS.search(line):
            breaches.append(f"{path}:{number}: left over: {found.group()}")
        for page in PAGES.findall(line):
            if not pathlib.Path(page).exists() and not (path.parent / page).exists():
                breaches.append(f"{path}:{number}: {page} is not in the repository")
    return breaches


def check_wall(folder: pathlib.Path, allowed: set[str]) -> list[str]:
    manifest = tomllib.loads((folder / "Cargo.toml").read_text())
    used = set(manifest.get("dependencies", {})) | set(manifest.get("build-dependencies", {}))
    for target in manifest.get("target", {}).values():
        used |= set(target.get("dependencies", {}))
    breaches = [f"{folder}: depends on {name}" for name in sorted((used & OURS) - allowed)]
    # Modules are pure: nothing but the contract and what derives their sections.
    if folder.name == "modules" and (extra := used - {"contract", "serde"}):
        breaches.append(f"{folder}: depends on {', '.join(sorted(extra))}")
    return breaches


def check_circles(crate: pathlib.Path) -> list[str]:
    """Files that import each other, by way of others too. A module and what is in it count as one house."""
    files = {}
    for path in tracked():
        if path.suffix == ".rs" and path.is_relative_to(crate):
            names = path.relative_to(crate).with_suffix("").parts
            files[names[:-1] if names[-1] in {"mod", "lib", "main"} else names] = path
    imports = {}
    for module, path in files.items():
        code = path.read_text().split("#[cfg(test)]\nmod ")[0]
        found = {target(module, name, files) for use in USE.findall(code) for name in names_of(use)}
        imports[module] = {
            other for other in found if module[: len(other)] != other and other[: len(module)] != module}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return ["these import each other: " + ", ".join(str(files[module]) for module in error.args[1])]
    return []


def names_of(use: str) -> list[str]:
    """The paths in a `use`: `a::{b, c::{d, e}}` is `a::b`, `a::c::d` and `a::c::e`."""
    use = "".join(use.split())
    head, brace, inner = use.partition("{")
    if not brace:
        return [use]
    depth, start, parts = 0, 0, []
    inner = inner.removesuffix("}")
    for index, character in enumerate(inner + ","):
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            parts.append(inner[start:index])
            start = index + 1
    return [name for part in parts if part for name in names_of(head + part)]


def target(module: tuple, name: str, files: dict) -> tuple:
    """The module in which a name stands."""
    first, *words = name.split("::")
    at = () if first == "crate" else module[:-1] if first == "super" else module
    while words and words[0] == "super":
        at, words = at[:-1], words[1:]
    while words and (*at, words[0]) in files:
        at, words = (*at, words[0]), words[1:]
    return at


main()
