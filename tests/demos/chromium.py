"""A headless Chromium whose microphone and camera are files, and a server for it to talk to."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from pathlib import Path
from typing import Any

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
QUIET = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
)


def missing() -> str | None:
    """Why no page can be tested here, or None."""
    if PROGRAM is None:
        return "no Chromium is installed: apt-get install chromium"
    for package, extra in (("playwright", "dev"), ("gradio", "demo")):
        try:
            __import__(package)
        except ImportError:
            return f'{package} is not installed: pip install "omni-agent[{extra}]"'
    return None


class Browsers:
    """One Chromium for each microphone and camera; a fresh profile for each context."""

    def __init__(self, playwright: Any) -> None:
        self._playwright = playwright
        self._running: dict[tuple[str, ...], Any] = {}

    def context(
        self,
        *,
        microphone: Path | None = None,
        camera: Path | None = None,
        allow: bool = True,
        share: bool = False,
        **options: Any,
    ) -> Any:
        """`microphone`: a WAV that plays once from when it is opened. `camera`: an MJPEG or Y4M.

        `allow`: both are granted without a question; else it is answered with no. `share`:
        who is asked for a screen gives one.
        """
        flags = []
        if microphone is not None:
            flags.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
        if camera is not None:
            flags.append(f"--use-file-for-fake-video-capture={camera}")
        if share:
            flags.append("--use-fake-ui-for-media-stream")
        key = tuple(flags)
        if key not in self._running:
            self._running[key] = self._playwright.chromium.launch(
                executable_path=PROGRAM, args=[*QUIET, *flags]
            )
        options.setdefault("viewport", {"width": 1280, "height": 800})
        context = self._running[key].new_context(**options)
        context.set_default_timeout(30_000)
        if allow:
            context.grant_permissions(["microphone", "camera"])
        return context

    def close(self) -> None:
        for browser in self._running.values():
            browser.close()


class Serving:
    """An ASGI app on a loopback port, in a thread; another may be started in its place."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"

    def start(self, app: Any) -> None:
        import uvicorn

        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=self.port,
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(15)
