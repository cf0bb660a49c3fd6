#!/usr/bin/env python3
"""A small instance metadata service, version 2 only, for the smoke boot.

What it answers follows "Use the Instance Metadata Service to access instance metadata" in the
EC2 user guide: a PUT makes a token with a lifetime, a GET without a good token is 401, what is not
there is 404, a directory is a list of names of which those ending in a slash are directories.

Usage: imds.py --listen ADDRESS:PORT --tree FILE.json --log FILE
"""

import argparse
import http.server
import json
import secrets
import socketserver
import time

TOKEN_PATH = "/latest/api/token"
TOKEN_HEADER = "X-aws-ec2-metadata-token"
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
MAX_TTL = 21600


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection, kept open between requests. `tree`, `log` and `tokens` are set by main."""

    protocol_version = "HTTP/1.1"
    # Header and body leave as one segment; a second one would wait for the first one's ACK.
    wbufsize = -1
    tokens: dict[str, float] = {}

    def do_PUT(self) -> None:
        ttl = self.headers.get(TTL_HEADER, "")
        if self.path != TOKEN_PATH:
            self.answer(404)
        elif not ttl.isdecimal() or not 1 <= int(ttl) <= MAX_TTL:
            self.answer(400)
        else:
            token = secrets.token_urlsafe(40)
            self.tokens[token] = time.monotonic() + int(ttl)
            self.answer(200, token.encode(), {TTL_HEADER: ttl})

    def do_GET(self) -> None:
        if self.tokens.get(self.headers.get(TOKEN_HEADER, ""), 0) < time.monotonic():
            self.answer(401)
            return
        node = {"latest": self.tree}
        for name in filter(None, self.path.split("/")):
            node = node.get(name) if isinstance(node, dict) else None
            if node is None:
                self.answer(404)
                return
        if isinstance(node, dict):
            # The launch keys are the one directory that is listed in a manner of its own.
            node = numbered(node) if name == "public-keys" else listing(node)
        self.answer(200, node.encode())

    def answer(self, code: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self.log.write(f"{self.command} {self.path} {code}\n")

    def log_message(self, format: str, *args: object) -> None:
        self.log.write(format % args + "\n")


class Server(http.server.ThreadingHTTPServer):
    def server_bind(self) -> None:
        # Without HTTPServer's look-up of its own name, which waits for a DNS that is not there.
        socketserver.TCPServer.server_bind(self)


def listing(directory: dict) -> str:
    return "\n".join(name + "/" * isinstance(node, dict) for name, node in directory.items())


def numbered(directory: dict) -> str:
    return "\n".join(f"{name}=launch-key" for name in directory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", required=True)
    parser.add_argument("--tree", required=True, type=argparse.FileType())
    parser.add_argument("--log", required=True, type=argparse.FileType("a", bufsize=1))
    options = parser.parse_args()
    Handler.tree, Handler.log = json.load(options.tree), options.log
    address, port = options.listen.rsplit(":", 1)
    Server((address, int(port)), Handler).serve_forever()


main()
