"""Whose voice, whose face: prints are kept of people, and people known again by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

import numpy as np

from omni_agent.media import Image
from omni_agent.memory.embed.face import FacePrinter
from omni_agent.memory.embed.voice import VoicePrint, VoicePrinter
from omni_agent.memory.identities import Identities, PrintKind
from omni_agent.memory.person_ledger import PersonLedger, Whom, id_of
from omni_agent.memory.prints import FacePrint, Printer, checked
from omni_agent.memory.records import KeptPrint, Who
from omni_agent.memory.values import Vectors, new_id


class Bars(Protocol):
    """How a printer's scores are read; measured once, and kept with it."""

    @property
    def same(self) -> float: ...

    @property
    def different(self) -> float: ...

    @property
    def margin(self) -> float: ...


class Recognition(PersonLedger):
    _heard: tuple[int, str, Mapping[str, VoicePrint]] | None = None
    _seen: tuple[int, str, Mapping[str, Vectors]] | None = None

    def enrol(
        self,
        person: Whom,
        print: VoicePrint | FacePrint,
        printer: Printer,
        *,
        call: str | None = None,
        picture: Image | None = None,
        at: datetime | None = None,
    ) -> str | None:
        """Keep a print of somebody, with the portrait it was made of; returns its id.

        None where it says no more than those that are kept, and always with people="off". Raises
        UnknownPerson, SettingsError for a vector that `printer` did not make, MemoryStoreError on a
        full disk.
        """
        if self.keeping == "off":
            return None
        vector, now = checked(print.vector, printer), at or self._clock.now()
        if isinstance(print, VoicePrint):
            kind: PrintKind = "voice"
            quality, seconds = print.clarity, print.seconds
        else:
            kind, quality, seconds = "face", print.quality, 0.0
        shot = None if picture is None else new_id("x", now)
        with self._write() as db:
            known = self._identities()
            new = KeptPrint(
                new_id(kind[0], now), known.bearer(id_of(person), kind), kind, printer.name,
                float(np.clip(quality, 0.0, 1.0)), seconds, now, call, shot,
            )  # fmt: skip
            group = known.ids(id_of(person))
            stranger = not known.kept(id_of(person))
            losing = self._prints.add(db, new, vector, group, stranger=stranger)
            if new in losing:
                return None
            if picture is not None and shot is not None:
                self._pictures.save(shot, picture)
        self._pictures.remove(p.picture for p in losing if p.picture)
        return new.id

    def identify_voice(
        self, print: VoicePrint, printer: VoicePrinter, *, call: str | None = None
    ) -> Who:
        """Whose voice it is. Strangers are known again within their own `call` only."""
        bars = printer.calibration
        heard = VoicePrint(checked(print.vector, printer), print.seconds, print.clarity)
        voices = self.voices(printer, call=call)
        return self._who({id: bars.score(heard, v) for id, v in voices.items()}, bars)

    def identify_face(
        self, print: FacePrint, printer: FacePrinter, *, call: str | None = None
    ) -> Who:
        """Whose face it is. Strangers are known again within their own `call` only."""
        vector = checked(print.vector, printer)
        faces = self.faces(printer, call=call)
        scores = {id: float(vector @ face) for id, face in faces.items()}
        return self._who(scores, printer.thresholds)

    def voices(self, printer: Printer, *, call: str | None = None) -> dict[str, VoicePrint]:
        """The pooled voice of everybody who can be known by it in this call: for a `Diarizer`."""
        version, known, cached = self._version, self._identities(), self._heard
        if cached is None or cached[:2] != (version, printer.name):
            groups = {id: known.id(id) for id in known.rows}
            voices = self._prints.voices(printer.name, groups)
            cached = self._heard = (version, printer.name, voices)
        return {id: v for id, v in cached[2].items() if _may_be_known(known, id, call)}

    def faces(self, printer: Printer, *, call: str | None = None) -> dict[str, Vectors]:
        """The pooled face, float32 [dim], of everybody who can be known by it in this call."""
        version, known, cached = self._version, self._identities(), self._seen
        if cached is None or cached[:2] != (version, printer.name):
            groups = {id: known.id(id) for id in known.rows}
            faces = self._prints.faces(printer.name, groups)
            cached = self._seen = (version, printer.name, faces)
        return {id: f for id, f in cached[2].items() if _may_be_known(known, id, call)}

    def prints(self, person: Whom) -> tuple[KeptPrint, ...]:
        """What is kept of them, the best first."""
        return self._prints.of(self._identities().ids(id_of(person)))

    def portrait(self, person: Whom) -> Image | None:
        """Their best shot. Raises MemorySealed where its key is missing."""
        for print in self.prints(person):
            if print.picture and (jpeg := self._pictures.load(print.picture)) is not None:
                return Image.load(jpeg)
        return None

    def forget_prints(self, person: Whom) -> int:
        """Delete all prints and portraits of somebody who stays known by name; returns how many.

        No byte of them is left in the folder when this returns.
        """
        return self._drop(self._identities().ids(id_of(person)))

    def forget_all_prints(self) -> int:
        """The same for everybody, with all evidence that voices belong to faces."""
        with self._write() as db:
            db.execute("DELETE FROM evidence")
        return self._drop(tuple(self._identities().rows))

    def _drop(self, ids: Sequence[str]) -> int:
        with self._write() as db:
            doomed = self._prints.of(ids)
            db.executemany("DELETE FROM prints WHERE id = ?", [(p.id,) for p in doomed])
            if doomed:
                db.execute("UPDATE due SET scrub = 1")
        if doomed:
            self._pictures.remove(p.picture for p in doomed if p.picture)
            self._store.scrub()
        return len(doomed)

    def _who(self, scores: Mapping[str, float], bars: Bars) -> Who:
        """Known from `same` on and well ahead of the second; new up to `different`."""
        ranked = sorted(((score, id) for id, score in scores.items()), reverse=True)[:2]
        if not ranked:
            return Who(None, "new", -1.0)
        best, id = ranked[0]
        lead = best - ranked[1][0] if len(ranked) > 1 else np.inf
        runner_up = self._person(ranked[1][1]) if len(ranked) > 1 else None
        verdict: Literal["known", "unsure", "new"] = "unsure"
        if best <= bars.different:
            verdict = "new"
        elif best >= bars.same and lead >= bars.margin:
            verdict = "known"
        return Who(None if verdict == "new" else self._person(id), verdict, best, runner_up)


def _may_be_known(known: Identities, id: str, call: str | None) -> bool:
    return id in known and (known.kept(id) or call in known.calls(id))
