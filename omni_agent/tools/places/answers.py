"""Whole answers about places, in words fit for speech and as data to read and show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omni_agent.tools.places.cuisine import DIET_NAMES, Wish
from omni_agent.tools.places.geometry import HERE_M, Located, direction_words, distance_words
from omni_agent.tools.places.place import Surroundings
from omni_agent.tools.places.preferences import Preferences, allergen_words
from omni_agent.tools.places.ranking import Ranked
from omni_agent.tools.places.words import article, kind_words, status_words, walk_words

SPOKEN = 3
SHOWN = 8
_ON_THE_STREET_M = 25.0
_NEXT_DOOR_M = 40.0
_LONGEST_LABEL = 60


class Answers:
    """Puts results into words for one language and one pair of eyes."""

    def __init__(self, language: str, origin: Located, heading: float | None) -> None:
        self.language = language
        self.origin = origin
        self.heading = heading

    @property
    def zh(self) -> bool:
        return self.language == "zh"

    def pick(self, en: str, zh: str) -> str:
        return zh if self.zh else en

    def direction(self, ranked: Ranked) -> str:
        return direction_words(
            self.origin, ranked.place.point, heading=self.heading, language=self.language
        )

    def found(
        self,
        ranked: Sequence[Ranked],
        *,
        wish: Wish,
        preferences: Preferences,
        widened_from: int | None,
        all_closed: bool,
        allergies: Sequence[str],
    ) -> str:
        """At most three places. `widened_from`: minutes within which there was nothing."""
        first, *others = ranked[:SPOKEN]
        said = self._with_preferences(wish, preferences)
        if widened_from is not None:
            said += self.pick(
                f"there's nothing within {_minutes(widened_from)}, but farther out try ",
                f"步行{widened_from}分钟内没有，稍远一点推荐 ",
            )
        elif all_closed:
            said += self.pick("all I found is closed now: ", "找到的现在都没开门：")
        else:
            said += self.pick("try ", "推荐 ")
        said += self._fully(first)
        if others:
            rest = [self._briefly(r) for r in others]
            said += self.pick(". There's also ", "。还有 ")
            said += self.pick("; and ", "；以及 ").join(rest)
        said += self.pick(".", "。")
        if allergies:
            what_en = " and ".join(allergies)
            what_zh = "、".join(allergen_words(a, "zh") for a in allergies)
            said += self.pick(
                f" Do ask there about {what_en}: the map knows no ingredients.",
                f"请到店里说明对{what_zh}过敏，地图上没有配料信息。",
            )
        return said[0].upper() + said[1:]

    def nothing(self, wish: Wish, minutes: int) -> str:
        label = wish.label(self.language)[:_LONGEST_LABEL]
        diets = [DIET_NAMES[d]["zh" if self.zh else "en"] for d in sorted(wish.diets)]
        if self.zh:
            what = "".join((*diets, label)) or "吃饭的地方"
            return f"我在步行{minutes}分钟内都没有找到 {what}，已经扩大过范围了。"
        what = " ".join((*diets, label)).strip() or "place to eat"
        return f"I found no {what} within {_minutes(minutes)} on foot, and I did look farther out."

    def details(self, ranked: Ranked) -> str:
        place, name = ranked.place, self._name(ranked)
        status = status_words(ranked.status, self.language)
        kind = kind_words(place, self.language)
        facts_en, facts_zh = _facts(ranked)
        if self.zh:
            where = f"，地址是 {place.address}" if place.address else ""
            phone = f"电话 {place.phone}。" if place.phone else "地图上没有电话。"
            facts = f"{'，'.join(facts_zh)}。" if facts_zh else ""
            walk = walk_words(ranked.metres, "zh")
            return f"{name} {status}。这是一家{kind}{where}，{walk}。{phone}{facts}"
        opening = (
            f"The hours of {name} are not in the map"
            if ranked.status.state == "unknown"
            else f"{name} is {status}"
        )
        where = f" at {place.address}" if place.address else ""
        phone = f"The phone number is {place.phone}." if place.phone else "No phone in the map."
        facts = f" It has {', '.join(facts_en)}." if facts_en else ""
        walk = walk_words(ranked.metres, "en")
        return f"{opening}. It's {article(kind)}{where}, {walk} from here. {phone}{facts}"

    def directions(self, ranked: Ranked) -> str:
        name, address = self._name(ranked), ranked.place.address
        direction = self.direction(ranked)
        far = distance_words(ranked.metres, self.language)
        minutes = ranked.minutes
        if ranked.metres < HERE_M:
            where = f" ({address})" if address else ""
            return self.pick(f"{name} is right here{where}.", f"{name} 就在旁边{where}。")
        if self.zh:
            where = f"，地址是 {address}" if address else ""
            return (
                f"{name} 在你的{direction}，直线约{far}，步行约{minutes}分钟{where}。"
                "我只能指方向，不能逐路导航。"
            )
        where = f", at {address}" if address else ""
        return (
            f"{name} is {far} {direction}, about {_minutes(minutes)} on foot{where}. "
            "I can point the way, not guide you turn by turn."
        )

    def here(
        self, label: str | None, around: Sequence[Surroundings], neighbour: Ranked | None
    ) -> str:
        parts: list[str] = []
        if label:
            parts.append(self.pick(f"at {label}", label))
        inside = [s for s in around if s.kind != "street" and s.metres == 0]
        streets = [s for s in around if s.kind == "street"]
        if inside:
            parts.append(self.pick(f"at {inside[0].name}", f"{inside[0].name} 里"))
        elif streets and streets[0].metres <= _ON_THE_STREET_M:
            parts.append(self.pick(f"on {streets[0].name}", f"{streets[0].name} 上"))
            if len(streets) > 1 and streets[1].metres <= 2 * _ON_THE_STREET_M:
                parts.append(self.pick(f"near {streets[1].name}", f"靠近 {streets[1].name}"))
        elif around:
            parts.append(self.pick(f"near {around[0].name}", f"{around[0].name} 附近"))
        if neighbour is not None and neighbour.metres <= _NEXT_DOOR_M:
            name = self._name(neighbour)
            parts.append(self.pick(f"next to {name}", f"旁边是 {name}"))
        if not parts:
            at = f"{self.origin.lat:.4f}, {self.origin.lon:.4f}"
            return self.pick(
                f"I know no street name here, only the coordinates {at}.",
                f"这里我不知道街名，坐标是 {at}。",
            )
        return self.pick(f"You're {', '.join(parts)}.", f"你在 {'，'.join(parts)}。")

    def data(self, ranked: Ranked, *, full: bool = False) -> dict[str, Any]:
        """One place as plain values, few, for a small model reads them; `full` adds the rest."""
        place = ranked.place
        data: dict[str, Any] = {
            "name": self._name(ranked),
            "kind": kind_words(place, self.language),
            "direction": self.direction(ranked),
            "why": ranked.why(self.language),
            "at": [round(place.point.lat, 5), round(place.point.lon, 5)],
        }
        if full:
            data |= {
                "id": place.id,
                "open": status_words(ranked.status, self.language),
                "minutes": ranked.minutes,
                "metres": round(ranked.metres),
                "address": place.address,
                "phone": place.phone,
                "website": place.website,
                "hours": place.opening_hours,
                "diets": dict(place.diets),
                "wheelchair": place.wheelchair,
                "outdoor_seating": place.outdoor_seating,
                "takeaway": place.takeaway,
            }
        return {key: value for key, value in data.items() if value not in (None, {}, "")}

    def _name(self, ranked: Ranked) -> str:
        return ranked.place.name_for(self.language)

    def _fully(self, ranked: Ranked) -> str:
        extra = [
            words
            for reason in ranked.reasons
            if reason.term in ("diet", "wheelchair", "preference")
            and (words := reason.words(self.language))
        ]
        parts = [
            self._walk(ranked),
            status_words(ranked.status, self.language),
            *extra,
        ]
        return self._name(ranked) + self.pick(", ", "，") + self.pick(", ", "，").join(parts)

    def _walk(self, ranked: Ranked) -> str:
        direction = self.direction(ranked)
        if ranked.metres < HERE_M:
            return direction
        walk = walk_words(ranked.metres, self.language)
        return self.pick(f"{walk} {direction}", f"在你{direction}，{walk}")

    def _briefly(self, ranked: Ranked) -> str:
        status = status_words(ranked.status, self.language)
        if self.zh:
            return f"{self._name(ranked)}，{walk_words(ranked.metres, 'zh')}，{status}"
        return f"{self._name(ranked)}, {_minutes(ranked.minutes)}, {status}"

    def _with_preferences(self, wish: Wish, preferences: Preferences) -> str:
        remembered = sorted(preferences.diets - wish.diets)
        if not remembered:
            return ""
        en = " and ".join(DIET_NAMES[d]["en"] for d in remembered)
        zh = "、".join(DIET_NAMES[d]["zh"] for d in remembered)
        return self.pick(f"with {en} food in mind, ", f"考虑到{zh}，")


def _minutes(minutes: int) -> str:
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def _facts(ranked: Ranked) -> tuple[list[str], list[str]]:
    place = ranked.place
    facts = [
        (DIET_NAMES[d]["en"] + " options", f"有{DIET_NAMES[d]['zh']}选择")
        for d in DIET_NAMES
        if place.offers(d)
    ][:2]
    if place.outdoor_seating:
        facts.append(("outdoor seating", "有户外座位"))
    if place.takeaway:
        facts.append(("takeaway", "可以外带"))
    match place.wheelchair:
        case "yes":
            facts.append(("wheelchair access", "轮椅可以进出"))
        case "limited":
            facts.append(("partial wheelchair access", "轮椅部分可以通行"))
        case "no":
            facts.append(("no wheelchair access", "轮椅无法进出"))
        case None:
            pass
    return [en for en, _ in facts], [zh for _, zh in facts]
