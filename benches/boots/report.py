"""Figures of boots as a page with tables, and as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from xml.sax.saxutils import escape

IMAGES = ("bare", "cloud-init", "firstlight")
BOOTS = {"first": "a new instance", "later": "the same instance again"}
# Key of a figure, what it is, and its unit.
FIGURES = (
    ("sshd_ms", "time to sshd", "ms"),
    ("multi_user_ms", "time to multi-user.target", "ms"),
    ("finished_ms", "time until all is done", "ms"),
    ("units_cpu_ms", "processor time of its units, with all programs that they run", "ms"),
    ("own_cpu_ms", "of that, its own", "ms"),
    ("own_memory_kib", "its own memory at most", "KiB"),
    ("requests", "requests to the metadata service", ""),
)

# In a virtual machine an instruction is a nanosecond, of the program and of the kernel alike.
COUNTED = (
    ("units_cpu_ms", "instructions of its units, with all programs that they run", "M"),
    ("own_cpu_ms", "of those, its own", "M"),
    ("own_memory_kib", "its own memory at most", "KiB"),
    ("memory_peak_kib", "memory of the unit that takes most, with programs and cached files", "KiB"),
    ("requests", "requests to the metadata service", ""),
)

MACHINES = """\
## In a virtual machine

The same with a kernel of its own (Debian's, Linux {kernel}), firmware that says EC2, a disk with ext4 that is grown,
and counted instructions instead of time (`-icount` of qemu): processor time there is the same on every host, and
so slow a machine says nothing about waiting. Medians of {rounds} rounds.
"""

HEAD = """\
# Boots compared

The same Debian 13 image bare (with the accounts in it, and a unit that makes host keys), with Debian's
cloud-init 25.1.4 and with firstlight, booted in turn in a container with its own systemd, network,
DHCP and metadata service ([tests/vm](../tests/vm)), each on a file system of its own. The user data is a usual document
([benches/document](../benches/document)): a host name, two users with keys, ten files, runcmd.
Figures are medians of {rounds} rounds, times are from the start of systemd, on {machine}.
The bare image makes an RSA host key before sshd starts, as cloud-init does; firstlight makes it when logins
are open.
What cloud-init's own processes used has in it what systemd's executor did in them before (some 10 ms each);
of firstlight's that is left out, and what `firstlight --version` takes is in it instead, for each of its processes.
`benches/boot` makes this page anew.

![Time to sshd and until all is done](boot.svg)
"""


def of(container: dict, machine: dict | None = None) -> tuple[str, str]:
    """The page, and its picture, of the boots in containers and in virtual machines."""
    boots = container["boots"]
    rounds = max(boot["round"] for boot in boots)
    where = container["machine"]
    there = f"a machine with {where['cpus']} processors and Linux {where['kernel'].split('-')[0]}"
    parts = [HEAD.format(rounds=rounds, machine=there)]
    for boot, says in BOOTS.items():
        own = [one for one in boots if one["boot"] == boot]
        parts += [f"## {says.capitalize()}\n", _medians(own), _times(own), _differences(own), _ready(own)]
    if machine:
        parts.append(_machines(machine["boots"]))
    parts += ["## On disk\n", _disk(container["installed"])]
    return "\n".join(parts), picture(boots)


def _machines(boots: Sequence[dict]) -> str:
    """Those in virtual machines."""
    rounds = max(boot["round"] for boot in boots)
    lines = [MACHINES.format(rounds=rounds, kernel=boots[0]["kernel"].split("+")[0])]
    for boot, says in BOOTS.items():
        own = [one for one in boots if one["boot"] == boot]
        lines += [f"{says.capitalize()}:\n", _table(own, IMAGES[1:], COUNTED), _times(own)]
    return "\n".join(lines)


def _values(boots: Sequence[dict], image: str, key: str) -> list[float]:
    """A figure of an image, round by round."""
    own = sorted((boot for boot in boots if boot["image"] == image), key=lambda boot: boot["round"])
    return [boot[key] for boot in own if key in boot]


def _medians(boots: Sequence[dict]) -> str:
    return _table(boots, IMAGES, FIGURES)


def _times(boots: Sequence[dict]) -> str:
    """cloud-init's units with what they run, as firstlight runs programs where cloud-init has Python do it."""
    units, own = (median(_values(boots, *of)) for of in (("cloud-init", "units_cpu_ms"), ("firstlight", "own_cpu_ms")))
    return f"All that cloud-init's units use, with their programs, is {number(units / own)} times what firstlight uses itself.\n"


def _table(boots: Sequence[dict], images: Sequence[str], figures: Sequence[tuple[str, str, str]]) -> str:
    lines = ["| | " + " | ".join(images) + " | cloud-init / firstlight |", "|---" * (len(images) + 2) + "|"]
    for key, says, unit in figures:
        found = [median(values) if (values := _values(boots, image, key)) else 0 for image in images]
        cells = [f"{number(value)} {unit}".strip() if value else "" for value in found]
        ratio = f"{found[-2] / found[-1]:.1f}" if found[-2] and found[-1] else ""
        lines.append(f"| {says} | " + " | ".join(cells) + f" | {ratio} |")
    return "\n".join(lines) + "\n"


def _differences(boots: Sequence[dict]) -> str:
    """What each costs beyond the bare image until sshd is there, round by round."""
    lines = ["Time to sshd beyond that of the bare image of the same round:\n"]
    for image in IMAGES[1:]:
        pairs = zip(_values(boots, image, "sshd_ms"), _values(boots, "bare", "sshd_ms"))
        sorted_ = sorted(one - bare for one, bare in pairs)
        middle, (low, high) = median(sorted_), interval(sorted_)
        claim = "" if high - low <= abs(middle) else "; the interval is wider than the difference, so nothing is claimed"
        lines.append(f"- {image}: {number(middle)} ms (95 % interval {number(low)} to {number(high)} ms){claim}")
    return "\n".join(lines) + "\n"


def _ready(boots: Sequence[dict]) -> str:
    ready, programs = (_values(boots, "firstlight", key) for key in ("to_ready_ms", "in_programs_ms"))
    alone = [whole - part for whole, part in zip(ready, programs)]
    return (
        "From the later of firstlight's start and the first route to READY, when logins may begin: "
        f"{number(median(ready))} ms, of which {number(median(programs))} ms waiting for programs "
        f"(useradd, ssh-keygen ...); without them {number(median(alone))} ms "
        f"({number(min(alone))} to {number(max(alone))}).\n"
    )


def _disk(installed: dict) -> str:
    def line(kind: str, says: str) -> str:
        packages, kib = installed[f"{kind}_packages"], installed[f"{kind}_kib"]
        times = kib / installed["firstlight_kib"]
        return f"- cloud-init, {says}: {packages} packages, {kib / 1024:.1f} MiB, {times:.1f} times as much\n"

    return (
        "Beside what a server has anyway:\n\n"
        f"- firstlight: {installed['firstlight_kib'] / 1024:.1f} MiB; it needs no other package\n"
        + line("default", "as apt installs it unless told otherwise")
        + line("needed", "without what it only recommends")
    )


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Within which the median of all is with 95 %, from the order of these: nothing is assumed of
    how they are distributed. `values` are sorted."""
    n = len(values)
    outside, cut = 0.0, 0
    while (outside := outside + 2 * math.comb(n, cut) / 2**n) <= 0.05:
        cut += 1
    first = max(cut - 1, 0)
    return values[first], values[n - 1 - first]


def number(value: float) -> str:
    """Three digits are enough."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}".removesuffix(".0")


# --- the picture ----------------------------------------------------------------------------------

COLORS = {"bare": "#9aa5b1", "cloud-init": "#d9822b", "firstlight": "#2b6cb0"}
LEFT, WIDTH, BAR, GAP = 190, 480, 18, 6


def picture(boots: Sequence[dict]) -> str:
    """Bars: the strong part until sshd is there, the pale part until all is done."""
    rows = []
    for boot, says in BOOTS.items():
        own = [one for one in boots if one["boot"] == boot]
        for image in IMAGES:
            times = [median(_values(own, image, key)) for key in ("sshd_ms", "finished_ms")]
            rows.append((f"{image}, {'first' if boot == 'first' else 'later'} boot", COLORS[image], times, says))
    longest = max(times[1] for _, _, times, _ in rows)
    height = len(rows) * (BAR + GAP) + 50
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for at, (label, color, (sshd, finished), says) in enumerate(rows):
        y = 10 + at * (BAR + GAP) + (14 if at >= len(IMAGES) else 0)
        long, short = (WIDTH * value / longest for value in (finished, sshd))
        lines += [
            f"<g><title>{escape(label)} ({escape(says)}): sshd {sshd:.0f} ms, all done {finished:.0f} ms</title>",
            f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{long:.1f}" height="{BAR}" fill="{color}" opacity="0.35"/>',
            f'<rect x="{LEFT}" y="{y}" width="{short:.1f}" height="{BAR}" fill="{color}"/>',
            f'<text x="{LEFT + long + 6:.1f}" y="{y + 13}">{sshd:.0f} / {finished:.0f} ms</text></g>',
        ]
    note = "from the start of systemd: strong until sshd is there, pale until all is done"
    lines += [f'<text x="{LEFT}" y="{height - 8}">{note}</text>', "</svg>"]
    return "\n".join(lines) + "\n"
