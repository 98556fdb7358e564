"""The past: what was said, what is known, and how it is found again and forgotten."""

from omni_agent.memory.memory import Memory
from omni_agent.memory.records import StoredMemory, TurnRecord

__all__ = ["Memory", "StoredMemory", "TurnRecord"]
