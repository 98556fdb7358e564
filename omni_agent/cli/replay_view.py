"""How a recorded call looks in a terminal, and how a replay differed from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from rich.console import Console
from rich.text import Text

from omni_agent.cli.show import call_text, clean

if TYPE_CHECKING:
    from omni_agent.recorded_call import RecordedCall
    from omni_agent.replay_report import Figure, Pair, ReplayReport, TurnOfCall, What
    from omni_agent.timeline import Moment

_TIME = 9  # columns
_LABEL = 14
_LONGEST = 200  # characters of a tool's result


def show_moment(console: Console, moment: Moment, *, agent: str) -> None:
    """One entry; without a terminal it is one line."""
    label, text = _told(moment, agent)
    head = Text(f"{_clock(moment.t):<{_TIME}}", style="dim")
    head.append(f"{clean(label)[: _LABEL - 2]:<{_LABEL}}", style="bold not dim")
    if not console.is_terminal:
        console.print(head + text, soft_wrap=True)
        return
    indent = _TIME + _LABEL
    for i, part in enumerate(text.wrap(console, max(20, console.width - indent))):
        console.print((head if i == 0 else Text(" " * indent)) + part)


def _told(moment: Moment, agent: str) -> tuple[str, Text]:
    words = Text(clean(moment.text.strip()))
    match moment.kind:
        case "said":
            if not moment.text:
                words = Text("(no words)", style="dim")
            return moment.speaker or "you", words
        case "typed":
            return "you", words.append("  typed", style="dim")
        case "shown":
            return "you", Text(f"shows the {clean(moment.text)}", style="dim")
        case "reply":
            if moment.unheard:
                words.append(" [never heard: ", style="dim")
                words.append(clean(moment.unheard), style="dim strike").append("]", style="dim")
                words.append(f"  cut in after {moment.seconds or 0:.1f} s", style="dim")
            if notes := _notes(moment):
                words.append(f"  {notes}", style="dim")
            return agent, words
        case "filler":
            return agent, words.append("  meanwhile", style="dim")
        case "tool":
            assert moment.call is not None
            assert moment.result is not None
            content = clean(moment.result.content)
            if len(content) > _LONGEST:
                content = f"{content[:_LONGEST]} …"
            line = Text(clean(call_text(moment.call)))
            line.append(f" → {content}", style="red" if moment.result.is_error else "dim")
            return "tool", line.append(f"  {moment.seconds or 0:.2f} s", style="dim")
        case "recalled":
            return "recalled", words
        case "noise":
            return "", Text(f"a sound, no words: held back for {moment.seconds:.1f} s", style="dim")
        case "trouble":
            return "trouble", Text(clean(moment.text), style="red")
        case "lost":
            return "", Text(f"{moment.text} things were not recorded", style="yellow")
        case "ended":
            return "", Text(f"ended: {clean(moment.text)}", style="dim")
        case _:
            assert_never(moment.kind)


def _notes(moment: Moment) -> str:
    notes = ["by itself"] if moment.unasked else []
    measured = moment.measured
    if measured is not None and not moment.unasked:
        notes += [
            f"{name} {seconds:.2f} s"
            for name, seconds in (
                ("turn over after", measured.end_of_turn),
                ("first filler", measured.first_filler),
                ("first sound", measured.first_audio),
            )
            if seconds is not None
        ]
        notes += ["drafted"] if measured.drafted else []
    return " · ".join(notes)


def _clock(seconds: float) -> str:
    tenths = round(max(0.0, seconds) * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"


# --- what differed ----------------------------------------------------------------------------


def report_lines(report: ReplayReport, recording: RecordedCall) -> Iterator[Text]:
    if report.exact:
        yield Text("The replay gave the same, to the last event and sample.", style="green")
        return
    for pair in report.pairs:
        yield from _pair_lines(pair, recording)
    differing = sum(not (p.recorded and p.replayed) or bool(p.differs) for p in report.pairs)
    count = len(report.pairs)
    if differing:
        yield Text(f"{differing} of {count} turns differ.", style="yellow")
    else:
        yield Text(f"{count} turns: the same was heard, done and said.", style="green")
    for name, figure in _FIGURES:
        before, now = report.medians(figure)
        if before is not None or now is not None:
            yield Text(f"{name}, median: {_seconds(before)} recorded, {_seconds(now)} now")


_FIGURES: tuple[tuple[str, Figure], ...] = (
    ("turn over", "end_of_turn"),
    ("first filler", "first_filler"),
    ("first sound", "first_audio"),
)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s"


def _pair_lines(pair: Pair, recording: RecordedCall) -> Iterator[Text]:
    one = pair.recorded or pair.replayed
    assert one is not None
    head = Text(f"turn {one.turn}", style="bold").append(
        f"  {_clock(one.t - recording.began)}", style="dim"
    )
    if pair.recorded is None:
        yield head.append("  only in the replay", style="yellow")
        yield Text(f"  + {_summary(one)}", style="green")
    elif pair.replayed is None:
        yield head.append("  only recorded", style="yellow")
        yield Text(f"  - {_summary(one)}", style="red")
    elif not pair.differs:
        yield head.append("  the same", style="dim")
    else:
        yield head
        for what in pair.differs:
            yield Text(f"  {what}")
            yield Text(f"  - {_of(pair.recorded, what)}", style="red")
            yield Text(f"  + {_of(pair.replayed, what)}", style="green")


def _summary(turn: TurnOfCall) -> str:
    return clean(f"{turn.user or '(unasked)' if turn.unasked else turn.user} → {turn.reply}")


def _of(turn: TurnOfCall, what: What) -> str:
    match what:
        case "heard":
            text = turn.user
        case "tools":
            text = ", ".join(call_text(run.call) for run in turn.tools)
        case "results":
            text = " | ".join(run.result.content for run in turn.tools)
        case "reply":
            text = turn.reply
        case "interrupted":
            cut = turn.interrupted
            text = (
                ""
                if cut is None
                else f"after {cut.interrupted_at_ms / 1000:.1f} s: "
                + (cut.heard_text or "(nothing was heard)")
            )
        case _:
            assert_never(what)
    return clean(text) or "(nothing)"
