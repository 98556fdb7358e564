"""The hands: functions a model may call."""

from omni_agent.tools.base import Position, Say, Tool, ToolContext, tool

__all__ = ["Position", "Say", "Tool", "ToolContext", "tool"]
