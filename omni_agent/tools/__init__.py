"""The hands: functions a model may call."""

from omni_agent.tools.base import Position, Say, Tool, ToolContext, tool
from omni_agent.tools.frames import Frames

__all__ = ["Frames", "Position", "Say", "Tool", "ToolContext", "tool"]
