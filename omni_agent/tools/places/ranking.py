"""Which place first, and why: a sum of a few terms, each of which can be said in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from omni_agent.tools.places.cuisine import DIET_NAMES, Wish, fold
from omni_agent.tools.places.geometry import Located, distance_m, walking_minutes
from omni_agent.tools.places.hours import OpenStatus, open_status
from omni_agent.tools.places.place import Place
from omni_agent.tools.places.preferences import Preferences
from omni_agent.tools.places.words import status_words, walk_words

WEIGHTS = {
    "match": 3.0,
    "open": 2.0,
    "distance": 2.0,
    "diet": 2.0,
    "wheelchair": 1.5,
    "preference": 1.0,
    "completeness": 0.3,
}
FAR_M = 400.0
"""The distance term falls to 1/e at this distance."""
SAME_PLACE_M = 30.0
"""Two entries of one name this close are one place, mapped as a point and as a building."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One term of the score: weight times a value, and what to say about it (perhaps nothing)."""

    term: str
    score: float
    en: str = ""
    zh: str = ""

    def words(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Ranked:
    place: Place
    metres: float
    status: OpenStatus
    reasons: tuple[Reason, ...]

    @property
    def score(self) -> float:
        return sum(reason.score for reason in self.reasons)

    @property
    def minutes(self) -> int:
        return walking_minutes(self.metres)

    def why(self, language: str) -> str:
        """ "open until 22:00, 4 minutes' walk, vegan options"."""
        said = [words for reason in self.reasons if (words := reason.words(language))]
        return ("，" if language == "zh" else ", ").join(said)


def rank(
    places: Iterable[Place],
    *,
    wish: Wish,
    origin: Located,
    now: datetime,
    preferences: Preferences = Preferences(),  # noqa: B008  frozen
    wheelchair: bool = False,
) -> list[Ranked]:
    """The places that fit, best first; equals by distance, then by id, so never by chance.

    Left out: what the map says is not it: other food, a diet or a wheelchair refused.
    Closed places stay, far down, for the caller to leave out or not.
    """
    ranked = [
        judged
        for place in places
        if (judged := _judge(place, wish, origin, now, preferences, wheelchair))
    ]
    ranked.sort(key=lambda r: (-r.score, r.metres, r.place.id))
    return _without_doubles(ranked)


def _judge(
    place: Place,
    wish: Wish,
    origin: Located,
    now: datetime,
    preferences: Preferences,
    wheelchair: bool,
) -> Ranked | None:
    fit = wish.fit(place)
    diets = sorted(wish.diets | preferences.diets)
    offers = {diet: place.offers(diet) for diet in diets}
    if fit <= 0 or False in offers.values() or (wheelchair and place.wheelchair == "no"):
        return None
    metres = distance_m(origin, place.point)
    status = open_status(place.opening_hours, place.point, now)
    reasons = [
        Reason("match", WEIGHTS["match"] * fit),
        Reason(
            "open",
            WEIGHTS["open"] * _openness(status),
            status_words(status, "en"),
            status_words(status, "zh"),
        ),
        Reason(
            "distance",
            WEIGHTS["distance"] * math.exp(-metres / FAR_M),
            walk_words(metres, "en"),
            walk_words(metres, "zh"),
        ),
        *_diet_reasons(offers, asked=wish.diets),
    ]
    if wheelchair or preferences.wheelchair:
        reasons.append(_wheelchair_reason(place))
    reasons += _preference_reasons(place, preferences)
    reasons.append(Reason("completeness", WEIGHTS["completeness"] * _completeness(place)))
    return Ranked(place, metres, status, tuple(reasons))


def _openness(status: OpenStatus) -> float:
    if status.state == "open":
        return 0.4 if status.closes_soon else 1.0
    return 0.45 if status.state == "unknown" else 0.0


def _diet_reasons(offers: dict[str, bool | None], *, asked: frozenset[str]) -> list[Reason]:
    reasons = []
    for diet, offered in offers.items():
        names = DIET_NAMES[diet]
        value = 1.0 if offered else 0.3
        if offered:
            en, zh = f"{names['en']} options", f"有{names['zh']}选择"
        elif diet in asked:
            en, zh = f"{names['en']} options not stated", f"没有注明是否有{names['zh']}"
        else:
            en, zh = "", ""
        reasons.append(Reason("diet", WEIGHTS["diet"] * value / len(offers), en, zh))
    return reasons


def _wheelchair_reason(place: Place) -> Reason:
    match place.wheelchair:
        case "yes":
            value, en, zh = 1.0, "wheelchair accessible", "轮椅可以进出"
        case "limited":
            value, en, zh = 0.5, "partly wheelchair accessible", "轮椅部分可以通行"
        case "no":
            value, en, zh = 0.0, "not wheelchair accessible", "轮椅无法进出"
        case None:
            value, en, zh = 0.3, "wheelchair access not stated", "没有注明轮椅是否方便"
    return Reason("wheelchair", WEIGHTS["wheelchair"] * value, en, zh)


def _preference_reasons(place: Place, preferences: Preferences) -> list[Reason]:
    reasons = []
    for liked in preferences.likes:
        if liked.fit(place) >= 0.8:
            label_zh = liked.label("zh")
            reasons.append(
                Reason(
                    "preference",
                    WEIGHTS["preference"],
                    f"a match for the love of {liked.label('en')}",
                    f"符合对{label_zh}的喜好",
                )
            )
            break
    if any(disliked.fit(place) >= 0.8 for disliked in preferences.dislikes):
        reasons.append(Reason("preference", -2 * WEIGHTS["preference"]))
    return reasons


def _completeness(place: Place) -> float:
    """A well described place is likelier to exist still, and more can be said about it."""
    known = (
        place.opening_hours,
        place.address,
        place.phone or place.website,
        place.cuisines or place.kind not in ("restaurant", "fast_food"),
    )
    return sum(map(bool, known)) / len(known)


def _without_doubles(ranked: Sequence[Ranked]) -> list[Ranked]:
    kept: list[Ranked] = []
    by_name: dict[str, list[Ranked]] = {}
    for candidate in ranked:
        twins = by_name.setdefault(fold(candidate.place.name), [])
        point = candidate.place.point
        if all(distance_m(point, twin.place.point) > SAME_PLACE_M for twin in twins):
            twins.append(candidate)
            kept.append(candidate)
    return kept
