"""The street guide's tools: find a place to eat or drink, tell about it, point the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from omni_agent.clock import SYSTEM_CLOCK
from omni_agent.errors import SettingsError, ToolError
from omni_agent.tools.base import Say, Tool, ToolContext, tool
from omni_agent.tools.places.answers import SHOWN, Answers
from omni_agent.tools.places.cuisine import Wish, understand
from omni_agent.tools.places.geometry import Point, reach_m, walking_minutes
from omni_agent.tools.places.hours import open_status
from omni_agent.tools.places.place import (
    Place,
    PlaceProvider,
    Preloaded,
    StreetProvider,
    Surroundings,
)
from omni_agent.tools.places.preferences import QUERY, Preferences, preferences_from
from omni_agent.tools.places.ranking import Ranked, rank
from omni_agent.tools.places.talk import Talks, best_named, is_ordinal
from omni_agent.tools.utterances import utterances

Diet = Literal["vegan", "vegetarian", "gluten-free", "lactose-free", "halal", "kosher"]

logger = logging.getLogger("omni_agent.tools.places")

_SAID = utterances(__file__)

_USUAL_M = 800.0
_WIDENED = 2.5
_FARTHEST_M = 5000.0
_LONGEST_WALK_MIN = 60
_LOOKING = {"en": "Let me look around.", "zh": "我看看附近。"}


class StreetGuide:
    """Tools over one provider of places. One guide may serve many conversations.

    `streets` names where the user stands; by default the provider, where it can.
    """

    def __init__(self, provider: PlaceProvider, *, streets: StreetProvider | None = None) -> None:
        self._provider = provider
        self._streets = streets if streets is not None else _streets_of(provider)
        self._talks = Talks()

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self.find_places, self.place_details, self.directions_to, self.where_am_i

    async def warm_up(self) -> None:
        """Load what the first answer would wait for: a map file, time zones, the table of tastes.

        Takes about a second once in a process, off the event loop. Uses no network.
        """
        if isinstance(self._provider, Preloaded):
            await self._provider.warm_up()
        await asyncio.to_thread(open_status, "24/7", Point(0, 0), SYSTEM_CLOCK.now())
        await asyncio.to_thread(understand, "coffee")

    @tool(
        timeout=60,
        filler=_LOOKING,
        examples=[
            ("Where can I get a good coffee around here?", {"what": "coffee"}),
            ("有没有清真的面馆？", {"what": "面", "diet": "halal"}),
            ("Find me a vegan place within ten minutes.", {"diet": "vegan", "within_minutes": 10}),
            ("我想吃点辣的。", {"what": "辣的"}),
            ("Is there anything Greek for Saturday?", {"what": "Greek", "open_now": False}),
            ("走路一刻钟以内有酒吧吗？", {"what": "酒吧", "within_minutes": 15}),
            ("Any pizza place a wheelchair can get into?", {"what": "pizza", "wheelchair": True}),
            ("明天晚上想去吃法国菜", {"what": "法国菜", "open_now": False}),
            ("I'd kill for some tacos", {"what": "tacos"}),
            (
                "My mum uses a wheelchair, is there something Spanish?",
                {"what": "Spanish", "wheelchair": True},
            ),
            ("想喝杯奶茶，或者果汁也行", {"what": "奶茶"}),
            *_SAID["find_places"],
        ],
    )
    async def find_places(
        self,
        ctx: ToolContext,
        what: str = "",
        open_now: bool = True,
        diet: Diet | None = None,
        within_minutes: int | None = None,
        wheelchair: bool = False,
    ) -> Say:
        """Find places to eat or drink near the user.

        Args:
            what: Food, drink, kind of place or name.
            open_now: False to include closed places.
            diet: Only for people who eat nothing else.
            within_minutes: Longest walk in minutes.
            wheelchair: True if a wheelchair must get in.
        """
        origin, answers = _standpoint(ctx)
        wish = _wish(what, diet)
        radius = _USUAL_M if within_minutes is None else _radius(within_minutes)
        preferences = _preferences(ctx)

        async def look(radius_m: float) -> list[Ranked]:
            places = await self._provider.near(origin, radius_m)
            judge = partial(
                rank,
                origin=origin,
                now=ctx.clock.now(),
                preferences=preferences,
                wheelchair=wheelchair,
            )
            found = await asyncio.to_thread(judge, places, wish=wish)
            if not found and wish.words and (named := best_named(places, what)):
                found = judge([named], wish=Wish(label_en=what, label_zh=what))
            return found

        everything = await look(radius)
        chosen = _open_ones(everything) if open_now else everything
        widened = not chosen
        if widened:
            wide = min(radius * _WIDENED, max(radius, _FARTHEST_M))
            everything = await look(wide) or everything
            chosen = _open_ones(everything) if open_now else everything
        all_closed = not chosen and bool(everything)
        chosen = (chosen or everything)[:SHOWN]

        attribution = self._provider.attribution
        if not chosen:
            minutes = walking_minutes(min(radius * _WIDENED, max(radius, _FARTHEST_M)))
            return Say(
                answers.nothing(wish, minutes),
                {"places": [], "attribution": attribution},
            )
        talk = self._talks.of(ctx.conversation)
        talk.listed, talk.current = chosen, None
        to_mention = tuple(a for a in preferences.allergies if a not in talk.told_allergies)
        talk.told_allergies += to_mention
        text = answers.found(
            chosen,
            wish=wish,
            preferences=preferences,
            widened_from=walking_minutes(radius) if widened and not all_closed else None,
            all_closed=all_closed,
            allergies=to_mention,
        )
        places = [answers.data(ranked) for ranked in chosen]
        data: dict[str, Any] = {"places": places, "attribution": attribution}
        if preferences.allergies:
            data["allergies"] = list(preferences.allergies)
        return Say(text, data)

    @tool(
        timeout=60,
        filler=_LOOKING,
        examples=[
            ("Is the second one still open?", {"name": "the second one"}),
            ("第一家几点关门？", {"name": "第一家"}),
            ("What's the phone number of Ekberg?", {"name": "Ekberg"}),
            ("那里的地址是什么？", {"name": "那里"}),
            *_SAID["place_details"],
        ],
    )
    async def place_details(self, ctx: ToolContext, name: str = "") -> Say:
        """Tell opening hours, address and phone of a place.

        Args:
            name: Its name, or "the second one"; empty for the one just mentioned.
        """
        ranked, answers = await self._pointed_out(ctx, name)
        data = answers.data(ranked, full=True) | {"attribution": ranked.place.attribution}
        return Say(answers.details(ranked), data)

    @tool(
        timeout=60,
        filler=_LOOKING,
        examples=[
            ("How do I get there?", {}),
            ("去 Ekberg 怎么走？", {"name": "Ekberg"}),
            ("Which way is the third one?", {"name": "the third one"}),
            ("怎么走？", {}),
            *_SAID["directions_to"],
        ],
    )
    async def directions_to(self, ctx: ToolContext, name: str = "") -> Say:
        """Tell how far a place is and in which direction.

        Args:
            name: Its name, or "the second one"; empty for the one just mentioned.
        """
        ranked, answers = await self._pointed_out(ctx, name)
        data = answers.data(ranked, full=True) | {"attribution": ranked.place.attribution}
        return Say(answers.directions(ranked), data)

    @tool(
        timeout=60,
        filler=_LOOKING,
        examples=[
            "Where am I?",
            "这是什么地方？",
            *_SAID["where_am_i"],
        ],
    )
    async def where_am_i(self, ctx: ToolContext) -> Say:
        """Tell the street or square where the user is now."""
        origin, answers = _standpoint(ctx)
        label = ctx.place.label if ctx.place is not None else None
        around: Sequence[Surroundings] = ()
        places: Sequence[Place] = ()
        try:
            if self._streets is not None:
                around = await self._streets.surroundings(origin)
            places = await self._provider.near(origin, 100.0)
        except ToolError as error:
            if not label:
                raise
            logger.info("only the label %r is known here: %s", label, error)
        nearest = sorted(
            rank(places, wish=Wish(), origin=origin, now=ctx.clock.now()), key=lambda r: r.metres
        )
        return Say(
            answers.here(label, around, nearest[0] if nearest else None),
            {
                "at": [round(origin.lat, 6), round(origin.lon, 6)],
                "around": [s.name for s in around[:4]],
                "attribution": self._provider.attribution,
            },
        )

    async def _pointed_out(self, ctx: ToolContext, said: str) -> tuple[Ranked, Answers]:
        """The place some words mean, seen from where the user is now."""
        origin, answers = _standpoint(ctx)
        talk = self._talks.of(ctx.conversation)
        meant = talk.point_out(said)
        place = meant.place if meant is not None else None
        if place is None and not is_ordinal(said):
            nearby = await self._provider.near(origin, 2 * _USUAL_M)
            place = best_named([*(r.place for r in talk.listed), *nearby], said)
        if place is None:
            raise ToolError(_no_such(said, [r.place.name for r in talk.listed[:5]]))
        # Judged again: the user walks, and the hours pass.
        fresh = rank([place], wish=Wish(), origin=origin, now=ctx.clock.now())[0]
        talk.current = fresh
        return fresh, answers


def _streets_of(provider: PlaceProvider) -> StreetProvider | None:
    return provider if isinstance(provider, StreetProvider) else None


def _standpoint(ctx: ToolContext) -> tuple[Point, Answers]:
    if ctx.place is None:
        raise ToolError(
            "我不知道你在哪里。你现在在什么位置？"
            if ctx.language.startswith("zh")
            else "I do not know where you are. Where are you now?"
        )
    try:
        origin = Point.of(ctx.place)
    except SettingsError as error:
        raise ToolError(f"{error} Where are you now?") from error
    return origin, Answers(ctx.language.split("-")[0], origin, ctx.place.heading)


def _wish(what: str, diet: str | None) -> Wish:
    wish = understand(what, diet)
    return wish if wish.is_food or wish.words else understand("food", " ".join(wish.diets))


def _radius(minutes: int) -> float:
    if not 1 <= minutes <= _LONGEST_WALK_MIN:
        raise ToolError(f"within_minutes is {minutes}; give 1 to {_LONGEST_WALK_MIN}.")
    return reach_m(minutes)


def _preferences(ctx: ToolContext) -> Preferences:
    return preferences_from(memory.text for memory in ctx.memory.recall(QUERY, limit=8))


def _open_ones(ranked: Sequence[Ranked]) -> list[Ranked]:
    return [r for r in ranked if r.status.state != "closed"]


def _no_such(said: str, listed: Sequence[str]) -> str:
    wanted = f"No place {said[:60]!r} is known here." if said else "No place was mentioned yet."
    if listed:
        return f"{wanted} The last list had: {', '.join(listed)}."
    return f"{wanted} Use find_places first."
