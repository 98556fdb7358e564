"""The page on the server's own app: static files, headers that keep it to itself, Gradio."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from page.blocks import HEAD, STATIC

FILES = Path(__file__).parents[1] / "static"
LARGEST_UPLOAD = "20mb"

HEADERS = {
    # Everything comes from here and goes here. Gradio runs its blocks' scripts by `new Function`.
    "content-security-policy": "; ".join((
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )),
    "permissions-policy": "camera=(self), microphone=(self), display-capture=(self)",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}  # fmt: skip


def mount_page(app: Starlette, page: gr.Blocks) -> Starlette:
    """Put the page at / of an app that has the realtime server at /v1 already."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # it asks the network for its newest version
    app.router.routes.append(Mount(STATIC, StaticFiles(directory=FILES), name="page"))
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=gr.themes.Base(font=["Plex", "system-ui", "sans-serif"], font_mono=["monospace"]),
        head=HEAD,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        max_file_size=LARGEST_UPLOAD,
        show_error=True,
        pwa=False,
        mcp_server=False,
    )
    app.add_middleware(_Headers)
    if hasattr(app.state, "stop"):
        _let_go_of_pages(app, app.router.routes[-1].app)  # type: ignore[attr-defined]
    return app


def _let_go_of_pages(app: Starlette, gradio_app: Any) -> None:
    """Each open page holds a connection for as long as it is open: end them with the calls."""
    stop_calls = app.state.stop

    async def stop() -> None:
        gradio_app.stop_event.set()
        await stop_calls()

    app.state.stop = stop


class _Headers:
    """Adds HEADERS to every page; scripts and words are looked at anew after an update."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if scope["path"].startswith(STATIC):
                    headers["cache-control"] = "no-cache"
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
