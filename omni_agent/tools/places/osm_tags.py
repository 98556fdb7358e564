"""OpenStreetMap tags into a Place. Anyone may write a tag: nothing in one is trusted."""

from __future__ import annotations

import re
from collections.abc import Mapping

from omni_agent.tools.places.geometry import Point
from omni_agent.tools.places.place import Access, Place

AMENITIES = (
    "restaurant", "cafe", "fast_food", "bar", "pub", "ice_cream", "food_court", "biergarten",
)  # fmt: skip
SHOPS = ("bakery", "pastry", "ice_cream", "coffee", "tea", "deli")

_LONGEST_VALUE = 160
_LANGUAGE_KEY = re.compile(r"name:([a-z]{2,3})(?:[-_]\w+)?")
_SPOKEN_DIETS = re.compile(r"diet:([a-z_]{3,20})")


def place_from_tags(osm_id: str, tags: Mapping[str, str], point: Point) -> Place | None:
    """A Place, or None where the tags describe no named place to eat or drink."""
    kind = _kind(tags)
    if kind is None:
        return None
    names = {
        found[1]: name
        for key, value in tags.items()
        if (found := _LANGUAGE_KEY.fullmatch(key)) and (name := clean(value))
    }
    name = next(
        (
            candidate
            for candidate in (
                clean(tags.get("name")),
                names.get("en"),
                *names.values(),
                clean(tags.get("brand")),
                clean(tags.get("operator")),
            )
            if candidate
        ),
        None,
    )
    if name is None:
        return None
    return Place(
        id=osm_id,
        name=name,
        kind=kind,
        point=point,
        names=names,
        cuisines=_cuisines(tags.get("cuisine", "")),
        diets={
            found[1]: value
            for key, raw in tags.items()
            if (found := _SPOKEN_DIETS.fullmatch(key))
            and (value := raw.strip().lower()) in ("yes", "only", "limited", "no")
        },
        wheelchair=_access(tags.get("wheelchair")),
        opening_hours=clean(tags.get("opening_hours"), longest=1000),
        address=_address(tags),
        phone=clean(tags.get("phone") or tags.get("contact:phone")),
        website=clean(tags.get("website") or tags.get("contact:website") or tags.get("url")),
        outdoor_seating=_yes_no(tags.get("outdoor_seating")),
        takeaway=_yes_no(tags.get("takeaway")),
    )


def clean(value: str | None, *, longest: int = _LONGEST_VALUE) -> str | None:
    """One line without control characters and markup brackets, cut at `longest` characters."""
    if not value:
        return None
    printable = "".join(c if c.isprintable() and c not in "<>{}" else " " for c in value[:4000])
    one_line = " ".join(printable.split())
    return one_line[:longest].rstrip() or None


def _kind(tags: Mapping[str, str]) -> str | None:
    for key, known in (("amenity", AMENITIES), ("shop", SHOPS)):
        for value in tags.get(key, "").split(";"):
            if (value := value.strip().lower()) in known:
                return value
    return None


def _cuisines(raw: str) -> tuple[str, ...]:
    parts = (re.sub(r"[\s\-]+", "_", p.strip().lower()) for p in re.split(r"[;,/]", raw[:400]))
    return tuple(dict.fromkeys(p for p in parts if re.fullmatch(r"\w{2,30}", p)))[:12]


def _access(raw: str | None) -> Access | None:
    match (raw or "").strip().lower():
        case "yes" | "designated":
            return "yes"
        case "limited":
            return "limited"
        case "no":
            return "no"
        case _:
            return None


def _yes_no(raw: str | None) -> bool | None:
    value = (raw or "").strip().lower()
    if value in ("no", "none"):
        return False
    if value in ("yes", "only", "sidewalk", "patio", "terrace", "garden", "pedestrian_zone"):
        return True
    return None


def _address(tags: Mapping[str, str]) -> str | None:
    street = clean(tags.get("addr:street") or tags.get("addr:place"))
    if street is None:
        return clean(tags.get("addr:full"))
    number = clean(tags.get("addr:housenumber"))
    line = f"{street} {number}" if number else street
    city = clean(tags.get("addr:city"))
    return f"{line}, {city}" if city else line
