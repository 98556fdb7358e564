"""Lines typed at the terminal, while everything else goes on."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable

import typer

from omni_agent.cli.show import call_text, clean
from omni_agent.messages import ToolCall


class Lines:
    """Reads a line at a time in a thread of its own, for which nobody has to wait at the end."""

    def __init__(self) -> None:
        self._coming: asyncio.Future[str | None] | None = None
        try:
            import readline  # gives input() its keys and its history
        except ImportError:  # Windows, whose console has keys of its own
            self._typed: Callable[[], str] = str
        else:
            self._typed = readline.get_line_buffer

    @property
    def typed(self) -> str:
        """What stands in the line that is being typed."""
        return self._typed() if self._coming is not None else ""

    async def ask(self, prompt: str = "") -> str | None:
        """The next line, None at the end of input. The prompt is for terminals only.

        A question that is given up goes on waiting; the line then answers the next one.
        """
        prompt = prompt if sys.stdin.isatty() else ""
        if self._coming is None:
            self._coming = asyncio.get_running_loop().create_future()
            threading.Thread(
                target=self._read, args=(prompt, self._coming), daemon=True, name="lines"
            ).start()
        else:
            sys.stdout.write(prompt)
            sys.stdout.flush()
        line = await asyncio.shield(self._coming)
        self._coming = None
        return line

    def _read(self, prompt: str, into: asyncio.Future[str | None]) -> None:
        try:
            line: str | None = input(prompt)
        except (EOFError, UnicodeDecodeError):
            line = None

        def give() -> None:
            if not into.done():
                into.set_result(line)

        loop = into.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(give)


class AskToApprove:
    """An `Approver` that asks at the terminal; without one it never agrees."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    async def __call__(self, call: ToolCall) -> bool:
        if not sys.stdin.isatty():
            typer.echo(f"not allowed without a terminal to ask: {call_text(call)}", err=True)
            return False
        answer = await self._lines.ask(f"allow {clean(call_text(call))}? [y/N] ")
        return answer is not None and answer.strip().lower() in ("y", "yes", "是", "好")
