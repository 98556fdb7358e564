"""Indexes on a Chroma server (`chroma run`): many memories, each with a database of its own.

A user is a tenant, a memory folder one of the tenant's databases, and each generation of the index
a set of collections in it. The ledger stays in the folder; the server gets ids and vectors alone.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from omni_agent.errors import MemoryServerAway, MissingExtra, SettingsError
from omni_agent.memory.index import VectorIndex, attempt

_USER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,126}[a-zA-Z0-9]")
_TENANT = "default_tenant"  # Chroma's own, of whoever names no user
_SECONDS = 5.0  # an answer is due within; Chroma's own client would wait for ever


class IndexServer:
    """Raises MemoryServerAway where the server does not answer, SettingsError for what is no URL.

    `folder`: the memory's; the database's name is kept there.
    """

    def __init__(self, url: str, user: str | None, folder: Path) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if (
            parts.scheme not in ("http", "https") or not parts.hostname or port == -1
            or parts.path.strip("/") or parts.query or parts.username
        ):  # fmt: skip
            raise SettingsError(f"{url!r} is no address of a server, like 'http://localhost:8000'")
        if user is not None and not _USER.fullmatch(user):
            raise SettingsError(
                f"The user {user!r} cannot be a tenant's name: 3 to 128 letters, digits, dots, "
                "dashes and underscores are wanted. Take an id of theirs."
            )
        self._host, self._https = parts.hostname, parts.scheme == "https"
        self._port = port or (443 if self._https else 80)
        self._url, self._tenant = url, user or _TENANT
        self._check()
        self._has_room = False
        self._database = _kept_name(folder)
        self.name = f"{self._tenant}/{self._database}@{self._host}:{self._port}"

    def open(self, generation: int, model: str) -> VectorIndex:
        return VectorIndex(self._connect, model, version=f".g{generation}")

    def set_aside(self, generation: int) -> str:
        self._delete(lambda name: name.endswith(f".g{generation}"))
        return f"{self._url} ({self._tenant}/{self._database}, generation {generation})"

    def keep_only(self, generation: int | None) -> None:
        self._delete(lambda name: not name.endswith(f".g{generation}"))

    def _delete(self, is_doomed: Callable[[str], bool]) -> None:
        client = attempt(self._connect)
        try:
            for name in [c.name for c in attempt(client.list_collections)]:
                if is_doomed(name):
                    attempt(partial(client.delete_collection, name))
        finally:
            client.close()

    def _check(self) -> None:
        scheme = "https" if self._https else "http"
        try:
            answer = httpx.get(
                f"{scheme}://{self._host}:{self._port}/api/v2/heartbeat", timeout=_SECONDS
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise MemoryServerAway(
                f"There is no Chroma server at {self._url} ({error}). Start one, such as with "
                f"`chroma run --path ./chroma --port {self._port}`, or leave `url` out to keep "
                "the index in the memory's folder."
            ) from error

    def _connect(self) -> Any:
        try:
            import chromadb
            from chromadb.config import Settings
        except ImportError as error:
            raise MissingExtra("chromadb", "compact", needed_for="The memory's index") from error
        self._check()
        if not self._has_room:
            self._make_room(chromadb, Settings(
                anonymized_telemetry=False, chroma_api_impl="chromadb.api.fastapi.FastAPI",
                chroma_server_host=self._host, chroma_server_http_port=self._port,
                chroma_server_ssl_enabled=self._https,
            ))  # fmt: skip
        try:
            client: Any = chromadb.HttpClient(
                self._host, self._port, self._https, tenant=self._tenant, database=self._database,
                settings=Settings(anonymized_telemetry=False),
            )  # fmt: skip
        except ValueError:  # somebody emptied the server meanwhile
            self._has_room = False
            raise
        client._server._session.timeout = _SECONDS
        return client

    def _make_room(self, chromadb: Any, settings: Any) -> None:
        """The tenant and the database, where they are not there yet."""
        admin = chromadb.AdminClient(settings)
        for is_there, make in (
            (partial(admin.get_tenant, self._tenant), partial(admin.create_tenant, self._tenant)),
            (
                partial(admin.get_database, self._database, self._tenant),
                partial(admin.create_database, self._database, self._tenant),
            ),
        ):
            try:
                is_there()
            except chromadb.errors.NotFoundError:
                make()
        self._has_room = True


def _kept_name(folder: Path) -> str:
    """The name of the memory's database, made once: two folders of a user never share one."""
    file = folder / "server-index"
    if not file.exists():
        new = folder / "server-index.new"
        new.write_text(f"memory-{secrets.token_hex(8)}", "ascii")
        new.replace(file)
    return file.read_text("ascii").strip()
