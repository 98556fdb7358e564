"""omni_agent: agents that see, hear, speak, act and remember, on your own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omni_agent.agent import Agent as Agent
    from omni_agent.agents.kitchen import kitchen as kitchen
    from omni_agent.agents.street_guide import street_guide as street_guide
    from omni_agent.errors import OmniAgentError as OmniAgentError
    from omni_agent.errors import ToolError as ToolError
    from omni_agent.events import AudioDelta as AudioDelta
    from omni_agent.events import Event as Event
    from omni_agent.events import Reply as Reply
    from omni_agent.events import TextDelta as TextDelta
    from omni_agent.events import ToolFinished as ToolFinished
    from omni_agent.events import ToolStarted as ToolStarted
    from omni_agent.events import TurnFinished as TurnFinished
    from omni_agent.events import UserTranscript as UserTranscript
    from omni_agent.live import LiveCall as LiveCall
    from omni_agent.media import Audio as Audio
    from omni_agent.media import Image as Image
    from omni_agent.media import VideoFrame as VideoFrame
    from omni_agent.memory.memory import Memory as Memory
    from omni_agent.messages import Exchange as Exchange
    from omni_agent.model.select import open_model as open_model
    from omni_agent.tools.base import Position as Position
    from omni_agent.tools.base import Say as Say
    from omni_agent.tools.base import Tool as Tool
    from omni_agent.tools.base import ToolContext as ToolContext
    from omni_agent.tools.base import tool as tool

# Each name is loaded when it is first used, so that the import is light.
_WHERE = {
    "Agent": "agent",
    "Audio": "media",
    "AudioDelta": "events",
    "Event": "events",
    "Exchange": "messages",
    "Image": "media",
    "LiveCall": "live",
    "Memory": "memory.memory",
    "OmniAgentError": "errors",
    "Position": "tools.base",
    "Reply": "events",
    "Say": "tools.base",
    "TextDelta": "events",
    "Tool": "tools.base",
    "ToolContext": "tools.base",
    "ToolError": "errors",
    "ToolFinished": "events",
    "ToolStarted": "events",
    "TurnFinished": "events",
    "UserTranscript": "events",
    "VideoFrame": "media",
    "kitchen": "agents.kitchen",
    "open_model": "model.select",
    "street_guide": "agents.street_guide",
    "tool": "tools.base",
}

__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
