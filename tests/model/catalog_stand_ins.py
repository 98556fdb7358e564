"""Stand-ins on loopback for a model hub, a PyPI index and an npm registry, with faults to order."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class StandIn:
    """Serves `files` by path. `requests`: (path, Range header) of each GET, in order."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.tokens: list[str | None] = []
        self.cut_after: list[
            int
        ] = []  # for the next GETs: close the connection after so many bytes
        self.stated_length: int | None = None
        self.ignores_range = False
        self.chunked = False
        self.status: int | None = None
        self.seconds_per_block = 0.0
        self.url = ""

    @contextmanager
    def running(self) -> Iterator[StandIn]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stand_in._answer(self)

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

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path, asked = handler.path, handler.headers.get("Range")
        self.requests.append((path, asked))
        self.tokens.append(handler.headers.get("Authorization"))
        body = self.files.get(path)
        if body is None or self.status:
            handler.send_response(self.status or 404)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        start = 0
        if asked and not self.ignores_range:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            handler.send_response(200)
        kind = "application/json" if body[:1] == b"{" else "application/octet-stream"
        handler.send_header("Content-Type", "text/html" if path.endswith("/") else kind)
        length = len(body) - start if self.stated_length is None else self.stated_length
        handler.send_header("Connection", "close")
        if not self.chunked:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.close_connection = True
        end = start + self.cut_after.pop(0) if self.cut_after else len(body)
        try:
            for at in range(start, min(end, len(body)), 65536):
                handler.wfile.write(body[at : min(at + 65536, end)])
                time.sleep(self.seconds_per_block)
        except OSError:
            return  # the client has gone, as clients in these tests do

    def add_wheel(
        self, name: str, version: str, members: dict[str, bytes], tags: str = "py3-none-any"
    ) -> None:
        """Publish a wheel as PEP 503 has it."""
        stem = f"{name.replace('-', '_')}-{version}"
        info = f"{stem}.dist-info"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
            for member, data in members.items():
                wheel.writestr(member, data)
            wheel.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
            wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tags}\n")
            wheel.writestr(f"{info}/RECORD", "")
        file = f"{stem}-{tags}.whl"
        self.files[f"/files/{file}"] = packed.getvalue()
        self.files[f"/simple/{name}/"] = f'<a href="/files/{file}">{file}</a>'.encode()

    def add_tarball(self, name: str, version: str, members: dict[str, bytes]) -> None:
        """Publish an npm package."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            manifest = json.dumps({"name": name, "version": version}).encode()
            for member, data in {"package/package.json": manifest, **members}.items():
                entry = tarfile.TarInfo(member)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        body = packed.getvalue()
        digest = base64.b64encode(hashlib.sha512(body).digest()).decode()
        tarball = f"/{name}/-/{name}-{version}.tgz"
        dist = {"tarball": self.url + tarball, "integrity": f"sha512-{digest}"}
        about = {"name": name, "version": version, "dist": dist}
        self.files[tarball] = body
        self.files[f"/{name}"] = json.dumps(
            {"name": name, "dist-tags": {"latest": version}, "versions": {version: about}}
        ).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def listing(path: Path, *artifacts: str) -> Path:
    path.write_text("\n".join(artifacts), "utf-8")
    return path


def artifact(name: str, *files: str, groups: str = "set", folder: bool = False) -> str:
    return (
        f'[[artifact]]\nname = "{name}"\nrole = "ears"\ntitle = "A {name}"\nlanguages = ["en"]\n'
        f'licence = "MIT"\ngroups = ["{groups}"]\nfolder = {str(folder).lower()}\n'
        'hub = { repo = "org/repo", revision = "abc" }\n' + "\n".join(files)
    )


def file(name: str, data: bytes, *, hub: bool = False, more: str = "") -> str:
    return (
        f'[[artifact.file]]\nname = "{name}"\nbytes = {len(data)}\nsha256 = "{sha256(data)}"\n'
        + (f'hub = "{name}"\n' if hub else "")
        + more
        + "\n"
    )


def part(package: str, member: str, data: bytes) -> str:
    return (
        f'{{ package = "{package}", member = "{member}", bytes = {len(data)}, '
        f'sha256 = "{sha256(data)}" }}'
    )
