"""Above the list of memories: the people it knows, and what the camera saw, along the time."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from omni_agent.errors import OmniAgentError
from omni_agent.media import Image
from omni_agent.memory import Memory
from omni_agent.memory.records import Look, Person
from page.blocks import module

_SAID = 5
_SCENES = 24
_SIDE = 320  # pixels of a scene's longer side


class PeopleShelf:
    """Built on `Memory`'s public methods; all of them block, and run in a thread of Gradio's."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def build(self) -> None:
        module("people_shelf", functions=[self.known, self.forget_person])

    def known(self) -> dict[str, Any]:
        """{people, scenes}: who is kept, the last seen first, and the newest scenes."""
        try:
            people = self._memory.people
            everybody = sorted(people.all(), key=lambda p: p.last_seen, reverse=True)
            names = {p.id: p.name for p in everybody}
            scenes = self._memory.scenes.find(limit=_SCENES)
            return {
                "people": [self._person(p) for p in everybody],
                "scenes": [
                    {
                        "id": scene.id,
                        "at": scene.at.isoformat(),
                        "words": scene.description or scene.text,
                        "people": [name for id in scene.people if (name := names.get(id))],
                        "picture": _picture(self._memory.scenes.picture(scene)),
                    }
                    for scene in scenes
                ],
            }
        except OmniAgentError as error:
            return {"error": str(error)}

    def forget_person(self, id: str) -> dict[str, Any]:
        """{gone}: the ids of the memories that went with them."""
        try:
            return {"gone": list(self._memory.people.forget(str(id)))}
        except OmniAgentError as error:
            return {"error": str(error)}

    def _person(self, person: Person) -> dict[str, Any]:
        people = self._memory.people
        said, portrait = people.said(person, limit=_SAID), people.portrait(person)
        return {
            "id": person.id,
            "name": person.name,
            "seen": person.last_seen.isoformat(),
            "portrait": None if portrait is None else _data_url(portrait),
            "looks": [_look(look) for look in people.look_history(person)],
            "said": [{"text": m.text, "at": m.at.isoformat()} for m in said],
        }


def _look(look: Look) -> dict[str, Any]:
    return {
        "slot": look.slot,
        "value": look.value,
        "since": look.valid_from.isoformat(),
        "until": _iso(look.valid_to),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _picture(jpeg: bytes | None) -> str | None:
    return None if jpeg is None else _data_url(Image.load(jpeg).thumbnail(_SIDE))


def _data_url(image: Image) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(image.to_jpeg()).decode()}"
