"""What a replayed call had in common with the recorded one, turn by turn."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

from omni_agent.event_codec import to_json
from omni_agent.events import (
    Interrupted,
    LiveEvent,
    TextDelta,
    ToolFinished,
    ToolRun,
    TurnFinished,
    TurnMeasured,
    TurnStarted,
    UserTranscript,
)
from omni_agent.recorded_call import RecordedCall, Went

_SAME_TIME = 2.0  # seconds between the starts of what is taken for the same turn


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnOfCall:
    """One turn as its events tell it. `t`: seconds on the call's clock when the agent began.

    `reply`: all that was made of it, `interrupted` what of it was heard.
    """

    turn: int
    t: float
    unasked: bool
    user: str
    tools: tuple[ToolRun, ...]
    reply: str
    interrupted: Interrupted | None
    measured: TurnMeasured | None

    @property
    def calls(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        return tuple((run.call.name, run.call.arguments) for run in self.tools)


def turns_of(events: Iterable[LiveEvent]) -> list[TurnOfCall]:
    turns: list[dict[str, Any]] = []
    by_number: dict[int, dict[str, Any]] = {}
    for event in events:
        match event:
            case TurnStarted():
                turns.append(
                    {"turn": event.turn, "t": event.t, "unasked": event.unasked, "user": "",
                     "tools": (), "reply": "", "interrupted": None, "measured": None}
                )  # fmt: skip
                by_number[event.turn] = turns[-1]
            case Interrupted() if event.turn in by_number:
                by_number[event.turn]["interrupted"] = event
            case TurnMeasured() if event.turn in by_number:
                by_number[event.turn]["measured"] = event
            case _ if not turns:
                pass
            case UserTranscript():
                turns[-1]["user"] = event.text
            case TextDelta(filler=False):
                turns[-1]["reply"] += event.text
            case ToolFinished():
                turns[-1]["tools"] += (ToolRun(event.call, event.result, event.seconds),)
            case TurnFinished():
                turns[-1]["user"] = event.reply.heard
                turns[-1]["reply"] = event.reply.text
    return [TurnOfCall(**{**turn, "reply": turn["reply"].strip()}) for turn in turns]


Figure = Literal["end_of_turn", "first_text", "first_audio", "first_filler"]
What = Literal["heard", "tools", "results", "reply", "interrupted"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A turn of both calls; None where only the other call had it."""

    recorded: TurnOfCall | None
    replayed: TurnOfCall | None

    @property
    def differs(self) -> tuple[What, ...]:
        """In what; nothing where one of them is missing, since all is."""
        a, b = self.recorded, self.replayed
        if a is None or b is None:
            return ()
        told: dict[What, bool] = {
            "heard": a.user == b.user,
            "tools": a.calls == b.calls,
            "results": a.calls != b.calls or _results(a) == _results(b),
            "reply": a.reply == b.reply,
            "interrupted": _cut(a) == _cut(b),
        }
        return tuple(what for what, same in told.items() if not same)


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """`exact`: the same events with the same times, to the last sample. `first_difference`: of the
    events, what was recorded and what came instead (None: nothing), as JSON.
    """

    pairs: tuple[Pair, ...]
    first_difference: tuple[dict[str, Any] | None, dict[str, Any] | None] | None

    @property
    def exact(self) -> bool:
        return self.first_difference is None

    @property
    def same(self) -> bool:
        """The same was heard, done and said; times may differ."""
        whole = all(pair.recorded and pair.replayed for pair in self.pairs)
        return whole and not any(pair.differs for pair in self.pairs)

    def medians(self, figure: Figure) -> tuple[float | None, float | None]:
        """In seconds, recorded and replayed; None where it was never measured."""
        return (
            _median([pair.recorded for pair in self.pairs], figure),
            _median([pair.replayed for pair in self.pairs], figure),
        )


def compare(
    recording: RecordedCall, replayed: Sequence[LiveEvent], *, began: float | None = None
) -> ReplayReport:
    """`began`: when the replay did, by its clock; None: when the recorded call did."""
    went = [line for line in recording.lines(media=False) if isinstance(line, Went)]
    before = turns_of(line.event for line in went)
    shift = 0.0 if began is None else began - recording.began
    return ReplayReport(
        tuple(_paired(before, turns_of(replayed), shift)),
        _first_difference([line.data for line in went], [to_json(event) for event in replayed]),
    )


def _paired(
    recorded: Sequence[TurnOfCall], replayed: Sequence[TurnOfCall], shift: float
) -> Iterable[Pair]:
    """In order; by their words or else by their times."""
    if len(recorded) == len(replayed):
        yield from (Pair(a, b) for a, b in zip(recorded, replayed, strict=True))
        return
    a, b = [*recorded], [*replayed]
    while a and b:
        apart = b[0].t - shift - a[0].t
        if abs(apart) < _SAME_TIME or (a[0].user and a[0].user == b[0].user):
            yield Pair(a.pop(0), b.pop(0))
        elif apart > 0:
            yield Pair(a.pop(0), None)
        else:
            yield Pair(None, b.pop(0))
    yield from (Pair(turn, None) for turn in a)
    yield from (Pair(None, turn) for turn in b)


def _first_difference(
    recorded: Sequence[dict[str, Any]], replayed: Sequence[dict[str, Any]]
) -> tuple[dict[str, Any] | None, dict[str, Any] | None] | None:
    for a, b in zip_longest(recorded, replayed):
        if a is None or b is None or _without_files(a) != _without_files(b):
            return a, b
    return None


def _without_files(data: Any) -> Any:
    """Where media was kept says nothing about it."""
    match data:
        case dict():
            return {name: _without_files(part) for name, part in data.items() if name != "file"}
        case list():
            return [_without_files(part) for part in data]
        case _:
            return data


def _median(turns: Sequence[TurnOfCall | None], figure: Figure) -> float | None:
    measured = (turn.measured for turn in turns if turn is not None)
    values = [v for m in measured if m is not None and (v := getattr(m, figure)) is not None]
    return statistics.median(values) if values else None


def _results(turn: TurnOfCall) -> list[tuple[str, bool]]:
    return [(run.result.content, run.result.is_error) for run in turn.tools]


def _cut(turn: TurnOfCall) -> str | None:
    return None if turn.interrupted is None else turn.interrupted.heard_text
