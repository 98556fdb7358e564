"""The conversation as a client sees it: items with ids, in order, with what was heard of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from omni_agent.server.wire import BadEvent, new_id

Status = Literal["in_progress", "completed", "incomplete"]


@dataclass(slots=True)
class Spoken:
    """Where in its turn's reply an assistant's message lies.

    `starts_ms` counts the sound of the turn that came before it, `starts_char` its words. A filler
    is no part of the reply.
    """

    turn: int
    starts_ms: int = 0
    starts_char: int = 0
    ms: float = 0.0
    filler: bool = False


@dataclass(slots=True, eq=False)
class Item:
    """One item. `body` is what goes over the wire, without `id`, `object` and `status`."""

    id: str
    body: dict[str, Any]
    status: Status = "completed"
    spoken: Spoken | None = None

    def as_wire(self) -> dict[str, Any]:
        return {"id": self.id, "object": "realtime.item", "status": self.status, **self.body}

    @property
    def type(self) -> str:
        return str(self.body["type"])

    @property
    def role(self) -> str | None:
        return self.body.get("role")

    @property
    def text(self) -> str:
        """Its words: typed, transcribed, said, or given by a tool."""
        parts = self.body.get("content") or ()
        words = [part.get("text") or part.get("transcript") or "" for part in parts]
        return " ".join(filter(None, [*map(str.strip, words), self.body.get("output")]))


def said(item: Item) -> dict[str, Any]:
    """The part of an assistant's message that holds its words."""
    part: dict[str, Any] = item.body["content"][0]
    return part


def say_heard(item: Item, words: str) -> None:
    """Of an assistant's message only `words` were heard; that is what it says from now on.

    Where nothing was, that is a blank: an empty transcript is taken by openai-agents for one that
    is not known, and all of the message for heard.
    """
    part = said(item)
    part["transcript" if part["type"] == "output_audio" else "text"] = words or " "


def spoken_by_user(transcript: str | None = None) -> dict[str, Any]:
    """The body of a message that was spoken to the microphone."""
    return message("user", [{"type": "input_audio", "transcript": transcript}])


def message(role: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


def function_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


@dataclass(slots=True)
class Items:
    """All items, oldest first; more than `most` are not kept."""

    most: int
    _by_id: dict[str, Item] = field(default_factory=dict)
    _order: list[str] = field(default_factory=list)
    _by_turn: deque[tuple[int, list[Item]]] = field(default_factory=lambda: deque(maxlen=32))

    def __iter__(self) -> Iterator[Item]:
        return (self._by_id[id] for id in self._order)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def last_id(self) -> str | None:
        return self._order[-1] if self._order else None

    def add(self, item: Item, *, after: str | None = None) -> str | None:
        """Put it at the end, after the item named, or first ("root"); the id before it.

        Raises BadEvent for an id that is taken, or one to come after that is not there.
        """
        if item.id in self._by_id:
            raise BadEvent(
                f"there is an item {item.id!r} already; leave the id out to get one",
                code="item_create_duplicate_item_id",
                param="item.id",
            )
        if after is None:
            at = len(self._order)
        elif after == "root":
            at = 0
        else:
            at = self._position(after) + 1
        before = self._order[at - 1] if at else None
        self._order.insert(at, item.id)
        self._by_id[item.id] = item
        if item.spoken is not None and not item.spoken.filler:
            self._of_turn(item.spoken.turn).append(item)
        if len(self._order) > self.most:
            del self._by_id[self._order.pop(0)]
        return before

    def get(self, id: str, *, code: str) -> Item:
        """Raises BadEvent with `code` where there is none of this id."""
        if (item := self._by_id.get(id)) is None:
            raise BadEvent(f"there is no item {id!r}", code=code, param="item_id")
        return item

    def before(self, id: str) -> str | None:
        """The id of the item before this one."""
        if id not in self._by_id:
            return None
        at = self._order.index(id)
        return self._order[at - 1] if at else None

    def remove(self, id: str) -> None:
        self.get(id, code="item_delete_invalid_item_id")
        del self._by_id[id]
        self._order.remove(id)

    def begin_turn(self, turn: int) -> None:
        """A turn that was taken back, because the user went on, leaves its number to the next."""
        self._by_turn = deque(
            ((number, items) for number, items in self._by_turn if number != turn), maxlen=32
        )

    def heard_of_turn(self, turn: int, heard_text: str) -> None:
        """Only the beginning of a turn's reply was heard; its items say no more than that."""
        for item in self._of_turn(turn):
            assert item.spoken is not None
            words = heard_text[item.spoken.starts_char :]
            whole = item.text
            if len(words) < len(whole):
                say_heard(item, words)
                item.status = "incomplete"

    def _of_turn(self, turn: int) -> list[Item]:
        for number, items in reversed(self._by_turn):
            if number == turn:
                return items
        self._by_turn.append((turn, []))
        return self._by_turn[-1][1]

    def _position(self, id: str) -> int:
        if id not in self._by_id:
            raise BadEvent(
                f"there is no item {id!r} to come after",
                code="item_create_invalid_previous_item_id",
                param="previous_item_id",
            )
        return self._order.index(id)


def new_item(body: dict[str, Any], *, id: str | None = None, status: Status = "completed") -> Item:
    return Item(id or new_id("item"), body, status)
