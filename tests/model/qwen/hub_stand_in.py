"""A model hub on loopback, of one repository: what its API lists, and its files with ranges."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class HubStandIn:
    """`files` by name. `asked`: method and path of each request. `cut_after`: for the next GETs,
    how many bytes to give before the connection breaks.
    """

    def __init__(self, repo: str, revision: str) -> None:
        self.repo, self.revision = repo, revision
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.tokens: set[str | None] = set()
        self.cut_after: list[int] = []
        self.status: int | None = None
        self.url = ""

    @contextmanager
    def running(self) -> Iterator[HubStandIn]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stand_in._answer(self, body=True)

            def do_HEAD(self) -> None:
                stand_in._answer(self, body=False)

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler, *, body: bool) -> None:
        path = unquote(urlsplit(handler.path).path)
        self.asked.append((handler.command, path))
        self.tokens.add(handler.headers.get("Authorization"))
        status, headers, content = self._found(path, handler.headers.get("Range"))
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        if body:
            is_file = "/resolve/" in path
            end = self.cut_after.pop(0) if is_file and self.cut_after else len(content)
            handler.wfile.write(content[:end])

    def _found(self, path: str, asked: str | None) -> tuple[int, dict[str, str], bytes]:
        if self.status is not None:
            return self.status, {}, b""
        if path == f"/api/models/{self.repo}/revision/{self.revision}":
            siblings = [{"rfilename": n, "size": len(b)} for n, b in self.files.items()]
            about = {"id": self.repo, "sha": self.revision, "siblings": siblings}
            return 200, {"Content-Type": "application/json"}, json.dumps(about).encode()
        content = self.files.get(path.removeprefix(f"/{self.repo}/resolve/{self.revision}/"))
        if content is None:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": self.revision,
            "Accept-Ranges": "bytes",
        }
        if asked and (match := re.fullmatch(r"bytes=(\d+)-", asked)):
            start = int(match[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return 206, headers, content[start:]
        return 200, headers, content
