"""How the Thinker answers a prompt: it is decided first whether in words or with a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from omni_agent.events import Usage
from omni_agent.model.base import ResponseOptions
from omni_agent.model.compact.decision import (
    CALL_FROM,
    decide,
    likely_names,
    probability_of_call,
)
from omni_agent.model.compact.grammar import WORDS
from omni_agent.model.compact.prompt import Prompt, Turn, spell_call
from omni_agent.model.compact.router import Router
from omni_agent.model.compact.thinker import Completed, FirstToken, Sampling, Thinker

FIRST_WORDS = 16
"""The first tokens of a spoken reply are thought one at a time, and no further than they are
asked for: while the first clause is voiced, the Thinker must not run ahead. Its threads wait for
each other spinning, so that two engines at once on few cores take far more than twice as long."""

_NAMES = 40
"""Tokens looked at for those that a tool's name begins with."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """How an answer begins, and what binds the rest of it."""

    text: str
    is_over: bool = False
    is_call: bool = False
    grammar: str | None = None


@dataclass(frozen=True, slots=True)
class Answering:
    """What an answer is made with: the Thinker's slot, the prompt, and who helps to decide."""

    thinker: Thinker
    slot: int
    prompt: Prompt
    router: Router | None

    async def answer(
        self, past: list[Turn], turn: Turn, options: ResponseOptions
    ) -> AsyncGenerator[str | Completed, None]:
        """The pieces of the answer, then `Completed`. Raises ContextFull, GenerationError."""
        text = self.prompt.render([*past, turn])
        sampling = Sampling(temperature=options.temperature, seed=options.seed)
        first = await self.thinker.first_token(
            text, slot=self.slot, sampling=replace(sampling, grammar=WORDS)
        )
        begun = _Begun(first.text, is_over=not first.text)
        if options.tools == "auto" and self.prompt.may_call(turn):
            begun = await self._call(text, past, turn, first, sampling) or begun
        if begun.text:
            text += begun.text
            yield begun.text
        if begun.is_over:
            yield Completed("done", first.usage)
            return
        sampling = replace(sampling, grammar=begun.grammar)
        left, done = options.max_tokens, None
        careful_until = left - FIRST_WORDS if options.speak and not begun.is_call else left
        while done is None or (done.reason == "length" and left > 0):
            stretch = 1 if left > careful_until else left
            left -= stretch
            rest = self.thinker.complete(
                text, slot=self.slot, max_tokens=stretch, sampling=sampling
            )
            async with aclosing(rest):
                async for piece in rest:
                    if isinstance(piece, Completed):
                        done = piece
                    else:
                        text += piece
                        yield piece
        yield Completed(done.reason, _since(first.usage, done.usage))

    async def _call(
        self, text: str, past: list[Turn], turn: Turn, first: FirstToken, sampling: Sampling
    ) -> _Begun | None:
        """The beginning of a call if one is due; a call whose end is known is begun and over."""
        likely = probability_of_call(first.likely)
        if self.router is None or turn.steps or not turn.words:
            is_due = likely >= CALL_FROM
            return _Begun("", is_call=True, grammar=self.prompt.calls) if is_due else None
        routed = await asyncio.to_thread(self.router.judge, turn.words)
        if decide(routed, likely) is None:
            return None
        name = await self.thinker.first_token(
            text + '{"', slot=self.slot, sampling=sampling, alternatives=_NAMES
        )
        tool = decide(routed, likely, likely_names(self.prompt.tools, name.likely))
        if tool is None:
            return None
        grammar = self.prompt.arguments(tool, " ".join(t.words for t in [*past[-1:], turn]))
        if grammar is None:
            return _Begun(spell_call(tool, {}), is_over=True, is_call=True)
        return _Begun(f'{{"{tool}":', is_call=True, grammar=grammar)


def _since(first: Usage, rest: Usage) -> Usage:
    """Two requests, one answer: the prompt counts once, as it stood before the first."""
    words = rest.prompt_tokens - first.prompt_tokens
    return Usage(first.prompt_tokens, first.cached_tokens, words + rest.completion_tokens)
