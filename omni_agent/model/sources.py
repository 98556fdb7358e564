"""Where a file can come from besides packages: a folder, the hub's own cache, the hub, a URL."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from omni_agent.errors import VerificationFailed
from omni_agent.model.artifacts import Artifact, ArtifactFile, HubFile
from omni_agent.model.partial import Partial, SourceFailed

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Hub:
    """A model hub, set up by the variables that its own tools read.

    HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE mean what they mean there.
    """

    endpoint: str
    cache: Path
    token: str | None
    offline: bool

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Hub:
        caches = Path(env.get("XDG_CACHE_HOME") or "~/.cache")
        home = Path(env.get("HF_HOME") or caches / "huggingface").expanduser()
        token = env.get("HF_TOKEN") or env.get("HUGGING_FACE_HUB_TOKEN")
        token_file = Path(env.get("HF_TOKEN_PATH") or home / "token").expanduser()
        if not token and token_file.is_file():
            token = token_file.read_text("utf-8").strip()
        return cls(
            endpoint=(env.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/"),
            cache=Path(env.get("HF_HUB_CACHE") or home / "hub").expanduser(),
            token=token or None,
            offline=env.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"),
        )

    def url(self, file: HubFile) -> str:
        return f"{self.endpoint}/{file.repo}/resolve/{quote(file.revision)}/{quote(file.path)}"

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def cached(self, file: HubFile) -> Iterator[Path]:
        """What the hub's own tools have already fetched, of any revision."""
        repo = self.cache / f"models--{file.repo.replace('/', '--')}" / "snapshots"
        yield from (path for path in repo.glob(f"*/{file.path}") if path.is_file())


def in_folder(folder: Path, artifact: Artifact, file: ArtifactFile) -> Iterator[Path]:
    """Where a folder of the user's may hold the file: folder/artifact/file or folder/file."""
    for path in (folder / artifact.name / file.name, folder / file.name):
        if path.is_file():
            yield path


class Web:
    """Downloads that go on where they were cut, over HTTP.

    A host that cannot be connected to is not tried again by this object: one wait, not one per
    file. `patience`: seconds to wait for a connection.
    """

    def __init__(self, *, patience: float = 5.0, pause: float = 0.5) -> None:
        self._patience = patience
        self._pause = pause
        self._unreachable: dict[str, str] = {}
        self._client: httpx.Client | None = None

    def fill(self, url: str, partial: Partial, headers: Mapping[str, str] | None = None) -> None:
        """Add what `partial` lacks. Raises SourceFailed, VerificationFailed or DiskFull."""
        import httpx

        host = urlsplit(url).netloc
        if reason := self._unreachable.get(host):
            raise SourceFailed(f"{host} cannot be reached ({reason})")
        partial.resume()
        breaks = stalls = 0
        while partial.size < partial.file.bytes:
            before = partial.size
            try:
                self._stream(url, partial, headers or {})
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
                self._unreachable[host] = _words(error)
                raise SourceFailed(f"{host} cannot be reached ({_words(error)})") from error
            except (httpx.TransportError, _Busy) as error:
                breaks += 1
                stalls = 0 if partial.size > before else stalls + 1
                if stalls > 2 or breaks > 100:
                    raise SourceFailed(
                        f"{url} broke off at {partial.size:,} of {partial.file.bytes:,} bytes "
                        f"({_words(error)})"
                    ) from error
                time.sleep(self._pause * 2**stalls)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise SourceFailed(f"{url}: {_words(error)}") from error

    def close(self) -> None:
        if self._client:
            self._client.close()
            self._client = None

    def _stream(self, url: str, partial: Partial, headers: Mapping[str, str]) -> None:
        asked = {"Accept-Encoding": "identity", **headers}
        if partial.size:
            asked["Range"] = f"bytes={partial.size}-"
        with self._open().stream("GET", url, headers=asked) as response:
            status = response.status_code
            if status == 429 or status >= 500:
                raise _Busy(f"HTTP {status}")
            if status == 416 and partial.size:
                partial.restart()
                raise _Busy("the range was refused")
            if status not in (200, 206):
                raise SourceFailed(f"{url} answered HTTP {status}")
            if status == 206 and not _starts_at(response.headers, partial.size):
                partial.restart()
                raise _Busy("the server sent another range than was asked for")
            if status == 200 and partial.size:
                partial.restart()
            stated = response.headers.get("Content-Length", "")
            if stated.isdigit() and partial.size + int(stated) != partial.file.bytes:
                raise VerificationFailed(
                    f"{url} states {partial.size + int(stated):,} bytes, "
                    f"the catalog {partial.file.bytes:,}"
                )
            for block in response.iter_raw():  # sized by the network: a cut loses none of them
                partial.write(block)
        if partial.size < partial.file.bytes:
            raise _Busy("the server stopped early")

    def _open(self) -> httpx.Client:
        import httpx

        if self._client is None:
            self._client = httpx.Client(
                follow_redirects=True,
                timeout=httpx.Timeout(30.0, connect=self._patience),
                headers={"User-Agent": "omni-agent"},
            )
        return self._client


class _Busy(Exception):
    """Worth another try at the same place."""


def _starts_at(headers: Mapping[str, str], start: int) -> bool:
    return headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
