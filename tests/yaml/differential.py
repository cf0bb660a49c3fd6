"""Compares our YAML reader and writer with PyYAML's safe loader.

usage: differential.py PATH_OF_yaml_to_json [SEED] [COUNT]

Run it with a Python that has PyYAML 6.0.3. It generates documents from a seed, reads each with
both, and reads with PyYAML what our writer makes of it. Prints the differences and a line
`N passed, M failed`; exits with 1 if there is one that is not listed under EXPECTED.
"""

import datetime
import json
import random
import re
import struct
import subprocess
import sys

import yaml


class Loader(getattr(yaml, "SafeLoader")):
    """The pure Python loader: the one that cloud-init uses."""


# Differences that are meant: each a reason and a test of the text and of both answers.
EXPECTED = [
    ("YAML 1.1 breaks lines at NEL, LS and PS; we keep them as text",
     lambda text, theirs, ours: any(c in text for c in "\x85\u2028\u2029")),
    ("values that hold themselves are an error with us",
     lambda text, theirs, ours: "inside of what it names" in ours.get("error", "")),
    ("`=` inside a mapping stands for the mapping's text in PyYAML",
     lambda text, theirs, ours: "=" in text and "tag" in ours.get("error", "")),
    ("a key may be empty, as in YAML 1.2: `: a`",
     lambda text, theirs, ours: '[["null"], ' in json.dumps(ours) and "error" in theirs),
    ("within brackets a colon or question mark may be text, as in YAML 1.2: `[:a, b?c]`",
     lambda text, theirs, ours: "error" in theirs and "value" in ours and re.search(r"[\[{,][^\]}]*[:?]", text)),
    ("within brackets a key may go over a line end, as in YAML 1.2",
     lambda text, theirs, ours: "flow mapping" in theirs.get("error", "") and re.search(r"\{[^}]*\n", text)),
    ("a tag without a value, as in YAML 1.2: `[!]`",
     lambda text, theirs, ours: "error" in theirs and "value" in ours and "!" in text),
    ("an anchor's name may hold any character, as in YAML 1.2: `&a:b`, `*x?`",
     lambda text, theirs, ours: re.search(r"[&*][\w-]*[^\w\s-]", text, re.ASCII)),
    ("a comment needs a space before it, as in YAML 1.2: `[a]#b`",
     lambda text, theirs, ours: "comments must be separated" in ours.get("error", "")),
    ("a document may end before it begins, as in YAML 1.2",
     lambda text, theirs, ours: "'<document end>'" in theirs.get("error", "")),
    ("`?` without a space after it is text in brackets, as in YAML 1.2",
     lambda text, theirs, ours: re.search(r"[\[{,] *\?[^ ]", text)),
]

FIXED = [
    "", "# only a comment\n", "---\n", "---\n...\n", "a: yes", "[on, off, No, Y, n, TRUE, y, N]",
    "b: 0644", "c: '0644'", "d: 0o644", "e: 1_000", "f: ~", "g: 12:30:45", "h: 1:30", "i: 1e3",
    "[08, 09, 010, 00, 0, -0, +7, 0_7, 0_]", "[.inf, -.inf, +.Inf, .nan, .NaN, -.nan]",
    "[1., .5, -.5, 1.5e3, 1.5e+3, 1.e-3, 1_0.5, 190:20:30.15, ._1, 1._]",
    "[0x1F, -0x1f, 0b101, 0b_1, 0xg, 0b2, 0X1F]", "0b_", "0x_", "[0o7, 1__0, _1]",
    "x: &b {p: 1, q: 2}\ny: {<<: *b, q: 3}", "a: &a {p: 1}\nb: &b {p: 2, q: 2}\nc: {<<: [*a, *b], r: 3}",
    "a: {<<: {x: 1}, <<: {x: 2}, y: 3}", "a: {<<: 1}", "a: {<<: [1]}", "a: <<", "[<<]", "<<", "'<<': 1",
    "a: =", "=: 1", "a: 1\na: 2\n", "{1: a, true: b, 1.0: c}", "{a: 1, 'a': 2}",
    "a:\n\t- 1\n", "a:\t1", "a: 1\t\n", "a: 1 # x\ty\n", "a: 'x\ty'\n", "a: |\n  x\ty\n", "- a\n-\tb\n",
    "a: b\tc", "\ta: 1", "a: 1\n\t\n", "a: 1\n \t# c\n", "a: \"x\n\ty\"\n",
    "a: |2\n    x\n", "a: |1-\n  x\n", "a: >+\n  x\n\n\n", "a: >\n  x\n  y\n\n  z\n", "a: |\n  x", "a: >-\n  x\n   y\n  z",
    "a: !!binary aGk=", "a: !!binary 'a b!'", "a: !!binary aGk", "!!binary aGk=a", "!!binary a=Gk=", "!!binary a", "!!binary aG==k", "a: !!str 12", "a: !!int '12'", "a: !!int x",
    "a: !!bool 'yes'", "a: !!bool maybe", "a: !!float 1", "a: !!float x", "a: !!null x", "a: !!seq []",
    "a: !!seq {}", "a: !!map {}", "a: !!map []", "a: !!set {x, y}", "a: !!omap [x: 1, y: 2]",
    "a: !!pairs [x: 1, x: 2]", "a: !!omap [{x: 1, y: 2}]", "a: !!omap [1]", "a: !!str [x]",
    "a: !foo {b: 1}", "a: !!python/object:x {}", "a: ! 12", "a: ! '12'", "a: ! [1]", "a: !<tag:yaml.org,2002:str> 1",
    "%TAG !y! tag:yaml.org,2002:\n---\na: !y!str 1\n", "%YAML 1.1\n---\na: 1\n", "%YAML 1.2\n---\na: 1\n",
    "%YAML 2.0\n---\na: 1\n", "18446744073709551616", "170141183460469231731687303715884105728",
    "1:\n  a", "true: x", "? a\n: b", "? [a]\n: b", "{[a]: b}", "{{ name }}", "a: {{ name }}", "? |\n  x\n: y",
    "a: \x07", "a: \x7f", "a: \ufffe", "a: \U0001f600", "\ufeffa: 1", "a: \ufeff", "a: \x00",
    "a: 1\n---\nb: 2\n", "a: 1\n...\n", "a: 1\n...\n---\nb: 2", "a: *b", "[&a 1, &a 2]", "a: &a [*a]",
    "a: @x", "a: `x`", "a: %x", "%x: 1", "a: x%", "a: b: c", "a: 'b' c", "a: [b", "a: }", "a: 'b", "a: \"b",
    "a: \"\\x41\\u00e9\\n\\q\"", "a: \"\\x41\\u00e9\\n\\ \\_\\N\\e\"", "a: \"x\\\n  y\"", "a: 'it''s'",
    "a:\n- b\n- c\n", "a:\n - b\n- c\n", "- - a\n  - b\n-\n  - c\n", "- a: 1\n  b: 2\n- c\n", "a:\n  b\n  c\n",
    "a: b\n  c\n d\n", "a\nb: c", "a: b\nc", "a:b", "{a:b, c: d}", "{a, b: , c}", "[a: b, c]", "[a, , b]", "[,]",
    "{a: 1,}", "[1,]", "{\"a\":1}", "{'a':1, b:1}", "['a':1]", "[a:]", "{a:}", "a: -", "a: - b", "-", "- ", "?",
    ":", ": a", "a: :b", "a: b:", "a: #c", "a: b#c", "a: b #c", "http://x:80/y", "a: x,y]", "- [a, b]: c",
    "2024-01-02", "a: 2024-01-02T03:04:05Z", "a: 2024-1-2 3:04:05.5 +1:30", "a: 2024-13-01", "a: 2024-02-30",
    "a: 2024-1-2", "a: 2024-01-02 25:00:00", "a: !!timestamp 2024-1-2", "0000-01-01", "2024-01-02t03:04:05 -5",
    "a: 1\r\nb:\r\n  - x\r\n", "a: 1\rb: 2\r", "a: |\r\n  x\r\n  y\r\n", "#cloud-config\nusers:\n  - default\n",
    "a: 'x\n\n  y'", "a: \"x \n  y\"", "a:\n  - b\n c: d\n", "a: 1\n b: 2\n", "  a: 1\n  b: 2\n", "  a: 1\nb: 2\n",
    "a: [1,\n2]", "a: [\n1\n]\n", "a: {\nb: 1\n}\n", "a: 'x\ny'\n", "a: |\nb: 1\n", "a: |\n\n\n  x\n", "a: |\n    x\n  y\n",
    "a: ? b", "&a a: *a", "&a : b", "a: &x\nb: 1", "a: !!str\nb: !!null\n", "a: !!str", "- !!int 3\n- &x 4\n- *x\n",
    "a: &b-c.d 1\ne: *b-c.d\n", "a: &é 1", "'a': 1\n\"b\": 2\n", "a : 1", "'a' : 1", "a: |x\n y", "a: |0\n y", "a: | # c\n y\n",
    "k" * 1000 + ": 1", "k" * 1025 + ": 1", "--- a\n", "--- |\n  a\n", "---a: 1", "--- a: 1", "--- {a: 1}\n", "... \n", "...\na: 1",
    "[tar, -xf, -, -C, /]", "[-]", "[a, -]", "{a: -, b: -}", "a: '-, -]'", "a: |\n  -, -]\n", "a: -, b", "- -, x",
]

SAMPLE = """#cloud-config
hostname: web-1
users:
  - default
  - name: jane
    groups: [adm, sudo]
    lock_passwd: no
    ssh_authorized_keys:
      - "ssh-ed25519 AAAA jane@example"
write_files:
  - path: /etc/motd
    permissions: 0644
    content: |
      hello
        world
  - {path: '/a b', content: !!binary aGVsbG8=, append: true}
base: &base
  retries: 3
  every: 1:30
extra: {<<: *base, retries: 5}
runcmd:
  - [ls, -l, /]
  - echo "a: b" > /tmp/x
  - >
    folded text
    goes on
timezone: Europe/Vienna # here
"""


def scalar(rng):
    """A text of the characters that numbers, dates and marks are made of."""
    alphabet = rng.choice(["0123456789_:.+-eE", "01x_ob-+aF", "0123456789-: TZ.", "~<=yYnNoOfFtTrRuUeEsSlL",
                           "abc0: #-,[]{}&*!|>'\"%@`?\\ ", "a\u00e9\U0001f600 b"])
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(0, 10)))


def number(rng):
    parts = [rng.choice(["", "-", "+"]), rng.choice(["", "0", "0x", "0b", "0o", "1", "19", "00"]),
             rng.choice(["", "1", "7", "8", "_", "1_0", "ff", "59", "123456789"]),
             rng.choice(["", ".", ":5", ":59", ":60", ".5", "e3", "e+3", ":30:59"]),
             rng.choice(["", "e3", "e-3", "E+10", "_", ".0", "."])]
    return "".join(parts)


def date(rng):
    day = "%04d-%0*d-%0*d" % (rng.choice([0, 1, 1900, 2000, 2023, 2024]), rng.choice([1, 2]),
                              rng.randint(0, 13), rng.choice([1, 2]), rng.randint(0, 32))
    if rng.random() < 0.4:
        return day
    clock = "%0*d:%02d:%02d" % (rng.choice([1, 2]), rng.randint(0, 25), rng.randint(0, 60), rng.randint(0, 60))
    return day + rng.choice(["T", "t", " ", "  ", ""]) + clock + rng.choice(["", ".", ".5", ".1234567"]) \
        + rng.choice(["", "Z", " Z", "+1", " -05:30", "+24:00", "+1:3"])


def tree(rng, depth, indent, anchors):
    """A random document in block or flow style."""
    pad = " " * indent
    choice = rng.random()
    if depth == 0 or choice < 0.35:
        kind = rng.random()
        if kind < 0.2 and anchors:
            return " *" + rng.choice(anchors) + "\n"
        if kind < 0.4:
            return " '" + scalar(rng).replace("'", "''") + "'\n"
        if kind < 0.5:
            lines = [rng.choice(["x", "  y z", "", "a: b", "# c"]) for _ in range(rng.randint(1, 4))]
            header = rng.choice(["|", ">", "|-", ">-", "|+", ">+"])
            return " " + header + "\n" + "".join(pad + "  " + line + "\n" for line in ["t"] + lines)
        return " " + rng.choice(["word", "two words", number(rng), "yes", "~", "", scalar(rng)]) + "\n"
    if choice < 0.5:
        entries = ", ".join(rng.choice(["a", "b: 1", "'c': d", number(rng), "[x, y]", "{z: 1}"])
                            for _ in range(rng.randint(0, 4)))
        return " " + rng.choice(["[%s]", "{%s}"]) % entries + "\n"
    anchor = ""
    if rng.random() < 0.3:
        name = "n%d" % rng.randint(0, 10 ** 6)
        anchor = " &" + name
    body = ""
    for index in range(rng.randint(1, 4)):
        if choice < 0.75:
            body += pad + "-" + tree(rng, depth - 1, indent + 2, anchors)
        else:
            key = rng.choice(["a", "b", "key %d" % index, "'q'", "1", "yes", "<<", "0x1", "1.0", "2024-01-01"])
            body += pad + key + ":" + tree(rng, depth - 1, indent + 2, anchors)
        if rng.random() < 0.1:
            body += rng.choice(["\n", "# note\n", pad + "# note\n"])
    if anchor:
        anchors.append(anchor[2:])
    return anchor + "\n" + body


def mutated(rng):
    text = SAMPLE
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text))
        change = rng.random()
        if change < 0.4:
            text = text[:at] + text[at + rng.randint(1, 3):]
        elif change < 0.8:
            text = text[:at] + rng.choice(" \t\n:-#'\"[]{},&*!|>?%@0a\\") + text[at:]
        else:
            lines = text.split("\n")
            rng.shuffle(lines) if change > 0.98 else lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            text = "\n".join(lines)
    return text


def documents(seed, count):
    rng = random.Random(seed)
    texts = list(FIXED) + [SAMPLE]
    for _ in range(count):
        texts.append("a: " + rng.choice([scalar, number, date])(rng) + "\n")
        texts.append("[" + rng.choice([scalar, number])(rng) + "]")
        texts.append("a: \"" + scalar(rng).replace('"', "") + "\"\n")
        texts.append(tree(rng, 3, 0, []).removeprefix("\n"))
        texts.append(mutated(rng))
    return texts


def bits(value):
    return str(struct.unpack("<Q", struct.pack("<d", value))[0])


def typed(value):
    """The same typed JSON as the example's; NaN without its sign, which YAML does not know."""
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        return ["float", "nan" if value != value else bits(value)]
    if isinstance(value, str):
        return ["str", value]
    if isinstance(value, bytes):
        return ["bytes", list(value)]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return ["time", value.isoformat()]
    if isinstance(value, (list, tuple)):
        return ["list", [typed(entry) for entry in value]]
    if isinstance(value, set):
        return ["map", sorted([typed(key), ["null"]] for key in value)]
    return ["map", [[typed(key), typed(entry)] for key, entry in value.items()]]


def normal(ours, is_set=False):
    """Our answer in PyYAML's terms: dates parsed, huge integers in decimal."""
    kind, content = ours[0], ours[1] if len(ours) > 1 else None
    if kind == "time":
        return typed(yaml.load("!!timestamp '%s'" % content, Loader))
    if kind == "int":
        return ["int", str(yaml.load("!!int '%s'" % content, Loader))]
    if kind == "float":
        value = struct.unpack("<d", struct.pack("<Q", int(content)))[0]
        return ["float", "nan" if value != value else content]
    if kind == "list":
        return ["list", [normal(entry) for entry in content]]
    if kind == "map":
        return ["map", [[normal(key), normal(value)] for key, value in content]]
    return ours


def theirs_of(text):
    try:
        return {"value": typed(yaml.load(text, Loader))}
    except RecursionError:
        return {"error": "recursion"}
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
        return {"error": "%s: %s" % (type(error).__name__, str(error).replace("\n", " ")[:120])}


def same(theirs, ours):
    if "error" in theirs or "error" in ours:
        return "error" in theirs and "error" in ours
    answer = normal(ours["value"])
    if answer == theirs["value"]:
        return True
    # Sets have no order in Python.
    return sorted_maps(answer) == sorted_maps(theirs["value"]) and "!!set" in ours["text"]


def sorted_maps(value):
    if value[0] == "list":
        return ["list", [sorted_maps(entry) for entry in value[1]]]
    if value[0] == "map":
        return ["map", sorted([[sorted_maps(k), sorted_maps(v)] for k, v in value[1]], key=str)]
    return value


def main():
    program, seed, count = sys.argv[1], int((sys.argv + ["1"])[2]), int((sys.argv + ["", "200"])[3])
    texts = documents(seed, count)
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    run = subprocess.run([program], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in run.stdout.decode().rstrip("\n").split("\n")]
    if len(answers) != len(texts):
        sys.exit("expected %d answers, got %d" % (len(texts), len(answers)))
    passed = failed = expected = both_read = 0
    for text, ours in zip(texts, answers):
        theirs = theirs_of(text)
        ours["text"] = text
        both_read += "value" in theirs and "value" in ours
        fault = None
        if not same(theirs, ours):
            fault = "read"
        elif "emitted" in ours and normal(ours["value"]) != theirs_of(ours["emitted"]).get("value"):
            fault = "written"
        if fault and any(test(text, theirs, ours) for _, test in EXPECTED):
            expected += 1
        elif fault:
            failed += 1
            print("DIFFERENT as %s: %r\n  PyYAML: %s\n  ours:   %s" % (
                fault, text, json.dumps(theirs)[:400],
                json.dumps({k: v for k, v in ours.items() if k != "text"})[:600]))
        else:
            passed += 1
    print("%d documents, both read %d of them, %d meant differences" % (len(texts), both_read, expected))
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
