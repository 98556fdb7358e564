"""What leaves a context that is full: the oldest media first, and words only after all of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from omni_agent.errors import ContextFull
from omni_agent.model.qwen.living import LivingContext
from omni_agent.model.qwen.thinker import Held

logger = logging.getLogger("omni_agent.model")


def make_room(context: LivingContext, more: int, turns: list[Held], instead: Sequence[int]) -> None:
    """For `more` tokens than there are room for; if possible for a quarter of the context more, so
    that it is seldom needed.

    `turns`: what each turn begins with; those that leave are taken out, and the last one stays.
    `instead`: tokens that stand where a medium was. There may be less room than asked for.
    """
    quarter = context.thinker.limit // 4
    for gain in (quarter, quarter // 2, more):
        if gain >= more:
            with suppress(ContextFull):
                context.drop_media(context.room + gain, instead)
                logger.warning("the context is full: the oldest sounds and pictures leave it")
                return
    if len(turns) < 2:
        return
    first, count = turns[0].start, 1
    while count < len(turns) - 1:
        if turns[count].start - first >= max(more, quarter):
            break
        count += 1
    logger.warning("the context is full: the oldest %d turns leave it", count)
    context.forget(first, turns[count].start)
    del turns[:count]
