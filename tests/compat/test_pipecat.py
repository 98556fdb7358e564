"""pipecat's OpenAI Realtime service in a pipeline of its own process, against our server.

Its dependencies cannot live beside ours: `make compat` makes an environment for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guide import program
from served import LONG, Served, oven_timer, photo, serving, speech

from omni_agent.media import Audio, VideoFrame
from omni_agent.messages import ToolCall, ToolResult
from omni_agent.model.scripted import Pause

PYTHON = Path(os.environ.get("PIPECAT_PYTHON", Path(sys.prefix) / "pipecat" / "bin" / "python"))
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason=f"pipecat has no environment at {PYTHON}: make compat"
)

QUESTION = "How do I chop an onion?"


class Application:
    """pipecat's process. `has` has one call with the server, and gives what its user has seen."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    async def has(
        self, served: Served, *steps: tuple[str, Any], meanwhile: Any = None, **options: str
    ) -> dict[str, Any]:
        await self._tell({"url": served.ws_url, "steps": steps, **options})
        seen = await self._answer()
        if meanwhile is not None:
            await meanwhile()
            await self._tell({})
            seen = await self._answer()
        assert seen["missed"] is None, seen
        return seen

    async def _tell(self, value: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    async def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(asyncio.to_thread(self._process.stdout.readline), 200)
        assert line, "pipecat's process has ended"
        return json.loads(line)


@pytest.fixture(scope="module")
def app() -> Iterator[Application]:
    program = Path(__file__).with_name("pipecat_app.py")
    with subprocess.Popen(
        [PYTHON, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Application(process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def said(tmp_path: Path) -> Any:
    def make(sound: Audio) -> str:
        path = tmp_path / "said.pcm"
        path.write_bytes(sound.pcm16())
        return str(path)

    return make


async def test_a_typed_turn_is_answered_and_played(app: Application) -> None:
    async with serving("Chop it finely.", "And gently.") as served:
        seen = await app.has(
            served,
            ("hears", "Chop it finely."),
            ("types", "And then?"),
            ("hears", "And gently."),
            ("plays", 1.5),
            says=QUESTION,
        )
        assert seen["messages"] == [
            ["user", QUESTION],
            ["assistant", "Chop it finely."],
            ["user", "And then?"],
            ["assistant", "And gently."],
        ]
        assert seen["errors"] == []
        assert served.model.sessions[0].system.endswith("Rhyme.")


async def test_the_service_of_the_guide_talks_with_the_agent(
    app: Application, unjudged: None
) -> None:
    async with serving("Chop it finely.") as served:
        service = program("pipecat", served.url)
        seen = await app.has(served, ("hears", "Chop it finely."), says=QUESTION, service=service)
        assert seen["errors"] == []


async def test_a_spoken_turn_is_in_the_context_by_its_words(app: Application, said: Any) -> None:
    async with serving("Hello.", "Chop it finely.", transcripts=[QUESTION] * 3) as served:
        seen = await app.has(
            served,
            ("hears", "Hello."),
            ("says", said(speech(QUESTION))),
            ("hears", "Chop it finely."),
            says="Hi",
        )
        assert seen["messages"][2:] == [["user", QUESTION], ["assistant", "Chop it finely."]]
        assert seen["errors"] == []


async def test_the_clients_own_tool_is_run_and_its_result_answered(app: Application) -> None:
    call = ToolCall("call_1", "get_weather", {"city": "Oulu"})
    async with serving(call, "Take a hat.") as served:
        seen = await app.has(served, ("hears", "Take a hat."), says="The weather in Oulu?")
        assert seen["tools"] == [{"city": "Oulu"}]
        assert seen["errors"] == []
        (result,) = [p for p in served.model.sessions[0].fed if isinstance(p, ToolResult)]
        assert json.loads(result.content) == {"weather": "It snows in Oulu."}


async def test_the_agents_own_tool_runs_on_the_server(app: Application) -> None:
    call = ToolCall("call_1", "oven_timer", {"minutes": 5})
    async with serving(call, "It rings in five.", tools=[oven_timer]) as served:
        seen = await app.has(served, ("hears", "It rings in five."), says="Five minutes.")
        assert seen["tools"] == seen["errors"] == []


@pytest.mark.parametrize("still_thinking", [False, True])
async def test_talking_over_the_answer_silences_the_loudspeaker(
    app: Application, said: Any, still_thinking: bool
) -> None:
    turn = [LONG, Pause(20), "And so on."] if still_thinking else LONG
    async with serving(turn, "Yes?", transcripts=["Wait a moment please"] * 3) as served:
        seen = await app.has(
            served,
            ("plays", 1.0),
            ("says", said(speech("Wait a moment please"))),
            ("hears", "Yes?"),
            says=QUESTION,
        )
        assert seen["interrupted"]
        heard, answer = served.model.sessions[0].kept
        assert LONG.startswith(heard)
        assert 1.0 < len(heard) / 15 < 3.0  # the second that was played, and the user's words
        assert seen["played"] == pytest.approx((len(heard) + len(answer)) / 15, abs=0.5)
        (_, cut, *after) = seen["messages"]
        assert cut[0] == "assistant"
        assert abs(len(cut[1].split()) - len(heard.split())) <= 2
        assert after == [["user", "Wait a moment please"], ["assistant", "Yes?"]]
        assert seen["errors"] == []


async def test_the_camera_is_seen(app: Application, tmp_path: Path) -> None:
    (tmp_path / "red.jpg").write_bytes(photo())
    async with serving("Hello.", "It is red.") as served:
        seen = await app.has(
            served,
            ("hears", "Hello."),
            ("shows", str(tmp_path / "red.jpg")),
            ("types", "Which colour is this?"),
            ("hears", "It is red."),
            says="Hi",
        )
        assert seen["errors"] == []
        (frame,) = [p for p in served.model.sessions[0].fed if isinstance(p, VideoFrame)]
        assert frame.image.pixels[0, 0, 0] > 180


async def test_it_begins_anew_with_the_conversation_when_it_reconnects(app: Application) -> None:
    async with serving("Yes.", "Onions.") as served:
        seen = await app.has(
            served,
            ("hears", "Yes."),
            ("pause", None),
            ("reconnects", None),
            ("hears", "Onions."),
            says="We talk about onions. Are you there?",
            meanwhile=served.restart,
        )
        assert [words for _, words in seen["messages"]][1:] == ["Yes.", "Onions."]
        told = served.model.sessions[1].fed[0].text
        assert "We talk about onions" in told
        assert "Yes." in told


@pytest.mark.weights
async def test_the_real_model_hears_a_question_and_answers_aloud(
    app: Application, said: Any, real: Any
) -> None:
    seen = await app.has(
        real.served,
        ("answers", 1),
        ("says", said(real.question)),
        ("answers", 2),
        ("plays", 1.0),
        says="Say hello.",
    )
    assert real.words in seen["messages"][-2][1].lower()
    assert real.answer in seen["messages"][-1][1]
    assert seen["errors"] == []
