"""Who may come in: `Host`, `Origin` and token of a request are looked at, in that order.

A page of any web site can open a WebSocket to this machine; only the browser says so, in `Origin`.
One that makes its own name point to 127.0.0.1 is given away by `Host`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from omni_agent.server.limits import ServerSettings, is_loopback

SUBPROTOCOL = "realtime"
_TOKEN_SUBPROTOCOL = "openai-insecure-api-key."
"""How a browser's WebSocket, which cannot send headers, hands over its token."""

_GUARDED = re.compile(r"/v1(/|$)|/metrics/?$")
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Gate:
    """ASGI middleware that refuses with 403 or 401; pages and `/healthz` need no token."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._token = settings.token
        self._origins = {_place(origin) for origin in settings.origins}
        self._host = settings.host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(HTTPConnection(scope))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(refusal)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, connection: HTTPConnection) -> JSONResponse | None:
        host = connection.headers.get("host", "")
        name = urlsplit(f"//{host}").hostname or ""
        if self._token is None and not is_loopback(name) and name != self._host:
            return refused(
                403, f"this server is not known as {host!r}; use http://127.0.0.1", "bad_host"
            )
        origin = connection.headers.get("origin")
        if origin is not None and not (_same(origin, host) or _place(origin) in self._origins):
            return refused(
                403,
                f"pages of {origin} may not connect; start the server with --origin {origin}",
                "bad_origin",
            )
        if self._token is not None and _GUARDED.match(connection.url.path):
            given = _token_of(connection.headers.get("authorization", ""), _offered(connection))
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                return refused(
                    401,
                    "the token is missing or wrong; send it as `Authorization: Bearer …`"
                    if connection.scope["type"] == "http"
                    else "the token is missing or wrong; send it as `Authorization: Bearer …`, or "
                    f"as the subprotocol `{_TOKEN_SUBPROTOCOL}…`",
                    "invalid_api_key",
                )
        return None


def refused(status: int, message: str, code: str) -> JSONResponse:
    """An error in the form that OpenAI's clients read."""
    kind = "invalid_request_error" if status < 500 and status != 429 else "server_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    return JSONResponse({"error": error}, status)


def accepted_subprotocol(offered: Collection[str]) -> str | None:
    return SUBPROTOCOL if SUBPROTOCOL in offered else None


def _offered(connection: HTTPConnection) -> list[str]:
    return list(connection.scope.get("subprotocols", ()))


def _token_of(authorization: str, subprotocols: Collection[str]) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    tokens = (s for s in subprotocols if s.startswith(_TOKEN_SUBPROTOCOL))
    return next(tokens, "").removeprefix(_TOKEN_SUBPROTOCOL)


def _same(origin: str, host: str) -> bool:
    """Whether a page of `origin` is the server's own. A proxy may turn https into http."""
    _, name, port = _place(origin)
    _, own_name, own_port = _place(f"//{host}")
    return bool(name) and name == own_name and port in ((own_port,) if own_port else (80, 443))


def _place(origin: str) -> tuple[str, str, int | None]:
    """Scheme, host and port; a browser leaves out a scheme's usual port."""
    parts = urlsplit(origin)
    try:
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        port = None
    return parts.scheme, (parts.hostname or "").lower(), port
