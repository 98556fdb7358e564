"""What tells people apart in a call: loaded once, shared by all calls of a process."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omni_agent.memory.embed.face import FaceFinder, FacePrinter, SFace, YuNet
from omni_agent.memory.embed.voice import Ge2eVoice, VoicePrinter

if TYPE_CHECKING:
    from omni_agent.model.compact.vad import Vad

GROUP = "people"
"""Of the catalog."""


@dataclass(frozen=True, slots=True)
class PeopleSenses:
    vad: Vad
    voices: VoicePrinter
    finder: FaceFinder
    faces: FacePrinter


_shared: list[PeopleSenses] = []
_loading = threading.Lock()


def missing() -> tuple[str, ...]:
    """What of the group is not on this machine; nothing is fetched."""
    from omni_agent.model.catalog import catalog

    return tuple(a.name for a in catalog().select(GROUP) if not catalog().installed(a))


def shared_senses() -> PeopleSenses:
    """Loaded at the first call; takes a second. Fetches nothing.

    Raises DownloadFailed where a file is missing, MissingExtra, ModelLoadError.
    """
    from omni_agent.model.catalog import catalog
    from omni_agent.model.compact.vad import Vad

    with _loading:
        if not _shared:
            path = catalog().path
            faces = YuNet(path("face-finder")), SFace(path("face-print"))
            _shared.append(PeopleSenses(Vad(), Ge2eVoice(path("voice-print")), *faces))
        return _shared[0]
