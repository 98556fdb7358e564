"""OpenTelemetry: a turn's events as spans by the GenAI names, and its figures as metrics.

Nothing happens unless the application set up OpenTelemetry (a tracer or meter provider). No words
are told, neither of the user nor of the agent.

    async for event in call:
        watch.see(event)  # watch = observer(agent, model=…, conversation=call.id)

One turn is an `invoke_agent` span. In it lie a `chat` span for each time the model thought, and an
`execute_tool` span for each tool that ran.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

from omni_agent.events import (
    AudioDelta,
    Event,
    Interrupted,
    LiveEvent,
    TextDelta,
    ToolFinished,
    ToolStarted,
    Trouble,
    TurnFinished,
    TurnMeasured,
    TurnStarted,
)

if TYPE_CHECKING:
    from omni_agent.agent import Agent

PROVIDER = "omni_agent"

_SECONDS = {
    "end_of_turn": "From the user's last syllable until the turn was taken as over.",
    "first_text": "From the user's last syllable to the answer's first word.",
    "first_audio": "From the user's last syllable to the answer's first sound.",
    "first_filler": "From the user's last syllable to the first sound of a filler.",
    "tools": "In which tools ran.",
}


class Observer(Protocol):
    def see(self, event: LiveEvent, /) -> None:
        """An event of a call or turn, in order."""
        ...

    def close(self) -> None:
        """No event comes any more: what is open ends now. May be called twice."""
        ...


def observer(agent: Agent, *, model: str, conversation: str, live: bool = True) -> Observer:
    """Turns events into spans and metrics; does nothing where OpenTelemetry is not set up.

    `live`: the events come from a call, which measures its turns itself.
    """
    if not _is_set_up():
        return _Nobody()
    return _Watching(agent, model=model, conversation=conversation, live=live)


async def observed(
    events: AsyncGenerator[Event, None], agent: Agent, *, model: str, conversation: str
) -> AsyncGenerator[Event, None]:
    """The same events of a turn, seen by an observer on their way."""
    watch = observer(agent, model=model, conversation=conversation, live=False)
    try:
        async with aclosing(events) as turn:
            async for event in turn:
                watch.see(event)
                yield event
    finally:
        watch.close()


def _is_set_up() -> bool:
    """Whoever sets it up has imported it; the API alone, as a dependency of others, is not that."""
    for kind in ("trace", "metrics"):
        module: Any = sys.modules.get(f"opentelemetry.{kind}")
        if module is None:
            continue
        name = "tracer" if kind == "trace" else "meter"
        provider = type(getattr(module, f"get_{name}_provider")()).__name__
        if not provider.lstrip("_").startswith(("Proxy", "NoOp")):
            return True
    return False


class _Nobody:
    def see(self, event: LiveEvent, /) -> None: ...
    def close(self) -> None: ...


class _Watching:
    def __init__(self, agent: Agent, *, model: str, conversation: str, live: bool) -> None:
        from opentelemetry import metrics, trace

        self._tracer = trace.get_tracer("omni_agent")
        self._trace: Any = trace
        self._clock = agent.clock
        self._live = live
        self._agent = agent.name
        self._model = model
        self._common = {
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.request.model": model,
            "gen_ai.agent.name": agent.name,
            "gen_ai.conversation.id": conversation,
        }
        self._turn: Any = None
        self._chat: Any = None
        self._chat_began = 0.0
        self._chunks = False
        self._tools: dict[str, Any] = {}
        self._began = 0.0

        meter = metrics.get_meter("omni_agent")
        self._durations = meter.create_histogram(
            "gen_ai.client.operation.duration", "s", "How long a turn took."
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage", "{token}", "Tokens of a turn."
        )
        self._seconds = {
            name: meter.create_histogram(f"omni_agent.turn.{name}", "s", text)
            for name, text in _SECONDS.items()
        }
        self._realtime_factor = meter.create_histogram(
            "omni_agent.turn.realtime_factor", "1", "Seconds it took to make a second of speech."
        )
        self._interruptions = meter.create_counter(
            "omni_agent.interruptions", "{interruption}", "Replies that were cut short."
        )

    def see(self, event: LiveEvent, /) -> None:
        match event:
            case TurnStarted():
                self._turn_started(event)
            case TextDelta(filler=False) | AudioDelta(filler=False):
                self._spoke(event.t)
            case ToolStarted():
                self._end_chat(event.t)
                self._tools[event.call.id] = self._tool_span(event, event.t)
            case ToolFinished():
                self._tool_finished(event)
            case TurnFinished():
                self._turn_finished(event)
            case Interrupted():
                self._interruptions.add(1, {"gen_ai.agent.name": self._agent})
                if self._turn is not None:
                    self._turn.set_attribute(
                        "omni_agent.interrupted_at_ms", event.interrupted_at_ms
                    )
                self._end_turn(event.t)
            case Trouble():
                self._end_turn(event.t, error=event.kind)
            case TurnMeasured():
                self._measured(event)
            case _:
                pass

    def close(self) -> None:
        self._end_turn(self._clock.monotonic())

    # --- spans ---------------------------------------------------------------------------------

    def _turn_started(self, event: TurnStarted) -> None:
        self._end_turn(event.t)
        self._began = event.t
        self._turn = self._span("invoke_agent", self._agent, event.t)
        self._turn.set_attribute("omni_agent.turn", event.turn)
        self._begin_chat(event.t)

    def _begin_chat(self, t: float) -> None:
        self._chat = self._span("chat", self._model, t, client=True)
        self._chat_began, self._chunks = t, False

    def _spoke(self, t: float) -> None:
        if self._chat is not None and not self._chunks:
            self._chunks = True
            waited = t - self._chat_began
            self._chat.set_attribute("gen_ai.response.time_to_first_chunk", waited)

    def _end_chat(self, t: float) -> None:
        if self._chat is not None:
            self._chat.end(self._at(t))
            self._chat = None

    def _tool_span(self, event: ToolStarted | ToolFinished, t: float) -> Any:
        span = self._span("execute_tool", event.call.name, t)
        span.set_attribute("gen_ai.tool.name", event.call.name)
        span.set_attribute("gen_ai.tool.call.id", event.call.id)
        span.set_attribute("gen_ai.tool.type", "function")
        return span

    def _tool_finished(self, event: ToolFinished) -> None:
        span = self._tools.pop(event.call.id, None)
        if span is None:  # it never ran: there is no such tool, or its arguments were wrong
            self._end_chat(event.t - event.seconds)
            span = self._tool_span(event, event.t - event.seconds)
        if event.result.is_error:
            self._fail(span, "tool_error")
        span.end(self._at(event.t))
        if self._turn is not None and not self._tools:
            self._begin_chat(event.t)

    def _turn_finished(self, event: TurnFinished) -> None:
        reply = event.reply
        if self._turn is not None:
            usage = reply.usage
            self._turn.set_attribute("gen_ai.usage.input_tokens", usage.prompt_tokens)
            self._turn.set_attribute("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens)
            self._turn.set_attribute("gen_ai.usage.output_tokens", usage.completion_tokens)
            self._turn.set_attribute("gen_ai.response.finish_reasons", [reply.stopped])
            self._turn.set_attribute(
                "gen_ai.output.type", "text" if reply.audio is None else "speech"
            )
            for kind, count in (
                ("input", usage.prompt_tokens),
                ("output", usage.completion_tokens),
            ):
                self._tokens.record(count, {**self._labels(), "gen_ai.token.type": kind})
        self._end_turn(event.t)
        if not self._live:
            timings = reply.timings
            for name, seconds in (
                ("first_text", timings.first_text),
                ("first_audio", timings.first_audio),
                ("first_filler", timings.first_filler),
                ("tools", timings.tools if reply.tools else None),
            ):
                self._record(name, seconds)

    def _end_turn(self, t: float, *, error: str | None = None) -> None:
        if self._turn is None:
            return
        self._end_chat(t)
        for span in self._tools.values():
            self._fail(span, "cancelled")
            span.end(self._at(t))
        self._tools.clear()
        labels = self._labels()
        if error is not None:
            self._fail(self._turn, error)
            labels["error.type"] = error
        self._turn.end(self._at(t))
        self._turn = None
        self._durations.record(t - self._began, labels)

    def _span(self, operation: str, about: str, t: float, *, client: bool = False) -> Any:
        kinds = self._trace.SpanKind
        inside = None if self._turn is None else self._trace.set_span_in_context(self._turn)
        return self._tracer.start_span(
            f"{operation} {about}",
            context=inside,
            kind=kinds.CLIENT if client else kinds.INTERNAL,
            attributes={"gen_ai.operation.name": operation, **self._common},
            start_time=self._at(t),
        )

    def _fail(self, span: Any, kind: str) -> None:
        span.set_attribute("error.type", kind)
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR))

    def _at(self, t: float) -> int:
        """The clock's seconds as nanoseconds since 1970."""
        ago = self._clock.monotonic() - t
        return round((self._clock.now().timestamp() - ago) * 1e9)

    # --- figures -------------------------------------------------------------------------------

    def _measured(self, event: TurnMeasured) -> None:
        for name in _SECONDS:
            self._record(name, getattr(event, name))
        if event.realtime_factor is not None:
            self._realtime_factor.record(event.realtime_factor, self._labels())

    def _record(self, name: str, seconds: float | None) -> None:
        if seconds is not None:
            self._seconds[name].record(seconds, self._labels())

    def _labels(self) -> dict[str, str]:
        return {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.request.model": self._model,
            "gen_ai.agent.name": self._agent,
        }
