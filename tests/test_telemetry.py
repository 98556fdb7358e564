"""OpenTelemetry is told of turns, tools and the model's work, where it is set up."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from turns import LOOK, agent_of, events_of, look_that

from omni_agent.clock import FakeClock
from omni_agent.events import (
    Interrupted,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnMeasured,
    TurnStarted,
)
from omni_agent.messages import ToolCall, ToolResult
from omni_agent.model.scripted import ScriptedModel
from omni_agent.telemetry import observer


class Told:
    """What OpenTelemetry was told."""

    def __init__(self, spans: InMemorySpanExporter, reader: InMemoryMetricReader) -> None:
        self._spans, self._reader = spans, reader

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._spans.get_finished_spans()}

    @property
    def figures(self) -> dict[str, list[Any]]:
        data = self._reader.get_metrics_data()
        scopes = [scope for r in data.resource_metrics for scope in r.scope_metrics] if data else []
        return {m.name: list(m.data.data_points) for s in scopes for m in s.metrics}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    meters = MeterProvider([reader])
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: tracers)
    monkeypatch.setattr(trace, "get_tracer", tracers.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", meters.get_meter)
    yield Told(spans, reader)
    tracers.shutdown()
    meters.shutdown()


async def test_a_turn_is_a_span_with_the_models_work_and_the_tools_in_it(told: Told) -> None:
    agent = agent_of(ScriptedModel([LOOK], "I see a cat."), look_that("a cat"), name="kitchen")
    await events_of(agent.conversation("c1").stream("What do you see?"))

    invoke, tool = told.spans["invoke_agent kitchen"], told.spans["execute_tool look"]
    assert invoke.attributes is not None
    assert tool.attributes is not None
    assert invoke.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert invoke.attributes["gen_ai.agent.name"] == "kitchen"
    assert invoke.attributes["gen_ai.conversation.id"] == "c1"
    assert invoke.attributes["gen_ai.request.model"] == "scripted"
    assert invoke.attributes["gen_ai.usage.output_tokens"] == 4
    assert tool.attributes["gen_ai.tool.name"] == "look"
    assert tool.parent is not None
    assert tool.parent.span_id == invoke.context.span_id
    chats = [s for s in told._spans.get_finished_spans() if s.name == "chat scripted"]
    assert len(chats) == 2
    assert "gen_ai.response.time_to_first_chunk" not in (chats[0].attributes or {})
    assert "gen_ai.response.time_to_first_chunk" in (chats[1].attributes or {})
    assert not any("cat" in str(span.attributes) for span in told.spans.values())
    assert told.figures["gen_ai.client.operation.duration"][0].count == 1
    assert told.figures["omni_agent.turn.first_text"][0].count == 1


def test_spans_lie_where_the_events_say_they_were(told: Told) -> None:
    clock = FakeClock()
    agent = agent_of(ScriptedModel(), clock=clock, name="guide")
    watch = observer(agent, model="m", conversation="c")
    call = ToolCall("call_1", "look", {})
    watch.see(TurnStarted(1, 0.0))
    watch.see(ToolStarted(call, 1.0))
    watch.see(ToolFinished(call, ToolResult("call_1", "look", "no", is_error=True), 2.0, 3.0))
    watch.see(TextDelta("Sorry.", 3.5))
    watch.see(Interrupted(1, "", "Sorry.", 200, 4.0))
    watch.close()

    def seconds(name: str) -> float:
        span = told.spans[name]
        assert span.end_time is not None
        assert span.start_time is not None
        return (span.end_time - span.start_time) / 1e9

    assert seconds("execute_tool look") == pytest.approx(2.0)
    assert seconds("invoke_agent guide") == pytest.approx(4.0)
    assert told.spans["execute_tool look"].status.status_code is StatusCode.ERROR
    assert told.figures["omni_agent.interruptions"][0].value == 1


def test_a_measured_turn_of_a_call_is_told_in_seconds(told: Told) -> None:
    watch = observer(agent_of(ScriptedModel()), model="m", conversation="c")
    watch.see(
        TurnMeasured(
            turn=1,
            end_of_turn=0.3,
            first_text=0.8,
            first_audio=1.1,
            first_filler=None,
            tools=0.0,
            realtime_factor=0.4,
            drafted=True,
            drafts=1,
            t=0.0,
        )
    )
    assert told.figures["omni_agent.turn.first_audio"][0].sum == pytest.approx(1.1)
    assert told.figures["omni_agent.turn.realtime_factor"][0].sum == pytest.approx(0.4)
    assert "omni_agent.turn.first_filler" not in told.figures


def test_a_call_that_ends_in_a_turn_leaves_no_span_open(told: Told) -> None:
    watch = observer(agent_of(ScriptedModel(), name="a"), model="m", conversation="c")
    watch.see(TurnStarted(1, 0.0))
    watch.see(ToolStarted(LOOK, 0.1))
    watch.close()
    watch.close()
    assert set(told.spans) == {"invoke_agent a", "execute_tool look", "chat m"}


def test_nothing_is_watched_where_nobody_set_it_up() -> None:
    watch = observer(agent_of(ScriptedModel()), model="m", conversation="c")
    assert type(watch).__name__ == "_Nobody"
