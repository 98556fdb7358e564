"""The cast of one call: which person in the memory each of its voices and faces belongs to.

A voice or face that is known again is that person's from the start. One that may be somebody's is a
stranger's with a guess, until more of it is heard or seen, a face bears it out, or somebody says
so. What a call learns of a known person is kept only where it was surely theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from omni_agent.memory.embed.face import FacePrinter
from omni_agent.memory.embed.voice import VoicePrinter, identify
from omni_agent.memory.face_tracks import FaceTrack
from omni_agent.memory.identities import LIMIT
from omni_agent.memory.people import FacePrint, People, Person
from omni_agent.memory.speakers import Speaker

HEARD_ENOUGH = 1.6
"""Seconds of speech from which a voice is somebody's."""
_VOICE_AGAIN = (3.0, 6.0, 12.0, 24.0)  # seconds at which it is judged, and may be kept, again
_FACE_AGAIN = (4, 12, 40, 120)  # frames
_KEPT_VOICE = 2.5  # seconds of which a print is worth keeping
_KEPT_SHOTS = 3


@dataclass(slots=True)
class Part:
    """A voice or a face in the call. `person`: an id.

    `perhaps`: the id of whom it may be. `guess`: the name that others seem to call it by.
    """

    person: str
    perhaps: str | None = None
    guess: str | None = None
    looked: int = 0  # how often it was judged
    known: bool = False  # recognised from before, and not met in this call


class Cast:
    """One call's. Not for several threads."""

    def __init__(
        self, people: People, voices: VoicePrinter, faces: FacePrinter, *, call: str
    ) -> None:
        self._people = people
        self._voice_printer, self._face_printer = voices, faces
        self._call = call
        self.voices: dict[str, Part] = {}
        self.faces: dict[str, Part] = {}
        self._linked: dict[tuple[str, str], float] = {}

    # --- meeting -----------------------------------------------------------------------------

    def hear(self, speaker: Speaker) -> None:
        """A voice of the call, with all that was heard of it so far."""
        seconds = speaker.seconds
        part = self.voices.get(speaker.id)
        if part is None and seconds < HEARD_ENOUGH:
            return
        looks = 1 + sum(seconds >= s for s in _VOICE_AGAIN)
        if part is not None and part.looked >= looks:
            return
        known = self._people.voices(self._voice_printer, call=self._call)
        mine = self._group(part)
        # Within a call it is the diarizer that tells voices apart. Only a voice from before may
        # have been taken for two, and that takes more than a few words.
        met = {
            id
            for other in self.voices.values()
            if not (other.known and seconds >= _VOICE_AGAIN[1])
            for id in self._group(other)
        }
        others = {id: print for id, print in known.items() if id not in mine | met}
        match = identify(speaker.print, others, self._voice_printer.calibration)
        sure = match.verdict == "known"
        perhaps = match.person if match.verdict == "not sure" else None
        part = self._judged(part, match.person if sure else None, perhaps, self.voices, speaker.id)
        part.looked = looks
        if seconds >= _KEPT_VOICE and (not part.known or seconds >= _VOICE_AGAIN[1]):
            if part.known and not self._is_clear(speaker, part):
                return
            self._people.enrol(part.person, speaker.print, self._voice_printer, call=self._call)

    def see(self, track: FaceTrack, others: Sequence[FaceTrack]) -> None:
        """A face in view; `others`: the rest of those in view."""
        if track.print is None or track.seen < _FACE_AGAIN[0]:
            return
        part = self.faces.get(track.id)
        looks = sum(track.seen >= n for n in _FACE_AGAIN)
        if part is not None and part.looked >= looks:
            return
        bars, mine = self._face_printer.thresholds, self._group(part)
        in_view = {id for other in others for id in self._group(self.faces.get(other.id))}
        met = in_view | {i for p in self.faces.values() if not p.known for i in self._group(p)}
        known = self._people.faces(self._face_printer, call=self._call)
        scores = sorted(
            (
                (float(track.print @ face), id)
                for id, face in known.items()
                # Within a call it is the tracker that tells faces apart; and nobody is in view
                # twice, but for twins, of whom then neither is sure.
                if id not in mine and (id not in met or float(track.print @ face) >= bars.same)
            ),
            reverse=True,
        )
        best, id = scores[0] if scores else (-1.0, None)
        second = scores[1][0] if len(scores) > 1 else -1.0
        sure = best >= bars.same and best - second >= bars.margin
        perhaps = id if not sure and best > bars.different else None
        if sure and id in in_view:
            sure, perhaps = False, id
            for other in others:
                twin = self.faces.get(other.id)
                if twin is not None and twin.known and id in self._group(twin):
                    twin.perhaps = twin.person
        part = self._judged(part, id if sure else None, perhaps, self.faces, track.id)
        part.looked = looks
        if part.perhaps is None:
            self._keep_face(part, track)

    def _judged(
        self,
        part: Part | None,
        known: str | None,
        perhaps: str | None,
        parts: dict[str, Part],
        id: str,
    ) -> Part:
        if part is None:
            if known is not None:
                part = Part(known, known=True)
                self._people.seen(known, call=self._call)
            else:
                part = Part(self._people.add(call=self._call).id, perhaps)
            parts[id] = part
        elif known is not None and not part.known:
            self._become(part, known)
        elif not part.known and self._name(part) is None:
            part.perhaps = perhaps
        return part

    def _become(self, part: Part, known: str) -> None:
        """A stranger turns out to be somebody: unless they said who they are, and are not."""
        name, theirs = self._name(part), self._people.get(known)
        if theirs is None or (name is not None and theirs.name not in (None, name)):
            return
        part.perhaps = None
        if self._id(part.person) != theirs.id:
            self._people.merge(part.person, known)

    def _keep_face(self, part: Part, track: FaceTrack) -> None:
        shots = track.shots.all[: 1 if part.known else _KEPT_SHOTS]
        for shot in shots:
            self._people.enrol(
                part.person,
                FacePrint(shot.print, shot.quality),
                self._face_printer,
                call=self._call,
                picture=shot.portrait,
            )

    def _is_clear(self, speaker: Speaker, part: Part) -> bool:
        """Whether a known person's voice is so surely theirs that it may be learned from."""
        known = self._people.voices(self._voice_printer, call=self._call)
        bars = self._voice_printer.calibration
        match = identify(speaker.print, known, bars)
        mine = self._group(part)
        return match.verdict == "known" and match.person in mine and match.lead >= 2 * bars.margin

    def let_go(self) -> None:
        """Who was forgotten meanwhile is a stranger from now on."""
        for parts in (self.voices, self.faces):
            for id in [id for id, part in parts.items() if self.person(part) is None]:
                del parts[id]

    def rename(self, resolve: Callable[[str], str]) -> None:
        """Two voices, or two faces, turned out to be one. `resolve`: the id one goes by now."""
        for parts in (self.voices, self.faces):
            for id in [id for id in parts if resolve(id) != id]:
                part = parts.pop(id)
                other = parts.setdefault(resolve(id), part)
                one, two = self._name(part), self._name(other)
                if self._id(part.person) != self._id(other.person) and (
                    one is None or two is None or one == two
                ):
                    self._people.merge(part.person, other.person)
                other.guess = other.guess or part.guess

    # --- who is who --------------------------------------------------------------------------

    def link(self, evidence: Mapping[tuple[str, str], float], reason: str = "mouth") -> None:
        """`evidence`: all log-odds so far of this call, by voice and face of the call."""
        totals: dict[tuple[str, str], float] = {}
        for (voice, face), value in evidence.items():
            mine, theirs = self.voices.get(voice), self.faces.get(face)
            if mine is not None and theirs is not None:
                pair = self._bearers(mine.person, theirs.person)
                if pair is not None:
                    totals[pair] = totals.get(pair, 0.0) + value
        # Persons may have been merged since, and a voice's words put down to another: what the
        # ledger has of this call is made to add up to what is known now.
        told: dict[tuple[str, str], float] = {}
        for pair, value in self._linked.items():
            if (now := self._bearers(*pair)) is not None:
                told[now] = told.get(now, 0.0) + value
        for pair in {**told, **totals}:
            whole = max(-LIMIT, min(LIMIT, totals.get(pair, 0.0)))  # as the ledger does
            change = whole - told.get(pair, 0.0)
            if abs(change) >= 0.25:
                self._people.link(self._call, *pair, change, reason)
                told[pair] = whole
        self._linked = told

    def _bearers(self, voice: str, face: str) -> tuple[str, str] | None:
        heard, seen = self._people.speaker(voice), self._people.seen_as(face)
        return None if heard is None or seen is None else (heard, seen)

    def confirm(self, part: Part) -> None:
        """It is whom it was thought to be."""
        if part.perhaps is not None and part.perhaps != part.person:
            self._become(part, part.perhaps)
        elif part.guess is not None and self._name(part) is None:
            self._people.rename(part.person, part.guess)
        part.perhaps = part.guess = None

    def deny(self, part: Part) -> None:
        """It is not whom it was thought, or taken, to be."""
        if part.known:
            part.person, part.known = self._people.add(call=self._call).id, False
        part.perhaps = part.guess = None

    def maybe(self, part: Part) -> str | None:
        """The name of whom it may be, where that is not sure."""
        if part.perhaps != part.person and self._name(part) is not None:
            return None
        guessed = None if part.perhaps is None else self._people.get(part.perhaps)
        return part.guess if guessed is None else guessed.name

    def person(self, part: Part | None) -> Person | None:
        return None if part is None else self._people.get(part.person)

    def parts_of(self, person: str) -> list[Part]:
        """The voices and faces of this person, by any of their ids."""
        id = self._id(person)
        every = (*self.voices.values(), *self.faces.values())
        return [p for p in every if self._id(p.person) == id]

    def odds(self, voice: Part, face: Part) -> float:
        return self._people.same(voice.person, face.person)

    def _id(self, person: str) -> str:
        found = self._people.get(person)
        return person if found is None else found.id

    def _name(self, part: Part) -> str | None:
        person = self._people.get(part.person)
        return None if person is None else person.name

    def _group(self, part: Part | None) -> frozenset[str]:
        return frozenset() if part is None else self._people.every_id([part.person])
