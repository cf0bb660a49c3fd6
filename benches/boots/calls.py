"""Functions of a program, where the linker put them, and whether they were called."""

from __future__ import annotations

import collections
import pathlib
import re
from dataclasses import dataclass

from vm.host import Failure, do

# The sections of src/agent/layout.ld: what a boot shall call, and what not.
OFTEN = (".text.often", ".text")
RARE = (".text.rare",)


@dataclass(frozen=True)
class Function:
    name: str
    begin: int
    size: int


def of(profile: pathlib.Path) -> set[str]:
    """What callgrind saw called. Source: the Callgrind format, as valgrind's manual has it."""
    names = re.findall(r"^c?fn=\(\d+\) (.+)$", profile.read_text(), re.MULTILINE)
    # Where a function calls itself, a count stands behind its name.
    return {re.sub(r"'\d+$", "", name) for name in names}


def report(program: pathlib.Path, called: set[str], depth: int, most: int) -> str:
    if not called:
        raise Failure("valgrind saw no boot")
    sections = _sections(program)
    often, rare = (_within(program, [sections[name] for name in names if name in sections]) for names in (OFTEN, RARE))
    groups: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    for function in often:
        groups[_group(function.name, depth)][function.name in called] += function.size
    lines = [
        f"what a boot shall call: {_sum(often)} bytes, of which it called {_sum([one for one in often if one.name in called])}",
        f"what it shall not: {_sum(rare)} bytes, of which it called:",
        *(f"  {one.name} ({one.size})" for one in rare if one.name in called),
        "not called, called, of what it shall call:",
    ]
    order = sorted(groups.items(), key=lambda group: -group[1][0])[:most]
    return "\n".join(lines + [f"{unused:9} {used:9}  {name}" for name, (unused, used) in order])


def _sum(functions: list[Function]) -> int:
    return sum(one.size for one in functions)


def _sections(program: pathlib.Path) -> dict[str, range]:
    found = re.findall(r"\] (\S+) +PROGBITS +(\S+) \S+ (\S+)", do("readelf", "--section-headers", "--wide", program))
    return {name: range(int(begin, 16), int(begin, 16) + int(size, 16)) for name, begin, size in found}


def _within(program: pathlib.Path, ranges: list[range]) -> list[Function]:
    """The functions in these places; one of several names has the first."""
    found: dict[int, Function] = {}
    for line in do("nm", "--print-size", "--defined-only", program).splitlines():
        words = line.split()
        if len(words) == 4 and words[2] in "tTwWiu":
            begin = int(words[0], 16)
            if any(begin in place for place in ranges):
                found.setdefault(begin, Function(words[3], begin, int(words[1], 16)))
    return [found[begin] for begin in sorted(found)]


def _group(name: str, depth: int) -> str:
    """The first parts of a name as rustc makes them: `_ZN7modules4disk6device17h0123456789abcdefE`."""
    parts: list[str] = []
    rest = name.removeprefix("_ZN") if name.startswith("_ZN") else ""
    while len(parts) < depth and (head := re.match(r"\d+", rest)):
        end = head.end() + int(head[0])
        parts.append(rest[head.end() : end])
        rest = rest[end:]
    return "::".join(parts) or name[:40]
