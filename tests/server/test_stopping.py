"""A server that is told to stop by the system: clients are told, and the memory is whole."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest
import websockets

from omni_agent.memory import Memory

SERVER = """
import asyncio, socket, sys
from omni_agent.agent import Agent
from omni_agent.memory import Memory
from omni_agent.model.scripted import Pause, ScriptedModel
from omni_agent.server import ServerSettings, create_app, server_of

async def main():
    settings = ServerSettings(port=0)
    model = ScriptedModel(["Chop the onions. ", Pause(60), "Then fry them."], audio=True)
    with Memory(sys.argv[1]) as memory, socket.create_server(("127.0.0.1", 0)) as door:
        async with Agent("Be brief.", name="kitchen", model=model, memory=memory) as agent:
            print(door.getsockname()[1], flush=True)
            app = create_app({"kitchen": agent}, settings)
            await server_of(app, settings, log_level="error").serve(sockets=[door])
    print("closed", flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_that_is_stopped_leaves_a_whole_memory(
    sent: signal.Signals, tmp_path: Path
) -> None:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVER, str(tmp_path / "memory")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    port = int(await asyncio.wait_for(server.stdout.readline(), 60))
    async with websockets.connect(f"ws://127.0.0.1:{port}/v1/realtime") as socket:
        content = [{"type": "input_text", "text": "How do I make onion soup?"}]
        item = {"type": "message", "role": "user", "content": content}
        await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await socket.send('{"type": "response.create"}')
        last = {}
        async for text in socket:  # ends when the server hangs up
            last = json.loads(text)
            if last["type"] == "response.output_audio.delta":
                server.send_signal(sent)
        assert last["error"]["code"] == "going_away"
        assert socket.close_code == 1001
    out, err = await asyncio.wait_for(server.communicate(), 30)
    assert (server.returncode, out.decode().strip()) == (0, "closed"), err.decode()
    with Memory(tmp_path / "memory") as memory:
        texts = [found.text for found in memory.recall("onion soup", limit=5)]
    assert "How do I make onion soup?" in texts
