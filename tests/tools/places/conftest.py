"""A small town around the point HOME, and a map server that can be told how to behave."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

HOME = (60.17, 24.94)


@pytest.fixture
def write_map(tmp_path: Path) -> Callable[..., Path]:
    """write_map(nodes=[(lat, lon, tags)], ways=[([(lat, lon), ...], tags)]) → a file."""
    osmium = pytest.importorskip("osmium")

    def write(nodes: list[Any] = (), ways: list[Any] = (), name: str = "town.osm.pbf") -> Path:
        path = tmp_path / name
        writer = osmium.SimpleWriter(str(path))
        ids: dict[tuple[float, float], int] = {}
        corners = [corner for line, _ in ways for corner in line]
        for lat, lon in corners:
            if (lat, lon) not in ids:
                ids[lat, lon] = len(ids) + 1
        mutable = osmium.osm.mutable
        for (lat, lon), number in ids.items():
            writer.add_node(mutable.Node(id=number, version=1, location=(lon, lat)))
        for number, (lat, lon, tags) in enumerate(nodes, start=1_000_000):
            writer.add_node(mutable.Node(id=number, version=1, location=(lon, lat), tags=tags))
        for number, (line, tags) in enumerate(ways, start=1):
            refs = [ids[corner] for corner in line]
            writer.add_way(mutable.Way(id=number, version=1, nodes=refs, tags=tags))
        writer.close()
        return path

    return write


@dataclass
class MapServer:
    """Answers with the scripted replies in order, the last again and again."""

    url: str = ""
    replies: list[tuple[int, str]] = field(default_factory=list)
    status_page: str = "Rate limit: 2\n2 slots available now.\n"
    delay_s: float = 0.0
    queries: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    asked_at_once: int = 0
    most_at_once: int = 0

    def will(self, *replies: tuple[int, Any]) -> MapServer:
        self.replies = [(s, b if isinstance(b, str) else json.dumps(b)) for s, b in replies]
        return self


@pytest.fixture
def start_server() -> Iterator[Callable[[], MapServer]]:
    started: list[ThreadingHTTPServer] = []

    def start() -> MapServer:
        script = MapServer()
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                with lock:
                    script.asked_at_once += 1
                    script.most_at_once = max(script.most_at_once, script.asked_at_once)
                length = int(self.headers["Content-Length"])
                query = parse_qs(self.rfile.read(length).decode())["data"][0]
                threading.Event().wait(script.delay_s)
                with lock:
                    script.queries.append(query)
                    script.agents.append(self.headers["User-Agent"])
                    reply = script.replies.pop(0) if len(script.replies) > 1 else script.replies[0]
                    script.asked_at_once -= 1
                self._send(*reply)

            def do_GET(self) -> None:
                self._send(200, script.status_page)

            def _send(self, status: int, body: str) -> None:
                data = body.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                with suppress(BrokenPipeError, ConnectionResetError):  # the asker lost patience
                    self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        started.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        script.url = f"http://127.0.0.1:{server.server_address[1]}/api/interpreter"
        return script

    yield start
    for server in started:
        server.shutdown()
        server.server_close()
