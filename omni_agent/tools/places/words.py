"""Hours, walks and kinds in words fit for speech, English and Chinese."""

from __future__ import annotations

from datetime import datetime

from omni_agent.tools.places.cuisine_table import TASTES
from omni_agent.tools.places.geometry import walking_minutes
from omni_agent.tools.places.hours import OpenStatus
from omni_agent.tools.places.place import Place

_WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_KINDS = {
    "restaurant": ("restaurant", "餐厅"),
    "cafe": ("café", "咖啡馆"),
    "fast_food": ("fast food place", "快餐店"),
    "bar": ("bar", "酒吧"),
    "pub": ("pub", "酒馆"),
    "ice_cream": ("ice cream parlour", "冰淇淋店"),
    "food_court": ("food court", "美食广场"),
    "biergarten": ("beer garden", "啤酒花园"),
    "bakery": ("bakery", "面包店"),
    "pastry": ("pastry shop", "糕点店"),
    "coffee": ("coffee shop", "咖啡店"),
    "tea": ("tea shop", "茶叶店"),
    "deli": ("deli", "熟食店"),
}
_CUISINES = {word: taste for taste in reversed(TASTES) for word in taste.cuisines.split()}


def status_words(status: OpenStatus, language: str) -> str:
    """ "open until 22:00", "opens tomorrow at 11:00", "hours unknown"."""
    zh = language == "zh"
    if status.state == "unknown":
        return "营业时间不详" if zh else "hours unknown"
    if status.changes_at is None or status.now is None:
        if status.state == "open":
            return "全天营业" if zh else "open around the clock"
        return "已停业" if zh else "closed"
    if status.state == "closed":
        when = _when(status.changes_at, status.now, language)
        return f"{when}开门" if zh else f"closed, opens {when}"
    if status.closes_soon and status.surely_until and status.left is not None:
        minutes = max(1, round(status.left.total_seconds() / 60))
        if zh:
            return f"还有{minutes}分钟打烊"
        return f"closing in {minutes} minute{'s' if minutes != 1 else ''}"
    until = _until(status.changes_at, status.now, language)
    if zh:
        return f"营业到{until}" + ("" if status.surely_until else "或更晚")
    return f"open until {until}" + ("" if status.surely_until else " or later")


def walk_words(metres: float, language: str) -> str:
    """ "4 minutes' walk", "步行约4分钟"."""
    minutes = walking_minutes(metres)
    if language == "zh":
        return f"步行约{minutes}分钟"
    return "1 minute's walk" if minutes == 1 else f"{minutes} minutes' walk"


def kind_words(place: Place, language: str) -> str:
    """ "sushi restaurant", "咖啡馆"."""
    en, zh = _KINDS.get(place.kind, (place.kind.replace("_", " "), "店"))
    taste = next((_CUISINES[c] for c in place.cuisines if c in _CUISINES), None)
    if taste is None:
        return zh if language == "zh" else en
    dish_en, dish_zh = taste.en.split("|")[0], taste.zh.split("|")[0]
    if language == "zh":
        return zh if dish_zh in zh else f"{dish_zh}{zh}"
    return en if dish_en in ("coffee", "tea", "ice cream", "bakery") else f"{dish_en} {en}"


def article(noun: str) -> str:
    return f"an {noun}" if noun[:1].lower() in "aeio" else f"a {noun}"


def _clock(moment: datetime, language: str) -> str:
    if moment.hour == moment.minute == 0:
        return "午夜" if language == "zh" else "midnight"
    return f"{moment:%H:%M}"


def _until(end: datetime, now: datetime, language: str) -> str:
    """A time of the night to come needs no day: "open until 02:00"."""
    days = (end.date() - now.date()).days
    if days == 0 or (days == 1 and end.hour < 12):
        return _clock(end, language)
    return _day(end, now, language) + ("" if language == "zh" else " ") + _clock(end, language)


def _when(start: datetime, now: datetime, language: str) -> str:
    clock = _clock(start, language)
    if start.date() == now.date():
        return clock if language == "zh" else f"at {clock}"
    day = _day(start, now, language)
    return f"{day}{clock}" if language == "zh" else f"{day} at {clock}"


def _day(day: datetime, now: datetime, language: str) -> str:
    days = (day.date() - now.date()).days
    if days == 1:
        return "明天" if language == "zh" else "tomorrow"
    if days < 7:
        weekday = _WEEKDAYS["zh" if language == "zh" else "en"][day.weekday()]
        return weekday if language == "zh" else f"on {weekday}"
    if language == "zh":
        return f"{day.month}月{day.day}日"
    return f"on {day.day} {_MONTHS[day.month - 1]}"
