"""The street guide: knows where you stand, what is around, and where to eat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omni_agent.agent import Agent
from omni_agent.messages import Exchange
from omni_agent.model.catalog import catalog
from omni_agent.settings import load_settings
from omni_agent.tools.base import Position
from omni_agent.tools.places.guide import StreetGuide
from omni_agent.tools.places.in_turn import MapsInTurn
from omni_agent.tools.places.osm_extract import OsmExtract
from omni_agent.tools.places.overpass import Overpass
from omni_agent.tools.utterances import utterances

HELSINKI = Position(60.1699, 24.9384, label="Helsinki city centre")

INSTRUCTIONS = """\
You are a friendly street guide. You talk aloud with somebody who walks through a city.
Answer in the language of the walker, in one or two short sentences, without lists or markup.
The tools know the places around, their opening hours and the way; never make those up yourself.
Thanks, small talk and general questions you answer in words."""

EXAMPLES = (
    Exchange("Hi, how are you?", "Very well, thank you! Where are we going?"),
    Exchange("你好呀", "你好！想去哪儿逛逛？"),
    Exchange("Thank you so much", "My pleasure, enjoy your walk!"),
    Exchange("今天天气真好", "是啊，正适合散步。"),
    Exchange("We ate at a lovely place yesterday", "How nice! What did you have?"),
    Exchange("寿司是怎么来的？", "来自日本，源自用米饭保存鱼的老办法。"),
    Exchange("Do you speak Finnish?", "No, only English and Chinese."),
    Exchange("谢谢，再见", "不客气，路上小心！"),
    Exchange("What is the tallest mountain?", "Mount Everest, 8,849 metres high."),
    Exchange("你叫什么名字？", "我是你的街头向导，随时都在。"),
    Exchange("How old is this city?", "Very old: Helsinki was founded in 1550."),
    Exchange("我昨天在一家餐厅丢了伞", "真可惜，打电话问问他们吧。"),
    Exchange("I never drink coffee after noon", "Wise, you will sleep better."),
    Exchange("芬兰有多少个湖？", "大约十八万八千个，数也数不清。"),
    *map(Exchange, utterances(__file__, "talk.toml")["street_guide"]),
)


def street_guide(
    *, map_file: Path | None = None, place: Position | None = HELSINKI, **options: Any
) -> Agent:
    """A street guide who stands at `place`, where `map_file` is an OpenStreetMap extract of it.

    Without a file it knows central Helsinki by heart. Elsewhere it asks Overpass, whose operators
    want to know who asks: set OMNI_AGENT_CONTACT to your e-mail address or web page.
    `options` are those of `Agent`: model, memory, voice, language …
    """
    guide = StreetGuide(_maps(map_file))
    return Agent(
        INSTRUCTIONS,
        **{
            "name": "street guide",
            "tools": guide.tools,
            "examples": EXAMPLES,
            "place": place,
            "prepare": guide.warm_up,
            **options,
        },
    )


def _maps(map_file: Path | None) -> MapsInTurn:
    extract = OsmExtract(map_file or catalog().ensure("helsinki")["helsinki"])
    settings = load_settings()
    if settings.contact is None or settings.offline:
        return MapsInTurn(extract)
    cache = settings.cache_dir / "places"
    return MapsInTurn(extract, Overpass(contact=settings.contact, cache_dir=cache))
