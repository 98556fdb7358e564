"""Runs the app under uvicorn, so that a call ends well when the server does."""

from __future__ import annotations

import socket as sockets
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from omni_agent.server.limits import ServerSettings


class Server(uvicorn.Server):
    """Tells the calls before their connections are cut; uvicorn alone would close them at once.

    After ctrl-C or SIGTERM `serve` just returns, so that what stands around it is closed too.
    """

    async def shutdown(self, sockets: list[sockets.socket] | None = None) -> None:
        await self.config.app.state.stop()  # type: ignore[union-attr]
        await super().shutdown(sockets)
        self._captured_signals.clear()  # uvicorn would raise them again, and end the process


class _Protocol(WebSocketsSansIOProtocol):
    """Lets a client that takes nothing any more be dropped: closing would wait for it forever."""

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        scope = getattr(self, "scope", None)
        if scope is not None:
            scope["state"]["abort"] = self.transport.abort


def server_of(app: Starlette, settings: ServerSettings, *, log_level: str = "warning") -> Server:
    """`await server_of(app, settings).serve()`. Ctrl-C ends it, and all calls in it."""
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level=log_level,
        ws=_Protocol,
        ws_max_size=settings.limits.message_bytes,
        ws_per_message_deflate=False,  # sound does not get smaller by it
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        timeout_graceful_shutdown=10,
        server_header=False,
    )
    return Server(config)
