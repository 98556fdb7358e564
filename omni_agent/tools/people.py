"""Tools for an agent that knows people: who is here, what they said, how they look, what was seen.

What people said and what was seen is told word for word, in quotation marks: it is data.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from omni_agent.errors import ToolError
from omni_agent.tools.base import Position, Say, Tool, ToolContext, tool
from omni_agent.tools.people_meant import (
    ASKS_WHO,
    EVERYBODY,
    KnownPeople,
    Meant,
    known_people,
    meant,
    tells,
)
from omni_agent.tools.people_words import (
    Scene,
    by_place,
    heard_nothing,
    inside,
    quoted,
    statements,
    tell_here,
    tell_look,
    tell_seen,
)

When = Literal["today", "yesterday", "this week", "this month"]

_MOST_SAID = 3
_CALL = timedelta(hours=2)  # before now, where nobody knows when the call began


class PeopleTools:
    """`tools` are for an agent with a `Memory`; it needs no other setting up."""

    @property
    def tools(self) -> tuple[Tool, ...]:
        return (
            self.who_is_here, self.what_did_they_say, self.how_do_they_look,
            self.find_in_scenes, self.remember, self.forget,
        )  # fmt: skip

    @tool(
        filler=None,
        examples=[
            ("Who is here?", {}),
            ("这里都有谁？", {}),
            ("Who is sitting on the left?", {}),
            ("坐在右边的是谁？", {}),
            ("Do you know who I am?", {}),
            ("How many people are with me?", {}),
        ],
    )
    def who_is_here(self, ctx: ToolContext) -> Say:
        """Tell who is in view or in earshot, and where they sit."""
        known_people(ctx)
        zh = ctx.language == "zh"
        if not ctx.present:
            return Say("我现在看不见也听不见任何人。" if zh else "I can see and hear nobody.", [])
        told = [tell_here(p, ctx.present, ctx.language) for p in ctx.present]
        if zh:
            return Say("，".join(told) + "。", told)
        text = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
        return Say(f"{text[0].upper()}{text[1:]}.", told)

    @tool(
        filler=None,
        examples=[
            ("What did Anna say about the holiday?", {"person": "Anna", "about": "the holiday"}),
            ("小明说了什么关于考试的事？", {"person": "小明", "about": "考试"}),
            (
                "What did the woman on the left say about her work?",
                {"person": "the woman on the left", "about": "work"},
            ),
            ("右边那个人刚才说了什么？", {"person": "右边那个人"}),
            ("What did Ben say?", {"person": "Ben"}),
            ("What did I say about lunch?", {"person": "me", "about": "lunch"}),
            ("Who said something about a dog?", {"person": "who", "about": "a dog"}),
            ("谁说过要去北京？", {"person": "谁", "about": "去北京"}),
            ("Who has a birthday next week?", {"person": "who", "about": "birthday next week"}),
            ("Which of us works in a hospital?", {"person": "who", "about": "works in a hospital"}),
            ("What is Tom allergic to?", {"person": "Tom", "about": "allergic to"}),
            ("王芳的猫叫什么？", {"person": "王芳", "about": "猫的名字"}),
        ],
    )
    def what_did_they_say(self, person: str, ctx: ToolContext, about: str | None = None) -> Say:
        """Tell what somebody said, about something or lately, or who said something.

        Args:
            person: A name, "me", or where they sit, as it was said; "who" if that is asked.
            about: What it was about.
        """
        if about and EVERYBODY.fullmatch(person.strip()):
            nobody = heard_nothing("谁" if ctx.language == "zh" else "anybody", about, ctx.language)
            return _who_said(about, ctx) or Say(nobody, [])
        who = meant(person, ctx)
        people = known_people(ctx)
        found = statements(people.said(who.id, about, limit=20))
        found = found[: 1 if about else _MOST_SAID]
        name, zh = who.called(ctx.language), ctx.language == "zh"
        if not found:
            nothing = heard_nothing(inside(name), about, ctx.language)
            other = _who_said(about, ctx) if about else None
            if other is not None:
                return Say(f"{nothing}{'不过，' if zh else ' But '}{other.text}", other.data)
            return Say(nothing, [])
        texts = [quoted(words.text) for words in reversed(found)]
        said = "".join(f"“{t}”" for t in texts) if zh else " ".join(f'"{t}"' for t in texts)
        doubt = "" if who.sure else ("我不太确定，不过" if zh else "I am not sure, but I think ")
        return Say(f"{doubt}{name}说：{said}" if zh else f"{doubt}{name} said: {said}", texts)

    @tool(
        filler=None,
        examples=[
            ("What does Anna look like?", {"person": "Anna"}),
            ("小明今天穿什么颜色的衣服？", {"person": "小明", "feature": "clothes"}),
            ("Who wears glasses?", {"person": "everybody", "feature": "glasses"}),
            ("谁戴帽子？", {"person": "everybody", "feature": "hat"}),
            ("Did Ben have a beard at the start?", {"person": "Ben", "feature": "beard",
                                                     "at_the_start": True}),
        ],
    )  # fmt: skip
    def how_do_they_look(
        self,
        person: str,
        ctx: ToolContext,
        feature: str | None = None,
        at_the_start: bool = False,
    ) -> Say:
        """Tell how somebody looks: glasses, hat, hair, beard, the colour of their clothes.

        Args:
            person: A name, where they sit, or "everybody".
            feature: One thing to look for, in English, such as glasses.
            at_the_start: How it was when the call began.
        """
        people, zh = known_people(ctx), ctx.language == "zh"
        moment = _began(ctx) if at_the_start else None
        slot = None if feature is None else feature.casefold().strip()
        if EVERYBODY.fullmatch(person.strip()) or (slot and ASKS_WHO.search(ctx.heard)):
            ids = [p.id for p in ctx.present]
        else:
            ids = [meant(person, ctx).id]
        seen = [
            look
            for id in ids
            for look in people.looks(id, at=moment)
            if slot is None or slot.rstrip("s") in f"{look.slot} {look.value}".casefold()
        ]
        if len(ids) != 1 and slot is not None:
            seen = [look for look in seen if look.value.casefold() not in ("no", "none")]
        here = {p.id: p for p in ctx.present}
        told = []
        for look in seen:
            name = look.person.name or by_place(here.get(look.person.id), ctx)
            told.append(tell_look(name, look.slot, look.value, ctx.language))
        if not told:
            return Say("这个我没看出来。" if zh else "I could not see that.", [])
        told[0] = told[0][0].upper() + told[0][1:]
        return Say("，".join(told) + "。" if zh else "; ".join(told) + ".", told)

    @tool(
        examples=[
            ("Where did I put my keys?", {"words": "keys"}),
            ("What did the sign on the corner say?", {"words": "sign on the corner"}),
            ("我的眼镜放哪儿了？", {"words": "眼镜"}),
            ("What was on the stove when Anna came in?", {"words": "stove", "person": "Anna"}),
            ("昨天桌子上有什么？", {"words": "桌子", "when": "yesterday"}),
        ],
    )
    def find_in_scenes(
        self,
        words: str,
        ctx: ToolContext,
        person: str | None = None,
        when: When | None = None,
        near_here: bool = False,
    ) -> Say:
        """Find something that the camera saw earlier: where a thing was, what a sign said.

        Args:
            words: What to look for.
            person: Somebody who was there, or came in then.
            when: When it was.
            near_here: Only what was seen around here.
        """
        scenes: Scenes | None = getattr(ctx.memory, "scenes", None)
        if scenes is None:
            raise ToolError("this agent keeps nothing of what it sees")
        if tells(ctx.heard):  # where a thing is; they do not ask for it
            return Say("好的，我记下了。" if ctx.language == "zh" else "Good to know.")
        place = ctx.place if near_here else None
        whom = None if person is None else meant(person, ctx).id
        since, until = _span(when, ctx.clock.now())
        found = scenes.find(words, came_in=whom, since=since, until=until, near=place, limit=2)
        if not found and whom is not None:
            found = scenes.find(words, person=whom, since=since, until=until, near=place, limit=2)
        zh = ctx.language == "zh"
        told = [t for scene in found if (t := tell_seen(scene, ctx.clock.now(), ctx.language))]
        if not told:
            return Say(f"我没看见过{words}。" if zh else f"I have not seen {words}.", [])
        return Say(told[0], told)

    @tool(
        filler=None,
        examples=[
            ("Remember that I am allergic to nuts", {"what": "I am allergic to nuts"}),
            ("Please remember me", {"what": "me"}),
            ("记住我每天早上六点起床", {"what": "我每天早上六点起床"}),
        ],
    )
    def remember(self, what: str, ctx: ToolContext) -> Say:
        """Keep something that the user wants remembered, or the user themselves.

        Args:
            what: The user's own words, or "me".
        """
        zh, memory = ctx.language == "zh", ctx.memory
        if what.strip().casefold() in ("me", "us", "myself", "我", "我自己"):
            known_people(ctx).agree(meant("me", ctx).id)
            return Say("好的，我会记住你。" if zh else "I will remember you.")
        keep: Any = memory.remember
        keep(what, **({} if ctx.speaker is None else {"person": ctx.speaker}))
        return Say("记住了。" if zh else "I will remember that.")

    @tool(
        filler=None,
        examples=[
            ("Forget me", {"person": "me"}),
            ("Forget everything about me", {"person": "me"}),
            ("把我忘掉", {"person": "me"}),
            ("Forget everything you know about Ben", {"person": "Ben"}),
            ("Yes, forget Ben for good", {"person": "Ben", "confirmed": True}),
        ],
    )
    def forget(self, person: str, ctx: ToolContext, confirmed: bool = False) -> Say:
        """Forget a person for good: their name, voice, face, and all they said.

        Args:
            person: "me", or a name.
            confirmed: Whether the user has been asked, and said yes.
        """
        who, zh = meant(person, ctx), ctx.language == "zh"
        mine = who.id == ctx.speaker
        if not mine and not confirmed:
            name = inside(who.called(ctx.language))
            if zh:
                return Say(f"真的要把{name}的一切都忘掉吗？说“是的，忘掉{name}”。")
            return Say(f"Shall I forget everything about {name}? Then say: yes, forget {name}.")
        known_people(ctx).forget(who.id)
        if mine:
            return Say("好的，你的一切我都忘了。" if zh else "I have forgotten all about you.")
        return Say("已经忘掉了。" if zh else "It is forgotten.")


class Scenes(Protocol):
    """What is wanted of `Memory.scenes`."""

    def find(
        self,
        words: str | None = None,
        *,
        person: str | None = None,
        came_in: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        near: Position | None = None,
        limit: int = 5,
    ) -> Sequence[Scene]: ...


def _who_said(about: str, ctx: ToolContext) -> Say | None:
    people, zh = known_people(ctx), ctx.language == "zh"
    memory: Any = ctx.memory
    kept = memory.get(*(m.id for m in memory.recall(about, limit=12)))
    for words in statements([w for w in kept.values() if w.person and w.kind != "fact"]):
        person = people.get(words.person or "")
        if person is not None and person.name is not None:
            text = quoted(words.text)
            told = f"{person.name}说：“{text}”" if zh else f'{person.name} said: "{text}"'
            return Say(told, {"person": person.name, "said": text})
    return None


def _span(when: When | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    match when:
        case None:
            return None, None
        case "today":
            return today, None
        case "yesterday":
            return today - timedelta(days=1), today
        case "this week":
            return today - timedelta(days=7), None
        case "this month":
            return today - timedelta(days=31), None


def _began(ctx: ToolContext) -> datetime:
    return ctx.clock.now() - _CALL


__all__ = ["KnownPeople", "Meant", "PeopleTools"]
