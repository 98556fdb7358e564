"""Keys as they are pressed, while everything else goes on."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LEAVE = ""
"""What stands for the end of input, ctrl-D and a `q`."""

ENTER = "\n"


class Keys:
    """`async for key in keys` gives single keys of a terminal until the user wants to leave.

    Where standard input is no terminal each line is an Enter, or the first letter in it. The
    thread that reads ends with the process; nobody has to wait for it.
    """

    def __init__(self) -> None:
        self._pressed: asyncio.Queue[str] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def are_from_a_terminal(self) -> bool:
        return sys.stdin.isatty()

    def __aiter__(self) -> Keys:
        return self

    async def __anext__(self) -> str:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._read, daemon=True, name="keys").start()
        key = await self._pressed.get()
        if key in (LEAVE, "q", "Q", "\x04"):
            raise StopAsyncIteration
        return key

    def _read(self) -> None:
        source = _console_keys() if sys.stdin.isatty() else _lines()
        try:
            for key in source:
                self._give(key)
        except (OSError, ValueError):  # standard input was closed under it
            pass
        self._give(LEAVE)

    def _give(self, key: str) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._pressed.put_nowait, key)


@contextmanager
def single_keys() -> Iterator[None]:
    """The terminal gives each key at once and does not show it; as before afterwards."""
    restore = _without_lines() if sys.stdin.isatty() else None
    try:
        yield
    finally:
        if restore is not None:
            restore()


def _lines() -> Iterator[str]:
    for line in sys.stdin:
        yield line.strip()[:1] or ENTER


if sys.platform == "win32":
    import msvcrt

    def _without_lines() -> Callable[[], None] | None:
        return None  # the console gives single keys when asked for them

    def _console_keys() -> Iterator[str]:
        while True:
            key = msvcrt.getwch()
            if key == "\x03":
                import _thread

                _thread.interrupt_main()
            yield ENTER if key == "\r" else key

else:
    import termios
    import tty

    def _without_lines() -> Callable[[], None] | None:
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        tty.setcbreak(terminal)
        return lambda: termios.tcsetattr(terminal, termios.TCSADRAIN, before)

    def _console_keys() -> Iterator[str]:
        while key := sys.stdin.read(1):
            yield key
