"""Having a turn with a session, and looking into it."""

from __future__ import annotations

import torch

from omni_agent.events import TextDelta
from omni_agent.messages import ToolSpec
from omni_agent.model.base import ResponseOptions

TIMER = ToolSpec("set_timer", "Start a timer.", {"type": "object", "properties": {}})


async def turn(session, *parts, **options):
    """Everything that comes of a turn; `Finished` last."""
    for part in parts:
        await session.feed(part)
    wishes = ResponseOptions(**{"max_tokens": 8, "speak": False, **options})
    return [event async for event in session.respond(wishes)]


def words_of(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def tokens_of(session):
    context = session._dialogue.context
    return context.thinker.tokens[: context.length].tolist()


def thoughts_of(session):
    """What the session's next token hangs on: keys and values, positions, and what is to come."""
    context = session._dialogue.context
    keys = context.thinker.cache.keys[:, :, :, : context.length]
    return keys, context.thinker.positions.ids


def script(session, *replies):
    """Have the Thinker choose these texts, one token after the other, and then end."""
    dialogue = session._dialogue
    chat = dialogue._chat
    left = [[*chat.encode(text), chat.specials.turn_end] for text in replies]

    def think(reply, done, words, options):
        tokens = left.pop(0)

        class Scripted:
            def draw_noise(self):
                return None

            def choose(self, logits, noise):
                return torch.tensor(tokens.pop(0) if tokens else chat.specials.turn_end)

        return reply.think(
            done.logits,
            words,
            Scripted(),
            stops=(chat.specials.turn_end,),
            max_tokens=options.max_tokens,
        )

    dialogue._think = think
