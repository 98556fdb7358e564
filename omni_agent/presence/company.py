"""The company in a call: its voices, its faces, whose they are, and what each said.

Everything here happens on one thread, that of `Presence`. Times are seconds of the call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omni_agent.attending import SaidBy
from omni_agent.events import PersonHere
from omni_agent.media import Audio, VideoFrame
from omni_agent.memory.diarize import FRAME, RATE, Diarizer, SpeakerSegment
from omni_agent.memory.embed.appearance import looks_of
from omni_agent.memory.embed.voice import print_voice
from omni_agent.memory.face_tracks import FaceTrack, FaceTracker
from omni_agent.memory.look_votes import EVERY, LookVotes
from omni_agent.memory.people import People, Person
from omni_agent.presence.cast import Cast, Part
from omni_agent.presence.introductions import Introductions
from omni_agent.presence.pitch import pitches
from omni_agent.presence.senses import PeopleSenses
from omni_agent.presence.speaking_faces import SpeakingFaces

_BLOCK = 16  # frames of sound that are heard at once
_BLOCK_SECONDS = _BLOCK * FRAME / RATE
_SETTLE = 1.0  # seconds from one look at all the evidence to the next
_RECENT = 100.0
"""What was said so long ago may still turn out to be somebody else's."""
_EARSHOT = 180.0  # seconds without a word after which somebody may have left
_IN_VIEW = 2.0
_MOSTLY = 0.7  # of a turn must be one voice's
_MAY_BE = 2.0  # log-odds from which a voice and a face are guessed to be one
_OWN = "the agent"
_OWN_SECONDS = 3.0
_PITCHES = 400


@dataclass(slots=True)
class _Utterance:
    text: str
    start: float
    end: float
    taken: bool = False  # what it tells of names
    memory: str | None = None
    person: str | None = None


class Company:
    def __init__(self, people: People, senses: PeopleSenses, *, call: str) -> None:
        self._people, self._call = people, call
        self._printer = senses.voices
        self._vad = senses.vad.stream()
        self._diarizer = Diarizer(senses.voices)
        self._tracker = FaceTracker(senses.finder, senses.faces)
        self._cast = Cast(people, senses.voices, senses.faces, call=call)
        self._mouths = SpeakingFaces()
        self._names = Introductions(people, self._cast)
        self._rest = np.zeros(0, np.float32)
        self._rest_own = np.zeros(0, bool)
        self._frames = 0  # of sound
        self._speech: deque[bool] = deque(maxlen=round(_RECENT * RATE / FRAME))
        self._settled = 0.0
        self._segments: tuple[SpeakerSegment, ...] = ()
        self._pitch_at: deque[tuple[float, float]] = deque(maxlen=_PITCHES)
        self._utterances: list[_Utterance] = []
        self._first = 0  # the number of the first of them
        self._pitch: dict[str, float] = {}
        self._agent: list[Audio] | None = []
        self._width = 1
        self._votes: dict[str, LookVotes] = {}
        self._looked: dict[str, float] = {}

    @property
    def now(self) -> float:
        return self._frames * FRAME / RATE

    # --- what goes in ------------------------------------------------------------------------

    def hear(self, samples: np.ndarray, *, own: bool = False) -> None:
        """float32 [n] at 16 kHz. `own`: only the agent speaks in it."""
        self._rest = np.concatenate([self._rest, samples])
        self._rest_own = np.append(self._rest_own, np.full(len(samples), own))
        while len(self._rest) >= _BLOCK * FRAME:
            self._take(_BLOCK)
        if self.now - self._settled >= _SETTLE:
            self._settle()

    def see(self, frame: VideoFrame) -> None:
        self._width = frame.image.size[0]
        self._cast.let_go()
        in_view = self._tracker.see(frame)
        for track in in_view:
            others = [t for t in in_view if t is not track]
            self._cast.see(track, others)
            self._look_at(track, others, frame)

    def _look_at(self, track: FaceTrack, others: Sequence[FaceTrack], frame: VideoFrame) -> None:
        """How they look: each picture votes."""
        part = self._cast.faces.get(track.id)
        if part is None or track.face is None or frame.t - self._looked.get(track.id, -9.0) < EVERY:
            return
        self._looked[track.id] = frame.t
        beside = [t.face for t in others if t.face is not None]
        seen = looks_of(frame.image, track.face, others=beside, view=track.quality)
        for look in self._votes.setdefault(track.id, LookVotes()).add(seen, frame.t):
            if self._cast.person(part) is not None:
                self._people.look(part.person, look.slot, look.value, confidence=look.confidence)

    def hear_agent(self, sound: Audio) -> None:
        """The agent's own voice."""
        if self._agent is None:
            return
        self._agent.append(sound)
        if sum(s.seconds for s in self._agent) >= _OWN_SECONDS:
            whole = Audio.join(s.resampled(RATE) for s in self._agent)
            if (own := print_voice(self._printer, whole)) is not None:
                self._diarizer.enrol(_OWN, own, own=True)
                self._agent = None

    def who(self, start: float, end: float) -> SaidBy:
        """Whose words these are, by the light of now. Changes nothing."""
        self._take(len(self._rest) // FRAME)
        self._settle()
        return self._told(self._speaker(start, end))

    def heard(self, text: str, start: float, end: float) -> SaidBy:
        """A turn is over: take in what its words tell."""
        self._take(len(self._rest) // FRAME)
        self._utterances.append(_Utterance(text, start, end))
        self._settle()
        said = self._told(self._speaker(start, end))
        return SaidBy(said.person, said.name, self._first + len(self._utterances) - 1)

    def kept(self, said: SaidBy, memory: str) -> None:
        at = said.number - self._first
        if 0 <= at < len(self._utterances):
            self._utterances[at].memory = memory
            self._utterances[at].person = said.person

    def agent_said(self, text: str) -> None:
        self._names.agent_said(text, self.now, self._here())

    def close(self) -> None:
        self._settle()
        self._people.expire_strangers(self._call)

    # --- who is there ------------------------------------------------------------------------

    def present(self) -> tuple[PersonHere, ...]:
        found: dict[str, PersonHere] = {}
        speaking = self._now_speaking()
        voices = self._voices_here()
        for track in self._in_view():
            part = self._cast.faces[track.id]
            x = (track.box[0] + track.box[2] / 2) / self._width
            person, sure = self._one_with(part, voices)
            if person is not None and person.id not in found:
                found[person.id] = self._here_is(person, part, sure, round(x, 2), speaking)
        for part in voices:
            person = self._cast.person(part)
            if person is not None and person.id not in found:
                found[person.id] = self._here_is(person, part, True, None, speaking)
        return tuple(sorted(found.values(), key=lambda p: (p.x is None, p.x or 0.0, p.id)))

    def _one_with(self, face: Part, voices: Sequence[Part]) -> tuple[Person | None, bool]:
        """Whose face it is; if nobody knows, whose voice may belong to it, and False."""
        person = self._cast.person(face)
        if person is None or person.name is not None or face.perhaps or face.guess:
            return person, True
        odds = sorted(((self._cast.odds(v, face), i) for i, v in enumerate(voices)), reverse=True)
        if (
            odds
            and _MAY_BE <= odds[0][0] < 10
            and (len(odds) == 1 or odds[0][0] - odds[1][0] >= _MAY_BE)
        ):
            other = self._cast.person(voices[odds[0][1]])
            if other is not None and other.id != person.id:
                return other, False
        return person, True

    def _here_is(
        self, person: Person, part: Part, sure: bool, x: float | None, speaking: str | None
    ) -> PersonHere:
        parts = self._cast.parts_of(person.id)
        maybe = next((m for p in (part, *parts) if (m := self._cast.maybe(p)) is not None), None)
        looks = self._people.looks(person)
        hz = [
            self._pitch[v] for v, p in self._cast.voices.items() if p in parts and v in self._pitch
        ]
        return PersonHere(
            id=person.id,
            name=person.name or maybe,
            sure=sure and maybe is None,
            speaking=person.id == speaking,
            x=x,
            looks=tuple((look.slot, look.value) for look in looks),
            pitch=hz[0] if hz else None,
        )

    def _in_view(self) -> list[FaceTrack]:
        t = max((track.last_seen for track in self._tracker.every), default=0.0)
        since = max(t, self.now - 1.0) - _IN_VIEW
        return [
            track
            for track in self._tracker.every
            if track.last_seen >= since and track.id in self._cast.faces
        ]

    def _voices_here(self) -> list[Part]:
        lately = {
            s.guess
            for s in self._diarizer.segments(max(0, round((self.now - _EARSHOT) * RATE)))
            if not s.own
        }
        return [part for id, part in self._cast.voices.items() if id in lately]

    def _here(self) -> list[Part]:
        return [*(self._cast.faces[t.id] for t in self._in_view()), *self._voices_here()]

    def _now_speaking(self) -> str | None:
        now = self._diarizer.now
        if now is None or now.own or now.guess is None:
            return None
        person = self._cast.person(self._cast.voices.get(now.guess))
        return None if person is None else person.id

    # --- whose voice -------------------------------------------------------------------------

    def _speaker(self, start: float, end: float) -> Part | None:
        """The voice of most of a stretch of speech; a short word's only with help from a face."""
        spoken: dict[str, float] = {}
        guesses: set[str | None] = set()
        for segment in self._diarizer.segments(round(start * RATE), round(end * RATE)):
            if segment.own:
                continue
            seconds = (min(segment.end, end * RATE) - max(segment.start, start * RATE)) / RATE
            if segment.speaker is not None:
                spoken[segment.speaker] = spoken.get(segment.speaker, 0.0) + seconds
            elif segment.short:
                guesses.add(segment.guess)
        if spoken:
            best = max(spoken, key=lambda id: spoken[id])
            mostly = spoken[best] >= _MOSTLY * sum(spoken.values())
            return self._cast.voices.get(best) if mostly else None
        face = self._mouths.speaker(start, end, self._in_view())
        if face is None or len(guesses) != 1:
            return None
        (guess,) = guesses
        seen, voice = self._cast.faces.get(face), self._cast.voices.get(guess or "")
        if seen is None:
            return None
        same = voice is not None and self._cast.person(voice) == self._cast.person(seen)
        return seen if guess is None or same else None

    def _told(self, part: Part | None) -> SaidBy:
        person = self._cast.person(part)
        if part is None or person is None:
            return SaidBy()
        return SaidBy(person.id, None if self._cast.maybe(part) is not None else person.name)

    # --- inside ------------------------------------------------------------------------------

    def _take(self, frames: int) -> None:
        if not frames:
            return
        n = frames * FRAME
        samples, self._rest = self._rest[:n], self._rest[n:]
        own, self._rest_own = self._rest_own[:n].reshape(-1, FRAME), self._rest_own[n:]
        speech = np.array(self._vad.push(samples.reshape(-1, FRAME))) & (own.mean(axis=1) < 0.5)
        self._diarizer.hear(samples, speech)
        self._speech.extend(bool(s) for s in speech)
        if frames == _BLOCK and speech.mean() > 0.8 and len(hz := pitches(samples)):
            self._pitch_at.append((self.now, float(np.median(hz))))
        self._frames += frames

    def _settle(self) -> None:
        """Look at all the evidence there is by now."""
        self._settled = now = self.now
        self._cast.let_go()
        self._cast.rename(self._resolve)
        for speaker in self._diarizer.speakers.values():
            if not speaker.own:
                self._cast.hear(speaker)
        self._segments = self._diarizer.segments(max(0, round((now - _RECENT) * RATE)))
        self._mouths.see(now, self._tracker.every, self._share_of_speech)
        self._cast.link(self._mouths.evidence(now, self._label, self._resolve))
        heights: dict[str | None, list[float]] = {}
        for at, hz in self._pitch_at:
            heights.setdefault(self._label(at - _BLOCK_SECONDS, at), []).append(hz)
        self._pitch = {v: round(float(np.median(hz))) for v, hz in heights.items() if v and hz[3:]}
        self._take_words()

    def _take_words(self) -> None:
        """What was said and not understood yet: whose words they are may be known by now."""
        for said in self._utterances:
            part = self._speaker(said.start, said.end)
            if part is None:
                continue
            if not said.taken:
                self._names.heard(said.text, part, said.end, self._here())
                said.taken = True
            person = self._cast.person(part)
            if said.memory is not None and person is not None and said.person != person.id:
                self._people.attribute(said.memory, person)
                said.person = person.id
        while self._utterances and self._utterances[0].end < self.now - _RECENT:
            self._utterances.pop(0)
            self._first += 1

    def _label(self, start: float, end: float) -> str | None:
        """The one voice that sounded from `start` to `end`, if there was one."""
        seconds: dict[str, float] = {}
        for segment in self._segments:
            overlap = (min(segment.end, end * RATE) - max(segment.start, start * RATE)) / RATE
            if overlap > 0 and segment.guess is not None and not segment.own:
                seconds[segment.guess] = seconds.get(segment.guess, 0.0) + overlap
        if not seconds:
            return None
        best = max(seconds, key=lambda id: seconds[id])
        clear = seconds[best] >= 0.4 * (end - start)
        alone = seconds[best] >= 0.8 * sum(seconds.values())
        return best if clear and alone else None

    def _share_of_speech(self, start: float, end: float) -> float:
        first = self._frames - len(self._speech)
        frames = range(
            max(0, int(start * RATE / FRAME) - first),
            min(len(self._speech), int(end * RATE / FRAME) - first),
        )
        return sum(self._speech[i] for i in frames) / max(1, len(frames))

    def _resolve(self, id: str) -> str:
        return self._diarizer.resolve(self._tracker.resolve(id))
