"""How a turn looks in a terminal, and as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, assert_never

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from omni_agent.events import (
    ApprovalRequested,
    AudioDelta,
    Event,
    MemoryRecalled,
    MemoryStored,
    Reply,
    TextDelta,
    Timings,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
    UserTranscript,
)
from omni_agent.messages import ToolCall

_LABEL = 10  # columns
_RESULT_CHARS = 160
_PIECE = re.compile(r"[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+|\s+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


class Show:
    """Prints a turn while it happens: what was heard, recalled and done, the words as they come.

    `quiet` leaves only the answer's words. Without a terminal each entry is one line.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console = console
        self._quiet = quiet
        self._saying: str | None = None  # the label of the words that are being written
        self._column = 0
        self._last = " "  # the character written last

    def event(self, event: Event) -> None:
        match event:
            case TurnStarted() | AudioDelta() | MemoryStored() | ApprovalRequested():
                pass
            case UserTranscript():
                self.entry("heard", event.text or "(nothing)", f"({event.language})")
            case MemoryRecalled():
                for memory in event.memories:
                    self.entry("recalled", memory.text, f"{memory.kind}, {memory.score:.2f}")
            case ToolStarted():
                self.entry("tool", call_text(event.call))
            case ToolFinished():
                self._result(event)
            case TextDelta():
                self.words(event.text, "meanwhile" if event.filler else "says")
            case TurnFinished():
                self._end_words()
                if event.reply.stopped not in ("done", "cancelled"):
                    self.entry("stopped", _STOPPED[event.reply.stopped])
                self.entry("timings", timings_text(event.reply.timings))
            case _:
                assert_never(event)

    def entry(self, label: str, text: str, note: str = "", style: str = "") -> None:
        """One labelled entry; `note` is set back behind it."""
        self._end_words()
        if self._quiet:
            return
        line = Text(clean(text), style=style)
        if note:
            line.append(f"  {note}", style="dim")
        self._labelled(label, line)

    def words(self, text: str, label: str = "says") -> None:
        """More of a running text."""
        text = clean(text)
        if self._quiet:
            if label != "meanwhile":
                self.console.out(text, end="", highlight=False)
                self._saying = label
            return
        if self._saying != label:
            self._end_words()
            text = text.lstrip()
            if not text:
                return
            self.console.print(Text(f"{label:<{_LABEL}}", style="bold"), end="")
            self._saying, self._column, self._last = label, _LABEL, " "
        for piece in _PIECE.findall(text):
            self._flow(piece)

    def end(self) -> None:
        """Finish a line that was begun, as after an interruption."""
        self._end_words()

    # --- inside ------------------------------------------------------------------------------

    def _flow(self, piece: str) -> None:
        """Write on, in a new line where the word would not fit."""
        width = cell_len(piece)
        if self.console.is_terminal and self._column + width > self.console.width - 1:
            new_word = self._last.isspace() or cell_len(self._last) == 2 or cell_len(piece[0]) == 2
            if piece.isspace() or (new_word and piece not in "，。！？；：、）”"):
                self.console.out("\n" + " " * _LABEL, end="", highlight=False)
                self._column = _LABEL
                if piece.isspace():
                    return
        self.console.out(piece, end="", highlight=False)
        self._column += width
        self._last = piece[-1]

    def _end_words(self) -> None:
        if self._saying is not None:
            self.console.out("")
            self._saying = None

    def _result(self, event: ToolFinished) -> None:
        content = event.result.content
        if len(content) > _RESULT_CHARS:
            content = f"{content[:_RESULT_CHARS]} …"
        style = "red" if event.result.is_error else "dim"
        self.entry("", f"→ {content}", f"{event.seconds:.2f} s", style)

    def _labelled(self, label: str, line: Text) -> None:
        head = Text(f"{label:<{_LABEL}}", style="bold")
        if not self.console.is_terminal:
            self.console.print(head + line, soft_wrap=True)
            return
        wrapped = line.wrap(self.console, max(20, self.console.width - _LABEL))
        for i, part in enumerate(wrapped):
            self.console.print((head if i == 0 else Text(" " * _LABEL)) + part)


_STOPPED = {
    "length": "the answer was cut at its longest length",
    "max_steps": "the tools did not come to an end",
}


def clean(text: str) -> str:
    """Without what would steer the terminal, in one line."""
    return _CONTROL.sub("", text.replace("\n", " "))


def call_text(call: ToolCall) -> str:
    """find_dish(dish="sushi", limit=3)"""
    arguments = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in call.arguments.items()
    )
    return f"{call.name}({arguments})"


def timings_text(timings: Timings) -> str:
    parts = {
        "first filler": timings.first_filler,
        "first text": timings.first_text,
        "first audio": timings.first_audio,
        "total": timings.total,
    }
    return " · ".join(f"{name} {s:.2f} s" for name, s in parts.items() if s is not None)


def reply_json(reply: Reply, audio: Path | None) -> dict[str, Any]:
    """A `Reply` as JSON values; its sound as the path it was written to. Seconds to 1 ms."""

    def seconds(value: float | None) -> float | None:
        return None if value is None else round(value, 3)

    timings, usage = reply.timings, reply.usage
    return {
        "text": reply.text,
        "audio": None if audio is None else str(audio),
        "audio_seconds": None if reply.audio is None else seconds(reply.audio.seconds),
        "heard": reply.heard,
        "language": reply.language,
        "tools": [
            {
                "name": run.call.name,
                "arguments": run.call.arguments,
                "result": run.result.content,
                "is_error": run.result.is_error,
                "seconds": seconds(run.seconds),
            }
            for run in reply.tools
        ],
        "recalled": [
            {
                "id": memory.id,
                "kind": memory.kind,
                "text": memory.text,
                "at": memory.at.isoformat(),
                "score": round(memory.score, 3),
                "speaker": memory.speaker,
            }
            for memory in reply.recalled
        ],
        "stored": list(reply.stored),
        "stopped": reply.stopped,
        "timings": {
            "first_text": seconds(timings.first_text),
            "first_audio": seconds(timings.first_audio),
            "first_filler": seconds(timings.first_filler),
            "total": seconds(timings.total),
            "tools": seconds(timings.tools),
            "recall": seconds(timings.recall),
        },
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "cached_tokens": usage.cached_tokens,
            "completion_tokens": usage.completion_tokens,
        },
    }
