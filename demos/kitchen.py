"""Cook along at the keyboard, timers included: python demos/kitchen.py

Try: "I want to make shakshuka for two", "next", "yes, set the timer", "how much cumin?".
An empty line ends it.
"""

from __future__ import annotations

import asyncio

from omni_agent import TextDelta, ToolStarted, kitchen
from omni_agent.conversation import Conversation


async def ring(conversation: Conversation) -> None:
    """Print what the agent says by itself, such as that a timer is over."""
    async for words in conversation.announcements():
        print(f"\n  *  {words}")


async def main() -> None:
    async with kitchen() as cook:
        conversation = cook.conversation()
        ringing = asyncio.create_task(ring(conversation))
        while line := await asyncio.to_thread(input, "you  "):
            async for event in conversation.stream(line):
                match event:
                    case ToolStarted(call=call):
                        print(f"  →  {call.name} {call.arguments or ''}")
                    case TextDelta(text=words):
                        print(words, end="", flush=True)
                    case _:
                        pass
            print()
        ringing.cancel()


asyncio.run(main())
