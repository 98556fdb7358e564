"""What the compact Thinker reads: ChatML with the tools taught by example.

A small model follows examples better than descriptions. The fixed beginning holds the
instructions, one line a tool, and short exchanges: an utterance, and either the call it leads to
or the words to answer it with. A call is spelt `{"name": {arguments}}`, few tokens and plain JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any

from omni_agent.messages import Exchange, ToolCall, ToolExample, ToolResult, ToolSpec
from omni_agent.model.compact import grammar

_FORGEABLE = re.compile(r"<(?=\|?/?\s*(?:im_|tool_|endoftext|fim_))", re.IGNORECASE)

SHOWN, SHOWN_FOR_EACH_PARAMETER = 1, 2
"""How many examples of a tool stand in the prompt, the first ones: each token of it makes every
token after it slower. All of them teach the router."""
SHOWN_AT_MOST = 10


def harmless(text: str) -> str:
    """`text` without the means to end its turn or to forge a call."""
    return _FORGEABLE.sub("‹", text.replace("\0", ""))


def spell_call(name: str, arguments: dict[str, Any]) -> str:
    return json.dumps({name: arguments}, ensure_ascii=False)


def shown(spec: ToolSpec) -> list[ToolExample]:
    """The examples of a tool that stand in the prompt."""
    complete = [e for e in spec.examples if e.arguments is not None]
    open_ends = len(spec.parameters.get("properties", ()))
    return complete[: min(SHOWN_AT_MOST, SHOWN + SHOWN_FOR_EACH_PARAMETER * open_ends)]


@dataclass(slots=True)
class Turn:
    """One exchange of the conversation as the Thinker sees it."""

    words: str
    notes: list[str] = field(default_factory=list)
    steps: list[tuple[list[ToolCall], list[ToolResult]]] = field(default_factory=list)
    reply: str = ""

    def copy(self) -> Turn:
        """Another one, that grows by itself."""
        steps = [(calls, [*results]) for calls, results in self.steps]
        return Turn(self.words, [*self.notes], steps, self.reply)

    def take(self, results: Sequence[ToolResult]) -> None:
        """What came back: the results of the last calls, or what was wrong with a broken call."""
        if self.steps and not self.steps[-1][1]:
            self.steps[-1][1].extend(results)
            if not results:
                self.steps.pop()  # interrupted: the calls never ran
        else:
            self.notes += [result.content for result in results]


@dataclass(frozen=True, slots=True)
class Prompt:
    """The prompt of one conversation. `fixed` never changes: its KV cache can be kept on disk.

    `calls` is the grammar of a call; None where there are no tools.
    """

    fixed: str
    calls: str | None
    tools: Mapping[str, ToolSpec]

    @classmethod
    def of(
        cls,
        system: str,
        tools: Sequence[ToolSpec],
        examples: Sequence[Exchange],
    ) -> Prompt:
        listing = [f"- {spec.name}: {_first_line(spec.description)}" for spec in tools]
        head = system.strip()
        if listing:
            head += (
                "\n\nTo use a tool, answer with its call in JSON and nothing else. "
                "Otherwise answer in words. Tools:\n" + "\n".join(listing)
            )
        turns = [_turn("system", head)]
        for utterance, answer in _interleave(tools, examples):
            turns += [_turn("user", harmless(utterance)), _turn("assistant", answer)]
        return cls(
            "".join(turns),
            grammar.of_calls(tools) if tools else None,
            {spec.name: spec for spec in tools},
        )

    def arguments(self, tool: str, said: str) -> str | None:
        """The grammar of what follows `{"tool":`; None where nothing is left open.

        `said`: the words that the arguments are taken from.
        """
        spec = self.tools[tool]
        return grammar.of_arguments(spec, said) if spec.parameters.get("properties") else None

    def may_call(self, turn: Turn) -> bool:
        """Once its tools have done their work, a turn is answered in words."""
        return self.calls is not None and all(
            result.is_error for _, results in turn.steps for result in results
        )

    def render(self, turns: Sequence[Turn]) -> str:
        """Everything up to where the assistant has to go on with the last turn."""
        return self.fixed + "".join(chain.from_iterable(map(_rendered, turns)))

    def opening(self, turns: Sequence[Turn], words: str) -> str:
        """The past turns and the beginning of a new one, to be prefilled while it is spoken."""
        return self.render(turns) + f"<|im_start|>user\n{harmless(words)}"


def _rendered(turn: Turn) -> Iterator[str]:
    words = harmless(turn.words)
    if turn.notes:
        words += "\n(" + "\n".join(harmless(note) for note in turn.notes) + ")"
    if words:  # without words the assistant spoke up by itself
        yield _turn("user", words)
    for calls, results in turn.steps:
        spelt = "\n".join(spell_call(c.name, c.arguments) for c in calls)
        yield _turn("assistant", harmless(spelt))
        told = "\n".join(
            f"<tool_response>\n{harmless(r.content)}\n</tool_response>" for r in results
        )
        yield _turn("user", told)
    yield "<|im_start|>assistant\n"
    if turn.reply:
        yield f"{harmless(turn.reply)}<|im_end|>\n"


def _turn(role: str, content: str) -> str:
    return f"<|im_start|>{role}\n{content}<|im_end|>\n"


def _first_line(description: str) -> str:
    return description.strip().split("\n", 1)[0]


def _interleave(
    tools: Sequence[ToolSpec], examples: Sequence[Exchange]
) -> Iterator[tuple[str, str]]:
    """Examples of all kinds in turn: a run of one kind would make the model go on with it."""
    calls = [
        (example.utterance, spell_call(spec.name, example.arguments))
        for row in zip_longest(*([(spec, e) for e in shown(spec)] for spec in tools))
        for spec, example in filter(None, row)
    ]
    talk = [(e.utterance, e.reply) for e in examples if e.reply]
    spread = [
        ((index + 0.5) / len(kind), example)
        for kind in (calls, talk)
        for index, example in enumerate(kind)
    ]
    return (example for _, example in sorted(spread, key=lambda placed: placed[0]))
