"""User data that says how its parts are joined: merging, archives, launch indexes, includes, patches, templates."""

import base64
import gzip
import json

from formats import CONFIG, SCRIPT, message, part

CLOUD = "text/cloud-config"
METADATA = {
    "local-hostname": "ip-10-0-0-5.internal", "ami-launch-index": 0, "instance-type": "t3.micro",
    "tags": {"instance": {"Name": "web-1", "team.name": "blue"}}, "block-device-mapping": {"ami": "xvda"},
    "list": ["a", "b"], "zero": 0, "yes": True, "nothing": None, "float": 1.5, "quoted": ["it's", 'say "x"'], "sub": {"b": 1, "a": [None, False]},
}


def config(text, *headers):
    return part(CLOUD, b"#cloud-config\n" + text.encode(), *headers)


BASE = """a: 1
s: old
l: [1, {x: 1, y: [p]}, [i], k]
d: {x: 1, l: [1, 2], s: in, n: {p: 1}}
gone: {x: 1}
null_here: null
"""
OVER = """a: 2
s: new
l: [2, {x: 2, y: [q], z: 3}, [j], m, tail]
d: {x: 2, l: [3], s: out, n: {q: 2}, more: yes}
gone: null
null_here: 5
other: [1]
"""
HOWS = [
    "dict(replace)", "dict(no_replace)", "dict()", "list()", "str()", "list(append)", "list(prepend)", "list(no_replace)", "list(replace)",
    "list(append)+dict(no_replace,recurse_list)+str()", "list(append)+dict(recurse_array)+str()", "list(prepend)+dict(recurse_list)",
    "list(append)+dict(replace,recurse_list)", "list(no_replace)+dict(recurse_array)", "list(replace)+dict(recurse_array)",
    "list(recurse_dict)+dict(recurse_array)", "list(recurse_list)+dict(recurse_array)", "list(recurse_str)+dict(recurse_array)+str(append)",
    "list(recurse_dict,recurse_array,recurse_str)+dict(recurse_array,recurse_str)+str(append)", "dict(recurse_str)+str(append)",
    "dict(recurse_str)+str()", "dict(recurse_str)", "str(append)", "dict(allow_delete)", "dict(replace,allow_delete)",
    "dict(allow_delete,recurse_list)+list(append)", "dict(no_replace,replace)", "list(append,prepend)", "list(prepend,append)",
    "list(append)+list(prepend)+dict(recurse_list)", "dict(replace)+dict(no_replace)", "DICT(Replace)", " dict( replace , allow_delete ) + list()",
    "dict(replace)+", "+", "", " ", "dict", "dict(", "dict)", "dict(replace", "dict(unknown)", "set()", "m_dict(replace)", "di-ct()", "dict(replace) list()",
    "dict(replace)(x)", "dict(a(b))", "1dict()", "d\u00efct()", "dict(replace);list()", "dict(,,)",
]
# What merge_how may hold beside a string.
LISTS = [
    "[{name: list, settings: [append]}, {name: dict, settings: [no_replace, recurse_list]}, {name: str, settings: [append]}]",
    "[{name: dict, settings: [replace]}]", "[{name: dict}]", "[{settings: [append]}]", "[{name: dict, settings: append}]",
    "[[list, append], [dict, recurse_list], [str]]", "[[dict, recurse_str], [str, append]]", "[dict]", "[list, dict]", "[]", "{}", "null", "5",
    "true", "[[]]", "[[5]]", "[null]", "{name: dict, settings: [replace]}", "[{name: ' dict ', settings: [recurse_list]}, {name: list, settings: [append]}]",
    "[{name: DICT, settings: []}]", "[{name: '', settings: []}]", "[['', x]]", "[{name: set, settings: []}]", "[{name: dict, settings: null}]",
    "[{name: dict, settings: {replace: 1}}]", "[[dict, [replace]]]",
]


def merging():
    yield "two configs, nothing said", message(config(BASE), config(OVER))
    for number, how in enumerate(HOWS):
        quoted = json.dumps(how)
        yield "merge_how %d %s" % (number, how), message(config(BASE), config(OVER + "merge_how: %s\n" % quoted))
        yield "Merge-Type %d %s" % (number, how), message(config(BASE), config(OVER, "Merge-Type: " + how.encode("ascii", "replace").decode()))
    for number, how in enumerate(LISTS):
        yield "merge_how list %d" % number, message(config(BASE), config("merge_how: %s\n%s" % (how, OVER)))
    append = "'list(append)+dict(recurse_list)+str()'"
    for name, parts in {
        "merge_type": [config(BASE), config("merge_type: %s\n%s" % (append, OVER))],
        "merge_how and merge_type": [config(BASE), config("merge_type: 'dict(replace)'\nmerge_how: %s\n%s" % (append, OVER))],
        "merge_how null and merge_type": [config(BASE), config("merge_type: %s\nmerge_how: null\n%s" % (append, OVER))],
        "merge_how in the first only": [config("merge_how: %s\n%s" % (append, BASE)), config(OVER)],
        "merge_how in the second of three": [config(BASE), config("merge_how: %s\n%s" % (append, OVER)), config(OVER)],
        "merge_how in all three": [config("merge_how: %s\n%s" % (append, x)) for x in (BASE, OVER, BASE)],
        "merge_how bad, then good": [config(BASE), config("merge_how: set()\nnot_here: 1\n"), config("b: 1\n")],
        "merge_how and Merge-Type": [config(BASE), config("merge_how: 'dict(recurse_list)'\n" + OVER, "Merge-Type: list(append)")],
        "merge_how against Merge-Type": [config(BASE), config("merge_how: 'list(prepend)'\n" + OVER, "Merge-Type: list(append)+dict(recurse_list)")],
        "X-Merge-Type": [config(BASE), config(OVER, "X-Merge-Type: list(append)+dict(recurse_list)")],
        "Merge-Type and X-Merge-Type": [config(BASE), config(OVER, "X-Merge-Type: list(append)+dict(recurse_list)", "Merge-Type: dict(no_replace)")],
        "Merge-Type empty and X-Merge-Type": [config(BASE), config(OVER, "Merge-Type:", "X-Merge-Type: list(append)+dict(recurse_list)")],
        "merge-type lower case": [config(BASE), config(OVER, "merge-type: list(append)+dict(recurse_list)")],
        "Merge-Type twice": [config(BASE), config(OVER, "Merge-Type: dict(no_replace)", "Merge-Type: dict(replace)")],
        "bad YAML in the second": [config(BASE), config("a: [\n"), config("b: 1\n")],
        "bad YAML in the first": [config("a: [\n"), config(OVER)],
        "not a mapping": [config(BASE), config("- a\n- b\n"), config("just text\n"), config("5\n"), config("b: 1\n")],
        "empty ones": [config(BASE), config(""), config("# comment\n"), config("null\n"), config("{}\n"), config("---\n"), config("b: 1\n")],
        "two documents in one": [config(BASE), config("a: 5\n---\na: 6\n"), config("b: 1\n")],
        "same name twice": [config("a: 1\n", "Content-Disposition: attachment; filename=x"), config("b: 1\n", "Content-Disposition: attachment; filename=x")],
        "types that differ": [config("a: [1]\nb: {x: 1}\nc: s\nd: 1\n"), config("merge_how: 'list(append)+dict(recurse_list,recurse_str)+str(append)'\na: s\nb: [1]\nc: {y: 1}\nd: [1]\n")],
        "list onto a string": [config("a: s\n"), config("merge_how: 'list(append)+dict(recurse_list)+str(append)'\na: [1]\n")],
        "string onto a list": [config("a: [1]\n"), config("merge_how: 'list(append)+dict(recurse_str)+str(append)'\na: text\n")],
        "string onto a list, replacing": [config("a: [1]\n"), config("merge_how: 'list(replace)+dict(recurse_str)+str(append)'\na: text\n")],
        "keys of other types": [config("1: a\ntrue: b\nnull: c\n1.5: d\n"), config("merge_how: 'dict(recurse_str)+str(append)'\n1: x\ntrue: y\n1.5: z\n")],
    }.items():
        yield "merging " + name, message(*parts)


YAMLS = [
    "mode: 0644\nother: 644\nx: 0x1F\nb: 0b101\no: 0o770\nbad: 0800\n", "yes: no\non: off\ny: n\nY: N\n", "t: 1:30\nu: 1:30:15\nv: 190:20:30.15\n",
    "e: 1e3\nf: 1.5e3\ng: 1_000\nh: .5\ni: 1.\nj: .inf\nk: .nan\n", "d: 2024-01-02\nt: 2024-01-02T03:04:05Z\nz: 2024-01-02 03:04:05 +1:30\n",
    "a: 1\na: 2\n", "a: {x: 1}\na: {y: 2}\n", "x: &b {p: 1, q: 2}\ny: {<<: *b, q: 3}\n", "x: &b [1, 2]\ny: *b\n", "a:\t1\n", "a:\n\t- 1\n", "a: !!binary aGVsbG8=\n",
    "a: !!python/object:os.system x\nb: 1\n", "a: !custom x\nb: 1\n", "a: !!str 12\n", "a: !!set {x, y}\n", "a: !!omap [x: 1]\n", "? [a, b]\n: c\n", "? {a: b}\n: c\n",
    "a: |\n  line\n  two\nb: >\n  folded\n  text\nc: |-\n  strip\nd: |+\n  keep\n\n", "a: 'it''s'\nb: \"tab\\t\\u00e9\\x41\"\n", "a: \"bad \\q\"\n", "a: b: c\n", "a: [1, 2\n", "a: 'x\n",
    "%YAML 1.1\n---\na: 1\n", "%YAML 1.2\n---\na: yes\n", "---\na: 1\n...\n", "--- {a: 1}\n", "---\na: 1\n---\n", "a: ~\nb: null\nc: Null\nd:\n", "a: *missing\n", "a: &a [*a]\n",
    "{a: 1, b: [x, y]}\n", "{\"a\": 1, \"b\": {\"c\": null}}\n", "a: 123456789012345678901234567890\n", "a: -0\nb: +12\nc: 00\nd: 0_7\n", "a: =\n", "a: <<\n", "- a: 1\n",
    "launch-index: 0\na: 1\n", "a: \u00e9\n\u00e9: b\n", "a: \x07\n", "a: \ufeff1\n", "a: 1 # c\n# end", "a: x\x85y\n", "'a': 1\n\"b\": 2\n", "a : 1\n", "a: @x\n", "a: %x\n", "a: `x`\n",
    "a: 0.1\nb: 1e400\nc: 1.0\nd: 100000000000000000.0\n", "<<: {a: 1}\nb: 2\n", "<<: [{a: 1}, {a: 2, c: 3}]\nb: 2\n", "a: 1\n b: 2\n", "a:\n- 1\n- 2\n", "a: {b: 1, b: 2}\n", "null: 1\n", "1: a\n",
    "runcmd:\n - [ls, -l]\n - echo 'x: y'\n - echo \"a\" > /b\n", "users:\n - default\n - {name: x, sudo: 'ALL=(ALL) NOPASSWD:ALL'}\n", "a: 12e03\nb: 0.\nc: -.5\nd: 1e+3\n", "a: 2024-13-45\n",
    "a: 08:30\nb: 8:5\nc: 60:60\n", "a: >2\n    x\n", "a: |\n\ttab\n",
]


def yamls():
    for number, text in enumerate(YAMLS):
        yield "yaml %d" % number, b"#cloud-config\n" + text.encode()
        yield "yaml %d of two" % number, message(config("first: 1\n"), config(text))


ARCHIVES = [
    "- '#!/bin/sh\n\n  echo a'\n- {content: 'a: 1'}\n- {content: \"#cloud-config\\nb: 2\\n\"}\n", "- {type: text/x-shellscript, content: 'echo', filename: a.sh}\n- {type: text/cloud-config, content: 'c: 3', filename: ../x}\n",
    "- {content: 'a: 1', launch-index: 1}\n- {content: 'b: 1', launch-index: '0'}\n- {content: 'c: 1', launch-index: x}\n", "- {content: 'a: [1]'}\n- {content: 'a: [2]', Merge-Type: 'list(append)+dict(recurse_list)'}\n",
    "- {content: 'a: [1]'}\n- {content: 'a: [2]', merge-type: 'list(append)+dict(recurse_list)'}\n", "- {content: 'a: [1]'}\n- {content: 'a: [2]', X-Merge-Type: 'list(append)+dict(recurse_list)'}\n",
    "- {content: !!binary IyEvYmluL3NoCmVjaG8K}\n", "- {content: !!binary IyEvYmluL3NoCmVjaG8K, type: text/x-shellscript}\n", "- {content: !!binary /w==, type: text/plain}\n",
    "- {type: nonsense, content: a}\n- {content: 'b: 1'}\n", "- 5\n- null\n- [a]\n- {content: 'a: 1'}\n", "- {}\n- {content: ''}\n- {content: null}\n", "- {content: 5}\n", "- {content: [a]}\n", "[]\n", "{}\n", "a: 1\n", "", "- {content: 'a: 1', Content-Type: text/x-shellscript}\n",
    "- {content: '#!/bin/sh', Content-Transfer-Encoding: base64}\n", "- {content: 'a: 1', X-Other: 5}\n", "- {content: 'a: 1', filename: 5}\n", "- {content: 'a: 1', type: 5}\n",
    "- \"#cloud-config-archive\\n- 'n: 1'\\n\"\n- 'b: 1'\n", "- {type: text/cloud-config-archive, content: \"- 'n: 1'\\n\"}\n", "- \"#include\\nfile:///nowhere\\n\"\n", "- {type: text/plain, content: \"#!/bin/sh\\n\"}\n", "- {type: application/octet-stream, content: x}\n",
    "- {type: text/jinja2, content: \"## template: jinja\\n#cloud-config\\nh: {{ v1.instance_id }}\\n\"}\n", "- \"## template: jinja\\n#cloud-config\\nh: {{ v1.instance_id }}\\n\"\n", "- 'text \u00e9'\n- \"#!/bin/sh\\necho \u00e9\u20ac\\n\"\n", "- {content: 'a: \u00e9'}\n",
    "- {content: 'a: 1', filename: x}\n- {content: 'b: 1', filename: x}\n", "!!set {'#!/bin/sh', 'a: 1'}\n", "- a: [\n", "- {content: 'a: 1', type: TEXT/CLOUD-CONFIG}\n", "- {content: 'a: 1', type: text/cloud-config; charset=utf-8}\n", "- {Content: 'a: 1'}\n", "- {content: 'a: 1', launch-index: null}\n",
]


def archives():
    for number, text in enumerate(ARCHIVES):
        for index in [None, 0]:
            yield "archive %d index %s" % (number, index), b"#cloud-config-archive\n" + text.encode(), {"launch_index": index}
    yield "archive in MIME", message(part("text/cloud-config-archive", b"- 'a: 1'\n- '#!/bin/sh'\n"), config("b: 1\n"))
    yield "archive in MIME with index", message(part("text/cloud-config-archive", b"- 'a: 1'\n", "Launch-Index: 1"), config("b: 1\n")), {"launch_index": 0}


def launch_indexes():
    for wanted in [None, 0, 1, 2]:
        for number, (header, text) in enumerate([
            ("0", ""), ("1", ""), (" 1 ", ""), ("01", ""), ("+1", ""), ("-1", ""), ("1.0", ""), ("0x1", ""), ("1_0", ""), ("x", ""), ("", ""), ("\u0661", ""),
            (None, "launch-index: 1\n"), (None, "launch-index: '1'\n"), (None, "launch-index: x\n"), (None, "launch-index: 1.9\n"), (None, "launch-index: true\n"), (None, "launch-index: [1]\n"),
            (None, "Launch-Index: 1\n"), (None, "launch_index: 1\n"), ("0", "launch-index: 1\n"), ("x", "launch-index: 1\n"), (None, "launch-index: null\n"),
        ]):
            headers = [] if header is None else ["Launch-Index: " + header]
            if "\u0661" in (header or ""):
                headers = ["Launch-Index: =?utf-8?q?1?="]
            yield "index %s of %d" % (wanted, number), message(config("a: 1\n" + text, *headers), config("b: 1\n")), {"launch_index": wanted}
        script = part("text/x-shellscript", b"#!/bin/sh\n# launch-index: 5\n", "Launch-Index: 1")
        inner = message(config("a: 1\n"), config("b: 1\n", "Launch-Index: 1"), head="Launch-Index: 1\n", boundary="IN", end="--IN--\n")
        twice = part("text/x-shellscript", SCRIPT, "Launch-Index: 0", "Launch-Index: 1")
        zipped = part("application/gzip", base64.encodebytes(gzip.compress(CONFIG, mtime=0)), "Launch-Index: 1", "Content-Transfer-Encoding: base64")
        hooked = part("text/jinja2", b"## template: jinja\n#cloud-config\nlaunch-index: 1\nj: 1\n")
        yield "index %s scripts and containers" % wanted, message(script, inner, twice, part()), {"launch_index": wanted}
        yield "index %s compressed and templates" % wanted, message(zipped, hooked, config("c: 1\n")), {"launch_index": wanted}
        yield "index %s of a whole config" % wanted, b"#cloud-config\nlaunch-index: 1\na: 1\n", {"launch_index": wanted}
        yield "index %s in the outer head" % wanted, message(config("a: 1\n"), part(), head="MIME-Version: 1.0\nLaunch-Index: 1\n"), {"launch_index": wanted}


# What the server on 127.0.0.1 gives; the generator writes @ for its address.
SERVED = {
    "script": SCRIPT, "config": CONFIG, "gzip": gzip.compress(CONFIG, mtime=0), "mime": message(config("m: 1\n"), part()), "empty": b"", "plain": b"nothing known\n",
    "nested": b"#include\n@/config\n@/script\n", "once": b"#include-once\n@/config\n", "archive": b"#cloud-config-archive\n- 'x: 1'\n", "base64": base64.b64encode(SCRIPT),
    "jinja": b"## template: jinja\n#cloud-config\nj: {{ v1.instance_id }}\n", "bytes": b"#!/bin/sh\n# \xff\n", "utf": "#cloud-config\nu: \u00e9\n".encode(),
}
INCLUDES = [
    "#include\n@/config\n@/script\n", "#include @/config\n", "#INCLUDE @/config\n", "#include\n# a comment\n\n  @/script  \n#include-once @/config\n", "#include-once\n@/config\n@/config\n", "#include\n@/config\n@/config\n",
    "#include\r\n@/config\r\n@/script\r\n", "#include\n@/gzip\n@/mime\n", "#include\n@/nested\n@/script\n", "#include\n@/once\n", "#include\n@/archive\n", "#include\n@/empty\n@/plain\n", "#include\n@/base64\n", "#include\n@/jinja\n", "#include\n@/bytes\n",
    "#include\n@/utf\n", "#include\n@/missing\n", "#include\n@/script\n@/missing\n@/config\n", "#include\nfile:///nowhere/at/all\n", "#include\n/nowhere/at/all\n", "#include-once\n@/missing\n", "#include-onc\n@/config\n", "\n#include\n@/config\n", "#include @/config @/script\n",
    "#include\n@/config # not a comment\n", "#include\n@/moved\n", "#include\n\t@/config\n", "#include\n@/config\f@/script\n", "#include-once @/gzip\n#include @/config\n@/script\n", "#include\n#@/config\n # @/config\n@/script\n",
]


def includes():
    for number, text in enumerate(INCLUDES):
        yield "include %d" % number, text.encode(), {"fetches": True}
    yield "include in MIME", message(part("text/x-include-url", b"@/config\n"), part(), part("text/x-include-once-url", b"@/script\n"), part("text/plain", b"#include\n@/utf\n")), {"fetches": True}
    yield "include in MIME with index", message(part("text/x-include-url", b"@/config\n", "Launch-Index: 1"), part()), {"fetches": True, "launch_index": 0}
    yield "include in an archive", b"#cloud-config-archive\n- {type: text/x-include-url, content: '@/config'}\n- 'b: 1'\n", {"fetches": True}


PATCHES = [
    '[{"op": "add", "path": "/a/-", "value": 3}]', '[{"op": "add", "path": "/a/0", "value": 0}]', '[{"op": "remove", "path": "/a/0"}]', '[{"op": "replace", "path": "/d/x", "value": {"y": null}}]',
    '[{"op": "move", "from": "/d/x", "path": "/m"}]', '[{"op": "copy", "from": "/a", "path": "/c"}]', '[{"op": "test", "path": "/d/x", "value": 1}, {"op": "add", "path": "/ok", "value": true}]',
    '[{"op": "test", "path": "/d/x", "value": 2}, {"op": "add", "path": "/ok", "value": true}]', '[{"op": "add", "path": "/no/such", "value": 1}]', '[{"op": "replace", "path": "/none", "value": 1}]', '[{"op": "remove", "path": "/none"}]',
    '[{"op": "add", "path": "/a/9", "value": 1}]', '[{"op": "add", "path": "/x~1y~0z", "value": 1}]', '[{"op": "add", "path": "", "value": {"all": 1}}]', '[{"op": "add", "path": "a", "value": 1}]', '[{"op": "spam", "path": "/a"}]', '[{"path": "/a"}]', '{"op": "add", "path": "/b", "value": 1}',
    '[]', '', 'nonsense', '[{"op": "add", "path": "/b", "value": 1}', '[{"op": "add", "path": "/b"}]', '[{"op": "add", "path": "/\u00e9", "value": "\u20ac"}]', '[{"op": "add", "path": "/a/01", "value": 1}]', '[{"op": "add", "path": "/a/-1", "value": 1}]',
    '[{"op": "add", "path": "/b", "value": 1, "value": 2}]', "[{'op': 'add', 'path': '/b', 'value': 1}]", '[{"op": "add", "path": "/f", "value": 1.50}]', '[{"op": "add", "path": "", "value": [1]}]', '[{"op": "remove", "path": ""}]',
]


def patches():
    for number, text in enumerate(PATCHES):
        patch = part("text/cloud-config-jsonp", b"#cloud-config-jsonp\n" + text.encode("ascii", "backslashreplace") + b"\n")
        yield "jsonp %d" % number, message(config("a: [1, 2]\nd: {x: 1}\n"), patch, config("later: 1\n"))
    yield "jsonp first", message(part("text/cloud-config-jsonp", PATCHES[13].encode()), config("later: 1\n"))
    yield "jsonp without its line", message(config("a: [1]\n"), part("text/cloud-config-jsonp", PATCHES[0].encode()))


TEMPLATES = [
    "h: {{ v1.instance_id }}\n", "h: {{ instance_id }}\n", "h: {{ v1.local_hostname }} {{ ds.meta_data.local_hostname }}\n", "h: {{ ds.meta_data['local-hostname'] }}\n", "h: {{ ds['meta_data']['instance_type'] }}\n", "h: {{ no_such }}\n", "h: {{ no_such.below }}\n",
    "h: {{ ds.no_such }}\n", "h: {{ ds.no_such.below }}\n", "h: {{ a-b }}\n", "h: {{ v1.instance-id }}\n", "{% if v1.cloud_name == 'aws' %}\na: 1\n{% else %}\nb: 1\n{% endif %}\n", "{% for x in ds.meta_data.list %}\n{{ x }}: 1\n{% endfor %}\n", "{% set x = 5 %}\na: {{ x }}\n", "a: {{ 'x' | upper }}\n",
    "a: {{ ds.meta_data.tags.instance.team_name }}\n", "a: {{ no_such | default('d') }}\n", "{# comment #}\na: 1\n", "a: {{ unclosed\n", "{% if %}\na: 1\n", "a: '{{ 1 + 1 }}'\n", "a: {{ v1.local_hostname.split('.')[0] }}\n", "a: {{ v1.region.startswith('eu') }}\n",
    "a: {{ ds.meta_data.zero }} {{ ds.meta_data.yes }}\n", "{% do ds.meta_data.list.append('z') %}\na: {{ ds.meta_data.list | length }}\n", "a: {{ ds.meta_data.list }}\n", "a: {{ ds.meta_data.tags.instance | tojson }}\n", "a: |\n  {% raw %}{{ x }}{% endraw %}\n", "  {%- if true %}\na: 1\n  {%- endif %}\n",
    "a: {{ v1['availability-zone'] }} {{ v1.availability_zone[:-1] }}\n", "a: {{ ''.__class__ }}\n", "{{ v1 }}\n", "a: {{ range(3) | join(',') }}\n", "{% if no_such is defined %}\na: 1\n{% endif %}\nb: 1\n", "{% if no_such %}\na: 1\n{% endif %}\nb: 1\n",
    "a: {{ ds.meta_data.nothing }}\n", "a: {{ ds.meta_data.float }} {{ 7 / 2 }} {{ 7 // 2 }} {{ 2 ** 3 }} {{ 7 % 4 }}\n", "a: {{ ds.meta_data.quoted }}\n", "a: {{ ds.meta_data.sub }}\n", "a: {{ (1, 2) }}\n",
    "a: {{ ds.meta_data.list | first }}{{ ds.meta_data.list | last }}{{ ds.meta_data.list | join('-') }}\n", "a: {{ ' x ' | trim }}{{ 'aXb' | lower | replace('x', 'y') }}{{ 'abc' | length }}\n", "a: {{ '5' | int + 1 }} {{ 2.7 | round }} {{ -3 | abs }}\n",
    "a: {{ [3, 1, 2] | sort | join }} {{ [1, 1, 2] | unique | list | length }} {{ [1, 2, 3] | sum }} {{ [1, 2] | max }}\n", "{% for k, v in ds.meta_data.sub | dictsort %}\n{{ k }}: '{{ v }}'\n{% endfor %}\n",
    "{% for k, v in ds.meta_data.sub.items() %}\n{{ k }}: x\n{% endfor %}\n", "{% for x in ds.meta_data.list %}\nk{{ loop.index }}{{ loop.index0 }}: {{ x }}{{ '' if loop.last else '-' }}\n{% else %}\nnone: 1\n{% endfor %}\n",
    "{% macro m(x) %}{{ x }}!{% endmacro %}\na: {{ m('y') }}\n", "{% set ns = namespace(n=0) %}{% for x in range(4) %}{% set ns.n = ns.n + x %}{% endfor %}\na: {{ ns.n }}\n", "a: {{ 'x' if v1.region == 'eu-west-1' else 'y' }}\n", "a: {{ 'eu' in v1.region }} {{ v1.region is string }} {{ 1 is number }}\n",
    "a: {{ v1.region.upper() }} {{ v1.region.replace('-', '_') }} {{ v1.region.endswith('1') }} {{ ' x '.strip() }}\n", "a: {{ '%s-%d' % ('x', 5) }}\n", "a: {{ '{}-{}'.format('x', 5) }}\n", "a: {{ 'x' ~ 1 ~ none }}\n", "a: {{ v1.region.split('-') }}\n", "a: {{ '-'.join(ds.meta_data.list) }}\n",
    "a: {{ v1.region[0:2] }} {{ v1.region[-1] }} {{ ds.meta_data.list[1] }}\n", "a: {{ ds.meta_data.list[9] }}\n", "a: {{ ds.meta_data.get('zero') }} {{ ds.meta_data.get('none', 'd') }}\n", "a: {{ ds.meta_data | length }}\n", "a: {{ True }} {{ true }} {{ None }} {{ none }}\n",
    "a: {{ no_such | upper }}\n", "a: {{ no_such + 'x' }}\n", "a: {{ no_such ~ 'x' }}\n", "a: {{ no_such == none }}\n", "{% for x in no_such %}\nb: 1\n{% endfor %}\na: 1\n", "a: {{ no_such() }}\n", "a: {{ no_such[0] }}\n", "a: {{ 1 / 0 }}\n", "a: {{ '5' + 5 }}\n",
    "a: {{ ds.meta_data.tags.instance['team.name'] }}\n", "a: {{ 'a,b' | split(',') }}\n", "a: {{ 'x' | b64encode }}\n", "a: {{ '<&>' | e }} {{ '<&>' }}\n", "a: {{ 'a b' | urlencode }}\n", "a: {{ 'hello world' | title }} {{ 'hello' | capitalize }}\n",
    "a:\n{% for x in ds.meta_data.list -%}\n  - {{ x }}\n{% endfor %}\n", "a: 1 {# c #}\n{# whole line #}\nb: 2\n", "a: {{ v1.instance_id }}", "a: 1\n\n\n", "{% include 'x' %}\na: 1\n", "{% block b %}\na: 1\n{% endblock %}\n", "a: {{ cycler }}\n", "{% filter upper %}\na: x\n{% endfilter %}\n",
    "a: {{ ds.meta_data.list | map('upper') | list }}\n", "a: {{ [1, 2, 3] | select('odd') | list }}\n", "a: {{ '{{' }}\n", "# {{ instance_id }}\na: 1\n", "a: ${x} $y {x} {{x\n", "{%+ if true %}a: 1\n{%+ endif %}\n", "a: {{ ds.meta_data.local_hostname.partition('.')[0] }}\n", "a: {{ v1.cloud_name }} {{ v1.cloud_id }} {{ v1.platform }} {{ cloud_name }}\n",
]


def templates():
    for number, text in enumerate(TEMPLATES):
        yield "jinja %d" % number, b"## template: jinja\n#cloud-config\n" + text.encode(), {"metadata": METADATA}
    for number, text in enumerate([
        "#!/bin/sh\necho {{ v1.instance_id }}\n", "#cloud-boothook\n#!/bin/sh\necho {{ instance_id }}\n", "#cloud-config-jsonp\n[]\n", "#include\n@/config\n", "#cloud-config-archive\n- 'a: 1'\n", "no header\n", "", "## template: jinja\n#cloud-config\na: 1\n", "{% if true %}\n#cloud-config\n{% endif %}\na: 1\n",
        "\n#cloud-config\na: 1\n", "#!/bin/sh\necho {{ no_such }}\n",
    ]):
        yield "jinja of %d" % number, b"## template: jinja\n" + text.encode(), {"metadata": METADATA}
    yield "jinja in MIME", message(config("l: [1]\n"), part(None, b"## template: jinja\n#cloud-config\nmerge_how: 'list(append)+dict(recurse_list)'\nl: [2]\nh: {{ instance_id }}\n")), {"metadata": METADATA}


def cases():
    for source in (merging, yamls, archives, launch_indexes, includes, patches, templates):
        for name, data, *more in source():
            yield {"name": name, "data": data, **(more[0] if more else {})}
