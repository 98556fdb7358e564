"""One polite conversation with Overpass servers: errors in their many disguises, rests, mirrors."""

from __future__ import annotations

import asyncio
import html
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx

from omni_agent.clock import Clock
from omni_agent.errors import SettingsError, ToolError

logger = logging.getLogger("omni_agent.tools.places")

LEAST_REST_S = 30.0
"""After a 429 the operators ask for at least this much silence."""
_LONGEST_REST_S = 600.0
_REST_OF_BROKEN_S = 30.0
_LARGEST_ANSWER = 16 * 1024 * 1024
_SLOT = re.compile(r"Slot available after: [^,]+, in (-?\d+) seconds")


@dataclass(slots=True)
class _Server:
    url: str
    rests_until: float = 0.0
    last_trouble: str = ""


class _ServerTrouble(Exception):
    """This server does not answer now; the next may."""

    def __init__(self, reason: str, *, rest_s: float = _REST_OF_BROKEN_S) -> None:
        super().__init__(reason)
        self.rest_s = rest_s


class OverpassServers:
    """Asks the first server that is not resting. Not for parallel use: the policy forbids it."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        contact: str,
        timeout_s: float,
        patience_s: float,
        clock: Clock,
    ) -> None:
        if not urls or any(not u.startswith(("http://", "https://")) for u in urls):
            raise SettingsError(
                f"mirrors is {list(urls)!r}; give at least one http(s) address that ends in "
                "/api/interpreter."
            )
        if not re.fullmatch(r"[\x21-\x7e][\x20-\x7e]{2,199}", contact):
            raise SettingsError(
                f"contact is {contact!r}; Overpass refuses programs that do not say whom to "
                "write to. Give an e-mail address or a web page."
            )
        self._servers = [_Server(url) for url in urls]
        self._headers = {"User-Agent": f"omni-agent/{_own_version()} ({contact})"}
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._clock = clock

    async def ask(self, query: str) -> list[Any]:
        """The elements of the answer.

        Raises ToolError: at once where the query or the program is refused, else after every
        server was tried and no wait within the patience is left.
        """
        waited = 0.0
        while True:
            for server in self._servers:
                if server.rests_until > self._clock.monotonic():
                    continue
                try:
                    return await self._ask_one(server, query)
                except _ServerTrouble as trouble:
                    server.rests_until = self._clock.monotonic() + trouble.rest_s
                    server.last_trouble = str(trouble)
                    logger.info("%s: %s", server.url, trouble)
            wait = min(s.rests_until for s in self._servers) - self._clock.monotonic()
            if waited + wait > self._patience_s:
                raise ToolError(self._nobody_answers(wait))
            logger.info("all map servers are busy; waiting %.0f s", wait)
            await self._clock.sleep(wait)
            waited += max(wait, 0.001)

    async def _ask_one(self, server: _Server, query: str) -> list[Any]:
        timeout = httpx.Timeout(self._timeout_s, connect=min(10.0, self._timeout_s))
        # A client for each request: rare requests gain nothing from kept connections, and a
        # guide may be used from one event loop after another.
        async with httpx.AsyncClient(headers=self._headers, timeout=timeout) as client:
            try:
                async with asyncio.timeout(self._timeout_s):  # httpx's own counts from byte to byte
                    status, body = await _post(client, server.url, query)
            except (TimeoutError, httpx.TransportError, httpx.DecodingError) as error:
                reason = str(error) or type(error).__name__
                raise _ServerTrouble(f"no answer ({reason})") from error
            match status:
                case 200:
                    return _elements(body)
                case 400:
                    raise ToolError(f"The map server cannot read the query: {_text(body)}")
                case 406:
                    raise ToolError(
                        "The map server refuses this program's User-Agent "
                        f"({self._headers['User-Agent']!r}); set another contact. {_text(body)}"
                    )
                case 429:
                    rest_s = await _seconds_to_slot(client, server.url)
                    raise _ServerTrouble(f"busy for {rest_s:.0f} s (429)", rest_s=rest_s)
                case _:
                    raise _ServerTrouble(f"HTTP {status}: {_text(body)}")

    def _nobody_answers(self, wait: float) -> str:
        tried = "; ".join(f"{s.url}: {s.last_trouble}" for s in self._servers)
        return f"No map server answers now; try again in {max(1, round(wait))} seconds. ({tried})"


async def _post(client: httpx.AsyncClient, url: str, query: str) -> tuple[int, bytes]:
    async with client.stream("POST", url, data={"data": query}) as response:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _LARGEST_ANSWER:
                raise _ServerTrouble(f"answers more than {_LARGEST_ANSWER >> 20} MiB")
        return response.status_code, bytes(body)


async def _seconds_to_slot(client: httpx.AsyncClient, url: str) -> float:
    """How long the server asks to be left alone, from its status page; never under 30 s."""
    status_url = re.sub(r"/interpreter/?$", "/status", url)
    try:
        page = (await client.get(status_url)).text
    except httpx.HTTPError as error:
        logger.debug("%s does not answer: %r", status_url, error)
        return LEAST_REST_S
    slots = [int(seconds) for seconds in _SLOT.findall(page[:10_000])]
    return min(max(LEAST_REST_S, float(min(slots, default=0))), _LONGEST_REST_S)


def _elements(body: bytes) -> list[Any]:
    """Raises _ServerTrouble for the errors that come with status 200."""
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise _ServerTrouble(f"answers what is no JSON: {_text(body)}") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("elements"), list):
        raise _ServerTrouble(f"answers JSON without elements: {_text(body)}")
    if remark := answer.get("remark"):  # a query that broke off says so here, with half a result
        raise _ServerTrouble(f"broke off: {str(remark)[:200]}")
    elements: list[Any] = answer["elements"]
    return elements


def _text(body: bytes) -> str:
    """The words of an HTML error page."""
    page = body[:5000].decode("utf-8", errors="replace")
    page = re.sub(r"<(head|style|script)\b.*?</\1>", " ", page, flags=re.DOTALL | re.IGNORECASE)
    words = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
    error_at = words.find("Error")
    return words[max(0, error_at) :][:200]


def _own_version() -> str:
    try:
        return version("omni-agent")
    except PackageNotFoundError:  # run from a source tree
        return "0"
