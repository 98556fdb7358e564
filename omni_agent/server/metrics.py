"""What Prometheus is told: how many calls there are, how quick the answers, what went wrong."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from omni_agent.events import (
    Interrupted,
    LiveEvent,
    ToolFinished,
    Trouble,
    TurnFinished,
    TurnMeasured,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ANSWER_SECONDS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.3, 1.6, 2.0, 3.0, 5.0, 10.0)
_WAIT_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 2.0, 4.0)
_TOOL_SECONDS = (0.01, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class Metrics:
    """One registry for each server, so that two in one process do not count together."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._open = Gauge(
            "omni_agent_calls_open", "Live calls under way.", ["agent"], registry=registry
        )
        self._calls = Counter(
            "omni_agent_calls", "Live calls that were begun.", ["agent"], registry=registry
        )
        self._ended = Counter(
            "omni_agent_calls_ended", "Why live calls ended.", ["reason"], registry=registry
        )
        self._refused = Counter(
            "omni_agent_refused", "Calls and requests that were not taken.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self._dropped = Counter(
            "omni_agent_slow_clients_dropped",
            "Clients that took what was sent to them too slowly.",
            registry=registry,
        )
        self._requests = Counter(
            "omni_agent_chat_requests", "Chat completions, by outcome.", ["agent", "outcome"],
            registry=registry,
        )  # fmt: skip
        self._turns = Counter(
            "omni_agent_turns", "Turns that were answered, by how they ended.",
            ["agent", "stopped"], registry=registry,
        )  # fmt: skip
        self._interruptions = Counter(
            "omni_agent_interruptions", "Replies that were cut short.", ["agent"],
            registry=registry,
        )  # fmt: skip
        self._errors = Counter(
            "omni_agent_errors", "What went wrong, by kind.", ["kind"], registry=registry
        )
        self._tokens = Counter(
            "omni_agent_tokens", "Tokens, by kind.", ["agent", "kind"], registry=registry
        )
        self._first_audio = Histogram(
            "omni_agent_first_audio_seconds",
            "From the user's last syllable to the answer's first sound.",
            ["agent"], buckets=_ANSWER_SECONDS, registry=registry,
        )  # fmt: skip
        self._end_of_turn = Histogram(
            "omni_agent_end_of_turn_seconds",
            "From the user's last syllable until the turn was taken as over.",
            ["agent"], buckets=_WAIT_SECONDS, registry=registry,
        )  # fmt: skip
        self._tool_seconds = Histogram(
            "omni_agent_tool_seconds", "How long tools ran; those of clients are `client`.",
            ["tool"], buckets=_TOOL_SECONDS, registry=registry,
        )  # fmt: skip

    def call_began(self, agent: str) -> None:
        self._open.labels(agent).inc()
        self._calls.labels(agent).inc()

    def call_ended(self, agent: str, reason: str) -> None:
        self._open.labels(agent).dec()
        self._ended.labels(reason).inc()

    def dropped(self) -> None:
        self._dropped.inc()

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()

    def error(self, kind: str) -> None:
        self._errors.labels(kind).inc()

    def request(self, agent: str, outcome: str) -> None:
        self._requests.labels(agent, outcome).inc()

    def see(self, agent: str, event: LiveEvent, *, own_tools: object = ()) -> None:
        """Count an event of a call or a turn. Only `own_tools` are told apart by name."""
        match event:
            case TurnMeasured():
                if event.end_of_turn is not None:
                    self._end_of_turn.labels(agent).observe(event.end_of_turn)
                if event.first_audio is not None:
                    self._first_audio.labels(agent).observe(event.first_audio)
            case TurnFinished():
                self._turns.labels(agent, event.reply.stopped).inc()
                usage = event.reply.usage
                self._tokens.labels(agent, "prompt").inc(usage.prompt_tokens)
                self._tokens.labels(agent, "cached").inc(usage.cached_tokens)
                self._tokens.labels(agent, "completion").inc(usage.completion_tokens)
            case ToolFinished():
                known = event.call.name in own_tools  # type: ignore[operator]
                tool = event.call.name if known else "client"
                self._tool_seconds.labels(tool).observe(event.seconds)
            case Interrupted():
                self._interruptions.labels(agent).inc()
            case Trouble():
                self.error(event.kind)
            case _:
                pass

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
