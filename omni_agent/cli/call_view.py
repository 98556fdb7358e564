"""How a live call looks in a terminal: what was said and done stays, a sign below tells the state.

you       Do you know a soup with lentils?
tool      find_recipes(what="lentil soup") → 3 recipes                      0.12 s
kitchen   There is the red lentil soup of Turkey. Shall we?                 0.94 s
● listening  ▂▃▅▃▁   what do I need for
Enter stops the answer · m mutes · q leaves
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import assert_never

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from omni_agent.cli.show import call_text, clean
from omni_agent.events import (
    ApprovalRequested,
    AudioDelta,
    CallEnded,
    CallState,
    FrameSeen,
    Interrupted,
    LiveEvent,
    MemoryRecalled,
    MemoryStored,
    OutputControl,
    PartialTranscript,
    PeoplePresent,
    SpeechStarted,
    SpeechStopped,
    StateChanged,
    TextDelta,
    ToolFinished,
    ToolStarted,
    Trouble,
    TurnFinished,
    TurnMeasured,
    TurnStarted,
    UserTranscript,
)

_LABEL = 10  # columns
_RESULT_CHARS = 120
_SIGNS: dict[CallState, tuple[str, str]] = {
    "idle": ("○", "dim"),
    "listening": ("●", "bold green"),
    "thinking": ("◐", "bold yellow"),
    "speaking": ("▶", "bold cyan"),
    "acting": ("⚙", "bold magenta"),
}
_BARS = " ▁▂▃▄▅▆▇"
_SHOWN_LEVELS = 8
_REFRESHED = 12  # times a second


class CallView:
    """Shows the events of one call. `name` is the agent's; `level` gives the microphone's dBFS,
    `sounded` how many characters of the reply have sounded.

    Without a terminal only what stays is written, one line each. `quiet` leaves the agent's words.
    """

    def __init__(
        self,
        console: Console,
        *,
        name: str,
        keys: str,
        level: Callable[[], float],
        sounded: Callable[[], int],
        quiet: bool = False,
    ) -> None:
        self._console = console
        self._name = name
        self._keys = keys
        self._level = level
        self._sounded = sounded
        self._quiet = quiet
        self._state: CallState = "idle"
        self._muted = False
        self._caption = ""
        self._reply = ""
        self._filler = ""
        self._finished = False  # the reply is whole, but has not sounded yet
        self._seconds: float | None = None  # to its first sound
        self._tools: dict[str, ToolStarted] = {}
        self._levels = [-100.0] * _SHOWN_LEVELS
        self._frames: dict[str, float] = {}
        self._there = ""  # who was there when it was last told
        self._live: Live | None = None

    def __enter__(self) -> CallView:
        if self._console.is_terminal and not self._quiet:
            self._live = Live(
                get_renderable=self._below,
                console=self._console,
                refresh_per_second=_REFRESHED,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._reply_is_over()
        if self._live is not None:
            self._live.stop()

    # --- what happens ------------------------------------------------------------------------

    def event(self, event: LiveEvent) -> None:
        match event:
            case StateChanged():
                self._state = event.state
                if self._finished and event.state in ("idle", "listening"):
                    self._reply_is_over()
            case SpeechStarted():
                self._caption = ""
            case PartialTranscript():
                self._caption = event.text
            case UserTranscript():
                self._caption = ""
                self._reply_is_over()
                self._stays("you", Text(event.text), event.speaker or "")
            case TurnStarted():
                self._reply_is_over()
            case MemoryRecalled():
                for memory in event.memories:
                    self._stays("recalled", Text(memory.text, style="dim"))
            case TextDelta():
                if event.filler:
                    self._filler += event.text
                else:
                    self._filler_is_over()
                    self._reply += event.text
            case ToolStarted():
                self._tools[event.call.id] = event
            case ToolFinished():
                self._filler_is_over()
                self._tools.pop(event.call.id, None)
                self._tool(event)
            case TurnFinished():
                self._finished = True
            case TurnMeasured():
                self._seconds = event.first_audio or event.first_text
            case Interrupted():
                self._cut_off(event)
            case FrameSeen():
                self._frames[event.source] = time.monotonic()
            case PeoplePresent():
                self._who_is_there(event)
            case Trouble():
                self.says(event.message, style="red")
            case CallEnded():
                self._reply_is_over()
                if event.reason != "closed":
                    self.says(f"The call has ended: {event.reason}.")
            case SpeechStopped() | OutputControl() | AudioDelta():
                pass
            case MemoryStored() | ApprovalRequested():
                pass
            case _:
                assert_never(event)

    def says(self, words: str, *, style: str = "yellow") -> None:
        """The program itself has something to tell."""
        self._stays("", Text(words, style=style))

    def muted(self, muted: bool) -> None:
        self._muted = muted

    def keys(self, keys: str) -> None:
        """Which keys do what, from now on."""
        self._keys = keys

    # --- what stays --------------------------------------------------------------------------

    def _tool(self, event: ToolFinished) -> None:
        result = clean(event.result.content)
        if len(result) > _RESULT_CHARS:
            result = f"{result[:_RESULT_CHARS]} …"
        line = Text(call_text(event.call))
        line.append(f" → {result}", style="red" if event.result.is_error else "dim")
        self._stays("tool", line, f"{event.seconds:.2f} s")

    def _who_is_there(self, event: PeoplePresent) -> None:
        there = ", ".join((p.name or "") + ("" if p.sure and p.name else "?") for p in event.people)
        if there != self._there:
            self._stays("there", Text(there or "nobody", style="dim"))
        self._there = there

    def _reply_is_over(self) -> None:
        self._filler_is_over()
        if self._reply.strip():
            note = "" if self._seconds is None else f"{self._seconds:.2f} s"
            self._stays(self._name, Text(self._reply.strip()), note, words=True)
        self._reply, self._finished, self._seconds = "", False, None

    def _filler_is_over(self) -> None:
        if self._filler.strip():
            self._stays(self._name, Text(self._filler.strip(), style="italic dim"))
        self._filler = ""

    def _cut_off(self, event: Interrupted) -> None:
        self._filler_is_over()
        heard = event.heard_text.strip()
        line = Text(heard)
        if event.unheard_text.strip():
            line.append(" ✂ " if heard else "✂ ", style="yellow")
            line.append(event.unheard_text.strip(), style="dim strike")
        if line.plain:
            self._stays(self._name, line, f"cut off after {event.interrupted_at_ms / 1000:.1f} s")
        self._reply, self._finished, self._seconds = "", False, None

    def _stays(self, label: str, line: Text, note: str = "", *, words: bool = False) -> None:
        line.plain = clean(line.plain)
        if self._quiet:
            if words:
                self._console.print(line, soft_wrap=True, highlight=False)
            return
        head = Text(f"{label:<{_LABEL}}"[: max(_LABEL, len(label) + 1)], style="bold")
        if note:
            line.append(f"  {note}", style="dim")
        if not self._console.is_terminal:
            self._console.print(head + line, soft_wrap=True, highlight=False)
            return
        for i, part in enumerate(line.wrap(self._console, max(20, self._console.width - _LABEL))):
            self._console.print((head if i == 0 else Text(" " * _LABEL)) + part, highlight=False)

    # --- what is below -----------------------------------------------------------------------

    def _below(self) -> RenderableType:
        entries = Table.grid()
        entries.add_column(width=_LABEL)
        entries.add_column()
        for started in self._tools.values():
            entries.add_row(
                Text("tool", "bold"), Text(f"{clean(call_text(started.call))} …", "dim")
            )
        if self._reply.strip():
            reply = Text(clean(self._reply), style="cyan")
            reply.stylize("dim", self._sounded())
            entries.add_row(Text(self._name, "bold"), reply)
        return Group(entries, self._status(), Text(self._keys, style="dim"))

    def _status(self) -> Text:
        sign, style = _SIGNS[self._state]
        line = Text(f"{sign} {self._state:<10}", style=style)
        if self._muted:
            line.append("muted ", style="bold red")
        else:
            self._levels = [*self._levels[1:], self._level()]
            line.append("".join(map(_bar, self._levels)), style="not bold green")
        if self._filler:
            line.append(f"  {clean(self._filler)}", style="not bold italic dim")
        for source, at in self._frames.items():
            line.append(f"  {source} seen {time.monotonic() - at:.0f} s ago", style="not bold dim")
        if self._caption:
            line.append(f"  {clean(self._caption)}", style="not bold italic")
        line.no_wrap, line.overflow = True, "ellipsis"
        return line


def _bar(dbfs: float) -> str:
    """From −60 dBFS, which is silence, up to full scale."""
    share = (max(dbfs, -60.0) + 60) / 60
    return _BARS[min(len(_BARS) - 1, int(share * len(_BARS)))]
