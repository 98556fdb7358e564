"""The voices of one call, told apart while it goes on: clusters of voice prints that may merge.

Average-linkage clustering over the prints of the last minutes, again and again; what is older is
folded into its cluster. People whose voice is known take part as clusters that cannot merge with
each other. A score, and not a bare cosine, decides: prints of little speech are noisy, which
pulls their cosines down, and a gain undoes that. So the bar for merging rises by itself as
evidence grows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from omni_agent.memory.embed.voice import VoiceCalibration, VoicePrint
from omni_agent.memory.values import Vectors

BLOCK_HOP = 0.384
"""Seconds from one block (a print of steady speech) to the next."""
BLOCK_SECONDS = 1.216
_STEADY = 0.8  # how long the sum of n unit vectors of one voice is, as a share of n
_MOST_ENROLLED = 10.0  # seconds; more would keep a voice from following its owner's cold
MIN_BLOCKS = 3  # of speech, before a voice counts as one more speaker


@dataclass(slots=True)
class Speaker:
    """A voice of the call. `person`: who it is, where an enrolled print says so.

    `own`: the agent's own voice, heard back from the loudspeaker.
    """

    id: str
    person: str | None = None
    own: bool = False
    total: Vectors = field(default_factory=lambda: np.zeros(0, np.float32))
    blocks: float = 0.0
    heard: int = 0  # blocks of this call in it
    enrolled: VoicePrint | None = None

    @property
    def seconds(self) -> float:
        return _seconds(self.blocks)

    @property
    def print(self) -> VoicePrint:
        """Of all that was heard in this call and enrolled before."""
        length = max(float(np.linalg.norm(self.total)), 1e-9)
        return VoicePrint((self.total / length).astype(np.float32), self.seconds)


class Speakers:
    """`add` the prints of steady speech as they come, and `settle` now and then."""

    def __init__(self, calibration: VoiceCalibration, *, recent: int = 240) -> None:
        """`recent`: how many blocks stay movable from one speaker to another."""
        self._dim = len(calibration.mean)
        self._recent = recent
        self._merge_at = calibration.merge_at
        self._noise = calibration.merge_noise_seconds
        self._anchors: list[Speaker] = []  # what each speaker was before the recent blocks
        self._free: list[Vectors] = []
        self._of_free: list[str | None] = []
        self._merged: dict[str, str] = {}
        self._count = 0
        self.all: dict[str, Speaker] = {}

    def enrol(self, person: str, known: VoicePrint, *, own: bool = False) -> None:
        """Make a person's voice known, before or during the call; a later print replaces it."""
        for anchor in self._anchors:
            if anchor.person == person and anchor.enrolled is not None:
                anchor.total = anchor.total - _weighed(anchor.enrolled)[0] + _weighed(known)[0]
                anchor.blocks += _weighed(known)[1] - _weighed(anchor.enrolled)[1]
                anchor.enrolled, anchor.own = known, own
                break
        else:
            total, blocks = _weighed(known)
            self._anchors.append(Speaker(person, person, own, total, blocks, 0, known))
        self.settle()

    def add(self, block: Vectors) -> None:
        """`block`: a print [dim] of BLOCK_SECONDS of speech, BLOCK_HOP after the last."""
        self._free.append(block)
        self._of_free.append(None)

    def settle(self) -> None:
        """Cluster anew, with everything that is known by now."""
        groups = self._cluster()
        self._fold(groups)

    def resolve(self, id: str) -> str:
        """The id that a speaker goes by now, after merges."""
        while id in self._merged:
            id = self._merged[id]
        return id

    def heard(self) -> list[Speaker]:
        """Who has spoken in this call."""
        return [s for s in self.all.values() if s.heard >= MIN_BLOCKS]

    # --- clustering ----------------------------------------------------------------------------

    def _cluster(self) -> list[tuple[list[int], list[int]]]:
        """Groups as (indices of anchors, indices of free blocks)."""
        anchors, n = self._anchors, len(self._anchors) + len(self._free)
        if not n:
            return []
        totals = np.zeros((n, self._dim), np.float32)
        blocks = np.ones(n, np.float32)
        for i, anchor in enumerate(anchors):
            totals[i], blocks[i] = anchor.total, anchor.blocks
        if self._free:
            totals[len(anchors) :] = self._free
        person = [a.person for a in anchors] + [None] * len(self._free)
        members = [[i] for i in range(n)]
        units = totals / np.maximum(np.linalg.norm(totals, axis=1, keepdims=True), 1e-9)
        gain = np.array([self._gain(float(b)) for b in blocks], np.float32)
        scores = units @ units.T * np.outer(gain, gain)
        named = [i for i in range(n) if person[i] is not None]
        scores[np.ix_(named, named)] = -np.inf
        np.fill_diagonal(scores, -np.inf)
        best = scores.max(axis=1)
        while True:
            i = int(best.argmax())
            if best[i] < self._merge_at:
                break
            j = int(scores[i].argmax())
            i, j = min(i, j), max(i, j)  # anchors come first, and stay
            members[i] += members[j]
            members[j] = []
            totals[i] += totals[j]
            blocks[i] += blocks[j]
            gain[i] = self._gain(float(blocks[i]))
            person[i] = person[i] or person[j]
            unit = totals[i] / max(float(np.linalg.norm(totals[i])), 1e-9)
            units[i] = unit
            row = units @ unit * gain * gain[i]
            gone = np.array([not m for m in members])
            row[gone] = -np.inf
            row[i] = -np.inf
            if person[i] is not None:
                row[[k for k in range(n) if person[k] is not None]] = -np.inf
            touched = np.flatnonzero((scores[:, i] >= best) | (scores[:, j] >= best))
            scores[i], scores[:, i] = row, row
            scores[j], scores[:, j] = -np.inf, -np.inf
            best = np.maximum(best, row)
            best[touched] = scores[touched].max(axis=1)
            best[i], best[j] = row.max(), -np.inf
        k = len(anchors)
        return [([m for m in g if m < k], [m - k for m in g if m >= k]) for g in members if g]

    def _gain(self, blocks: float) -> float:
        return math.sqrt(1 + self._noise / _seconds(blocks))

    def _fold(self, groups: list[tuple[list[int], list[int]]]) -> None:
        """Give each group the id it had, and move blocks that are too old into their anchor."""
        old = max(0, len(self._free) - self._recent)
        free, before = self._free, self._of_free
        speakers: dict[str, Speaker] = {}
        anchors: list[Speaker] = []
        owner: list[str | None] = [None] * len(free)
        claimed = {self._anchors[a].id for g in groups for a in g[0]}
        for anchor_ids, block_ids in sorted(groups, key=lambda g: -len(g[1])):
            if not anchor_ids and len(block_ids) < MIN_BLOCKS:
                continue
            id, base = self._identity(anchor_ids, block_ids, before, claimed)
            claimed.add(id)
            for i in block_ids:
                owner[i] = id
            now = Speaker(id, base.person, base.own, base.total.copy(), base.blocks, base.heard)
            now.enrolled = base.enrolled
            for i in block_ids:
                now.total = now.total + free[i]
                now.blocks += 1
                now.heard += 1
            speakers[id] = now
            folded = [i for i in block_ids if i < old]
            if folded or base.blocks:
                kept = Speaker(id, base.person, base.own, base.total, base.blocks, base.heard)
                kept.enrolled = base.enrolled
                for i in folded:
                    kept.total = kept.total + free[i]
                    kept.blocks += 1
                    kept.heard += 1
                anchors.append(kept)
        order = [a.id for a in self._anchors]  # stable, so that the same call gives the same ids
        anchors.sort(key=lambda a: order.index(a.id) if a.id in order else len(order))
        self._anchors, self.all = anchors, speakers
        self._free, self._of_free = free[old:], owner[old:]

    def _identity(
        self,
        anchor_ids: list[int],
        block_ids: list[int],
        before: list[str | None],
        claimed: set[str],
    ) -> tuple[str, Speaker]:
        joined = [self._anchors[i] for i in anchor_ids]
        base = Speaker("", total=np.zeros(self._dim, np.float32))
        for anchor in joined:
            base.total = base.total + anchor.total
            base.blocks += anchor.blocks
            base.heard += anchor.heard
            if anchor.person is not None:
                base.person, base.own, base.enrolled = anchor.person, anchor.own, anchor.enrolled
        votes: dict[str, int] = {}
        for i in block_ids:
            if (had := before[i]) is not None:
                votes[had] = votes.get(had, 0) + 1
        if base.person is not None:
            base.id = base.person
        elif joined:
            base.id = max(joined, key=lambda a: a.heard).id
        else:
            mine = [v for v in votes if v not in claimed]
            base.id = max(mine, key=lambda v: votes[v]) if mine else self._new_id()
        for anchor in joined:
            if anchor.id != base.id:
                self._merged[anchor.id] = base.id
        for had, count in votes.items():
            # An id all of whose blocks have moved here lives on as this one.
            if had != base.id and had not in claimed and count == before.count(had):
                self._merged[had] = base.id
        return base.id, base

    def _new_id(self) -> str:
        self._count += 1
        return f"voice{self._count}"


def _seconds(blocks: float) -> float:
    return BLOCK_SECONDS - BLOCK_HOP + BLOCK_HOP * max(blocks, 1.0)


def _weighed(known: VoicePrint) -> tuple[Vectors, float]:
    """An enrolled print as so many blocks."""
    blocks = min(known.seconds, _MOST_ENROLLED) / BLOCK_HOP
    return (known.vector * (blocks * _STEADY)).astype(np.float32), blocks
