"""Listening in a live call: when the user's turn begins, and when it is over.

`TurnListener` takes the microphone's sound and tells in `Heed`s what it hears; `Listening` has the
settings. `asked_by` tells what the agent's last words ask of the user.
"""

from omni_agent.listening.heeds import (
    Heed,
    Paused,
    SpeechGone,
    SpeechLikely,
    SpeechMaybe,
    SpeechSure,
    TurnOver,
    WentOn,
)
from omni_agent.listening.listener import TurnListener
from omni_agent.listening.senses import Senses, TurnJudge, shared_senses
from omni_agent.listening.settings import Asked, Listening, Patience
from omni_agent.listening.short_words import asked_by

__all__ = [
    "Asked",
    "Heed",
    "Listening",
    "Patience",
    "Paused",
    "Senses",
    "SpeechGone",
    "SpeechLikely",
    "SpeechMaybe",
    "SpeechSure",
    "TurnJudge",
    "TurnListener",
    "TurnOver",
    "WentOn",
    "asked_by",
    "shared_senses",
]
