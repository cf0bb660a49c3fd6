"""User data in every outer form: sniffing, gzip, base64, MIME. Each table row is one input."""

import base64
import gzip

SCRIPT = b"#!/bin/sh\necho hello\n"
CONFIG = b"#cloud-config\nhostname: one\n"
HEADERS = {
    "script": SCRIPT,
    "config": CONFIG,
    "archive": b"#cloud-config-archive\n- content: \"#!/bin/sh\\necho a\\n\"\n",
    "jsonp": b"#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/a\", \"value\": 1}]\n",
    "boothook": b"#cloud-boothook\n#!/bin/sh\necho hook\n",
    "jinja": b"## template: jinja\n#!/bin/sh\necho {{ v1.instance_id }}\n",
}


def packed(data):
    return gzip.compress(data, mtime=0)


def whole():
    """Inputs that are one part, told by their first bytes."""
    for kind, data in HEADERS.items():
        yield kind, data
        yield kind + " upper case", data.split(b"\n")[0].upper() + b"\n" + data.split(b"\n", 1)[1]
        yield kind + " after blank lines", b"\n \t\r\n" + data
        yield kind + " after a byte order mark", b"\xef\xbb\xbf" + data
        yield kind + " after ---", b"---\n" + data
        yield kind + " CRLF", data.replace(b"\n", b"\r\n")
        yield kind + " CRLF later only", data.replace(b"\n", b"\r\n").replace(b"\r\n", b"\n", 1)
        yield kind + " CR", data.replace(b"\n", b"\r")
        yield kind + " without an end of line", data.rstrip(b"\n")
        yield kind + " gzip", packed(data)
        yield kind + " gzip twice", packed(packed(data))
        yield kind + " base64", base64.b64encode(data)
        yield kind + " base64 with an end of line", base64.b64encode(data) + b"\n"
        yield kind + " base64 in lines", base64.encodebytes(data)
        yield kind + " base64 of gzip", base64.b64encode(packed(data))
        yield kind + " gzip of base64", packed(base64.b64encode(data))
        yield kind + " base64 twice", base64.b64encode(base64.b64encode(data))
        yield kind + " with a bad byte", data + b"# \xff\xfe\n"
        yield kind + " with a zero byte", data + b"# \x00\n"
    for space in [b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xc2\xa0", b"\xe2\x80\xa8", b"\xe3\x80\x80", b"\x00"]:
        yield "script after %r" % space, space + SCRIPT
    for text in [
        b"#cloud-configuration\na: 1\n", b"#cloud-config-foo\na: 1\n", b"#cloud-config: a\nb: 1\n",
        b"#cloud-config # comment\na: 1\n", b"# cloud-config\na: 1\n", b"##cloud-config\na: 1\n",
        b"#cloudconfig\na: 1\n", b"#cloud-config-archiver\n- a\n", b"#cloud-config-jsonpx\n[]\n",
        b"#cloud-config-arch\na: 1\n", b"#cloud-boothooks\n#!/bin/sh\necho\n", b"#cloud-boothook #!/bin/sh\necho\n",
        b"#cloud-boothook\necho no interpreter\n", b"#!", b"#! /bin/sh\n", b"# !/bin/sh\n", b"#!/bin/sh",
        b"#part-handler\ndef list_types():\n    return []\ndef handle_part(*a):\n    pass\n",
        b"#part-handlers\nx\n", b"#include", b"#include-once", b"#include\n# nothing\n\n",
        b"##template: jinja\n#cloud-config\na: 1\n", b"##  template: jinja\n#cloud-config\na: 1\n",
        b"## template:jinja\n#cloud-config\na: 1\n", b"## Template: Jinja\n#cloud-config\na: 1\n",
        b"## template: jinja2\n#cloud-config\na: 1\n", b"## template: basic\n#cloud-config\na: 1\n",
        b"## template: jinja trailing\n#cloud-config\na: 1\n",
        b"text/x-shellscript-per-boot\n", b"text/x-shellscript-per-once\n#!/bin/sh\n",
        b"", b"\n", b"   ", b"hello\n", b"a: 1\n", b"bucket=acme\n", b"{\"a\": 1}\n", b"\xff\xfe", b"\x00",
        b"abcd", b"abc", b"abcde===", b"ab==", b"YWJj\n", b"=", b"====", b"ab cd", b"a\xc3\xa9bc",
        b"\x1f\x8b", b"\x1f\x8b\x08\x00", packed(b""), packed(SCRIPT)[:-1], packed(SCRIPT)[:-9],
        packed(SCRIPT) + b"trailing", packed(SCRIPT) + packed(b"echo more\n"), packed(SCRIPT) + b"\x00\x00",
        b" " + packed(SCRIPT), "\u202e#!/bin/sh\n".encode(), "#CLOUD-CONF\u0130G\na: 1\n".encode(),
        "#cloud-config\na: \u00e9\u20ac\U0001f600\n".encode(), "#!/bin/sh\necho \u00e9\u20ac\n".encode(),
        "#cloud-config\na: 1\n".encode("utf-16"), "#!/bin/sh\necho\n".encode("utf-16-le"),
        b"#cloud-config\n# mime-version: 1.0\na: 1\n", b"#!/bin/sh\n# MIME-Version: 1.0\necho\n",
        b"#!/bin/sh\n" + b"# padding line\n" * 272 + b"# mime-version:\n", b"#!/bin/sh\n" + b"#" * 5000 + b"\n# mime-version: 1.0\n",
    ]:
        yield "text %.60r %d" % (text, len(text)), text


def message(*parts, head="MIME-Version: 1.0\n", boundary="XX", end="--XX--\n", kind="multipart/mixed", line="\n"):
    """A multipart message. Each part is all of its bytes, to which the boundary's end of line comes."""
    text = (head + 'Content-Type: %s; boundary="%s"\n\n' % (kind, boundary)).encode()
    for part in parts:
        text += b"--" + boundary.encode() + b"\n"
        text += part + b"\n"
    text += end.encode()
    return text.replace(b"\n", line.encode())


def part(kind="text/x-shellscript", body=SCRIPT, *headers):
    lines = (["Content-Type: " + kind] if kind else []) + list(headers)
    return "".join(line + "\n" for line in lines).encode() + b"\n" + body


def quoted(data):
    return data.replace(b"=", b"=3D").replace(b"echo", b"ec=\nho").replace(b"#", b"=23")


# How a body is encoded, and what its header says of it.
ENCODED = [
    ("base64", base64.b64encode(SCRIPT)), ("base64", base64.encodebytes(SCRIPT)), ("BASE64", base64.b64encode(SCRIPT)),
    ("base64", base64.b64encode(SCRIPT).rstrip(b"=")), ("base64", b"!" + base64.b64encode(SCRIPT)),
    ("base64", base64.b64encode(SCRIPT) + b"\n\ntrailer text\n"), ("base64", SCRIPT), ("base64", b""),
    ("base64", b"A"), ("base64", b" " + base64.b64encode(SCRIPT) + b" "), ("base64 ", base64.b64encode(SCRIPT)),
    ("quoted-printable", quoted(SCRIPT)), ("quoted-printable", SCRIPT), ("quoted-printable", b"#!/bin/sh\nx=zz =\n"),
    ("quoted-printable", b"#!/bin/sh\ntrailing   \nsoft=  \nend=41=4"), ("Quoted-Printable", quoted(SCRIPT)),
    ("7bit", SCRIPT), ("8bit", SCRIPT), ("binary", SCRIPT), ("x-unknown", SCRIPT), ("", SCRIPT),
    ("x-uuencode", b"begin 644 a\n%(R$O8FEN\n \nend\n"),
]
CHARSETS = [
    ("utf-8", "#!/bin/sh\necho \u00e9\u20ac\n".encode()), ("us-ascii", "#!/bin/sh\necho \u00e9\n".encode()),
    ("iso-8859-1", "#!/bin/sh\necho \u00e9\n".encode("latin-1")), ("utf-16", "#!/bin/sh\necho\n".encode("utf-16")),
    ("no-such", "#!/bin/sh\necho \u00e9\n".encode()), ("utf-8", b"#!/bin/sh\n# \xff\xfe\n"), ("utf-8", b"\xff\xfe\xfd"),
]
NAMES = [
    "a.sh", "../../etc/passwd", "/etc/cron.d/x", "..", ".", "a b;c$(d)`e`.sh", "sp ace", "-rf", "x" * 300, "a\\b", "\u00e9.sh",
    "part-001", "p\tq", "~root", "%2e%2e%2f", "con:aux", "a&b|c", "'q'", "(1).sh", "", " ",
]


def encoded_parts():
    for number, (encoding, body) in enumerate(ENCODED):
        header = "Content-Transfer-Encoding: " + encoding
        yield "encoding %d %s" % (number, encoding), message(part("text/x-shellscript", body, header))
        yield "encoding %d %s config" % (number, encoding), message(part("text/plain", body, header))
    for number, (charset, body) in enumerate(CHARSETS):
        for encoding in ["base64", "8bit"]:
            data = base64.encodebytes(body) if encoding == "base64" else body
            if encoding == "8bit" and b"\xff" in body:
                continue  # the whole message would not be UTF-8: that is an input of its own below
            for kind in ["text/x-shellscript", "text/plain", "application/x-thing"]:
                yield "charset %d %s %s %s" % (number, charset, encoding, kind), message(
                    part('%s; charset="%s"' % (kind, charset), data, "Content-Transfer-Encoding: " + encoding))
    for number, name in enumerate(NAMES):
        yield "file name %d" % number, message(
            part("text/x-shellscript", SCRIPT, 'Content-Disposition: attachment; filename="%s"' % name))
    for number, header in enumerate([
        "Content-Disposition: attachment; filename=bare.sh", "Content-Disposition: inline; filename=inline.sh",
        "Content-Disposition: filename=x.sh", "Content-Disposition: attachment; FILENAME=\"up.sh\"",
        "Content-Disposition: attachment; filename*=utf-8''%C3%A9t%C3%A9.sh", "Content-Disposition: attachment",
        "Content-Disposition: attachment; filename=\"a.sh\"; filename=\"b.sh\"", "Content-Disposition: attachment; filename=\"open.sh",
        "Content-Disposition: attachment; filename*0=\"a\"; filename*1=\"b.sh\"", "content-disposition: attachment; filename=low.sh",
        "Content-Disposition: attachment;\n filename=\"folded.sh\"", "Content-Disposition: attachment; filename=\"esc\\\"aped.sh\"",
        "Content-Disposition: attachment; filename==?utf-8?q?word.sh?=", "Content-Type: text/x-shellscript; name=\"byname.sh\"",
    ]):
        yield "disposition %d" % number, message(part(None, SCRIPT, header))


def messages():
    """MIME as a whole: containers, boundaries, headers."""
    two = [part(), part("text/cloud-config", CONFIG)]
    yield "mime of two", message(*two)
    yield "mime CRLF", message(*two, line="\r\n")
    yield "mime gzip", packed(message(*two))
    yield "mime base64", base64.b64encode(message(*two))
    yield "mime without mime-version", message(*two, head="")
    yield "mime-version last", message(*two, head="Subject: x\nMIME-VERSION:1.0\n")
    yield "mime-version deep", message(*two, head="X-Pad: %s\nMime-Version: 1.0\n" % ("y" * 5000))
    yield "mime-version in a body only", message(part(None, b"#!/bin/sh\n# mime-version: 1\n"), head="")
    yield "mime after a blank line", b"\n" + message(*two)
    yield "mime after a From line", b"From me Mon Jan 1 00:00:00 2024\n" + message(*two)
    yield "mime after a bad header", b"no header at all\n" + message(*two)
    yield "mime after a space", b" " + message(*two)
    yield "mime after a comment", b"# comment\n" + message(*two)
    yield "mime after a byte order mark", b"\xef\xbb\xbf" + message(*two)
    yield "mime with a bad byte", message(part(None, b"#!/bin/sh\n# \xff\n"))
    yield "mime with a preamble", message(*two).replace(b"\n\n--XX", b"\n\nThis is a message\n--XX", 1)
    yield "mime with an epilogue", message(*two) + b"\nafter\n#!/bin/sh\n"
    yield "mime without an end", message(*two, end="")
    yield "mime cut in a header", message(*two)[:-70]
    yield "mime without parts", message()
    yield "mime with no boundary", message(*two).replace(b'; boundary="XX"', b"")
    yield "mime with another boundary", message(*two).replace(b'boundary="XX"', b'boundary="YY"')
    yield "mime with a bare boundary", message(*two).replace(b'"XX"', b"XX")
    yield "mime with a boundary that ends in space", message(*two).replace(b"\n--XX\n", b"\n--XX  \t\n")
    yield "mime with a boundary that goes on", message(*two).replace(b"\n--XX\nContent-Type: text/cloud", b"\n--XXY\nContent-Type: text/cloud")
    yield "mime with an odd boundary", message(*two, boundary="=_a'()+_,-./:=? b", end="--=_a'()+_,-./:=? b--\n")
    yield "mime with its end twice", message(*two) + message(part(None, b"#!/bin/sh\necho late\n"))
    yield "mime of one", b"MIME-Version: 1.0\nContent-Type: text/x-shellscript\n\n" + SCRIPT
    yield "mime of one config", b"MIME-Version: 1.0\nContent-Type: text/cloud-config\n\na: 1\n"
    yield "mime of one without type", b"MIME-Version: 1.0\n\n" + CONFIG
    yield "mime of one in base64", b"MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(SCRIPT)
    yield "mime of one with launch index", b"MIME-Version: 1.0\nLaunch-Index: 1\n\n" + SCRIPT
    yield "mime only headers", b"MIME-Version: 1.0\nContent-Type: text/x-shellscript\n"
    for kind in ["multipart/alternative", "multipart/anything", "MULTIPART/MIXED", "multipart/digest", "multipart/signed"]:
        yield "container " + kind, message(*two, part(None, SCRIPT), kind=kind)
    inner = message(part("text/x-shellscript", b"#!/bin/sh\necho in\n"), part("text/cloud-config", b"b: 2\n"), head="", boundary="IN", end="--IN--\n")
    yield "nested", message(two[0], inner, two[1])
    deep = inner
    for level in range(6):
        deep = message(deep, part("text/cloud-config", b"l%d: 1\n" % level), head="", boundary="L%d" % level, end="--L%d--\n" % level)
    yield "nested deep", message(deep)
    yield "nested with the same boundary", message(message(*two, head=""), part())
    yield "rfc822", message(part("message/rfc822", b"Subject: x\nContent-Type: text/x-shellscript\n\n" + SCRIPT), two[1])
    yield "rfc822 multipart", message(part("message/rfc822", message(*two, boundary="RR", end="--RR--\n")), two[1])
    yield "message/partial", message(part("message/partial", SCRIPT), two[1])
    yield "delivery status", message(part("message/delivery-status", b"A: b\n\nC: d\n"), two[1])
    for number, raw in enumerate([
        b"\n" + SCRIPT, b"\n\n" + SCRIPT, SCRIPT, b"Content-Type: text/x-shellscript\n" + SCRIPT,
        b"Content-Type:text/x-shellscript\n\n" + SCRIPT, b"content-type : text/x-shellscript\n\n" + SCRIPT,
        b"Content-Type: text/x-shellscript\n\n\n" + SCRIPT, b"Content-Type: text/\n x-shellscript\n\n" + SCRIPT,
        b" Content-Type: text/x-shellscript\n\n" + SCRIPT, b"Content-Type:\n\n" + SCRIPT, b"X\nContent-Type: text/cloud-config\n\na: 1\n",
        b"Content-Type: text/cloud-config\nContent-Type: text/x-shellscript\n\na: 1\n", b"", b"\n",
    ]):
        yield "part head %d" % number, message(raw, two[1])


def types():
    """What each declared type does to each kind of body."""
    bodies = {"script": SCRIPT, "config": CONFIG, "plain": b"just text\n", "empty": b"", "jinja": HEADERS["jinja"]}
    for kind in [
        None, "text/plain", "text/x-not-multipart", "text/x-shellscript", "TEXT/X-SHELLSCRIPT", "text/cloud-config",
        "text/cloud-config; charset=utf-8", "text/cloud-boothook", "text/jinja2", "text/cloud-config-jsonp",
        "text/cloud-config-archive", "text/x-include-url", "text/x-include-once-url", "text/part-handler", "text/html",
        "application/octet-stream", "application/x-yaml", "text/x-shellscript-per-boot", "text/x-shellscript-per-instance",
        "text/x-shellscript-per-once", "text/upstart-job", "nonsense", "text/", "text/x/y", "image/png",
    ]:
        for body, data in bodies.items():
            if "include" in (kind or "") and data:
                continue  # each line would be asked for as an address
            yield "type %s body %s" % (kind, body), message(part(kind, data), part("text/cloud-config", b"after: 1\n"))
    for kind in ["application/gzip", "application/x-gzip", "application/x-compress", "application/zip", "APPLICATION/GZIP"]:
        for number, data in enumerate([SCRIPT, CONFIG, b"plain\n", packed(SCRIPT), HEADERS["archive"]]):
            body = base64.encodebytes(packed(data))
            extra = ["Content-Transfer-Encoding: base64", "Launch-Index: 0", "Merge-Type: list(append)", 'Content-Disposition: attachment; filename="z.gz"']
            yield "gzip part %s %d" % (kind, number), message(part(kind, body, *extra[:1 + number % 4]), part())
    yield "gzip part that is not", message(part("application/gzip", SCRIPT), part())
    yield "gzip part in text", message(part("text/plain", base64.encodebytes(packed(SCRIPT)), "Content-Transfer-Encoding: base64"), part())


def cases():
    for source in (whole, encoded_parts, messages, types):
        for name, data in source():
            yield {"name": name, "data": data}
