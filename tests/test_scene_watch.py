"""A call's camera becomes scenes, read and told of while nobody speaks, and never holds it up."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from omni_agent import Agent
from omni_agent.clock import FakeClock
from omni_agent.errors import GenerationError
from omni_agent.events import PersonHere
from omni_agent.media import Image, VideoFrame
from omni_agent.memory import Memory
from omni_agent.memory.embed.face import Face
from omni_agent.model.base import ModelProfile, ResponseOptions
from omni_agent.model.scripted import ScriptedModel
from omni_agent.scene_eyes import AskingEyes, Told, scene_eyes
from omni_agent.scene_watch import SceneWatch

sys.path.insert(0, str(Path(__file__).parent / "memory"))
from made_embedder import Letters
from views import START, frames, room

SEEING = ModelProfile(
    name="seeing", takes=frozenset({"text", "image"}), gives=frozenset({"text"}),
    languages=("en",), voices=(), input_rate=16_000, output_rate=24_000, context_tokens=8192,
    memory_tokens=256, sight="full", structured=True,
)  # fmt: skip


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def memory(tmp_path, clock) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", embedder=Letters(), clock=clock) as opened:
        yield opened


async def show(watch: SceneWatch, clock: FakeClock, view: Image, seconds: float) -> None:
    for image in frames(view, seconds):
        watch.see(VideoFrame(image, 0.0), "camera")
        await clock.advance(0.5)
        await asyncio.to_thread(watch.wait_idle)


class Reader:
    """Eyes that know what stands where, and how often they were asked."""

    def __init__(self, text: str = "Bakery Rosa") -> None:
        self.text, self.asked = text, 0

    def tell(self, image: Image) -> Told:
        self.asked += 1
        return Told(self.text, "A shop.")


async def test_what_a_camera_shows_becomes_scenes_with_their_words(memory, clock) -> None:
    eyes = Reader()
    watch = SceneWatch(memory.scenes, call="c", clock=clock, eyes=eyes)
    await show(watch, clock, room(1), 5)
    await show(watch, clock, room(2), 5)
    await watch.close()
    newest, first = memory.scenes.find()
    assert first.conversation == newest.conversation == "c"
    assert (first.text, first.description) == ("Bakery Rosa", "A shop.")
    assert eyes.asked == 2
    assert [s.id for s in memory.scenes.find("bakery")] == [newest.id]


async def test_nothing_is_read_while_somebody_speaks(memory, clock) -> None:
    eyes, quiet = Reader(), threading.Event()
    watch = SceneWatch(memory.scenes, call="c", clock=clock, eyes=eyes, quiet=quiet.is_set)
    for image in frames(room(1), 3):
        watch.see(VideoFrame(image, 0.0))
        await clock.advance(0.5)
        await asyncio.to_thread(watch.wait_idle, 0.1)
    assert eyes.asked == 0
    assert len(memory.scenes.find()) == 1
    quiet.set()
    await asyncio.to_thread(watch.wait_idle)
    assert eyes.asked == 1
    await watch.close()


async def test_slow_eyes_never_hold_up_who_gives_frames(memory, clock) -> None:
    looking = threading.Event()

    class Slow:
        def tell(self, image: Image) -> Told:
            looking.set()
            time.sleep(0.5)
            return Told("late")

    watch = SceneWatch(memory.scenes, call="c", clock=clock, eyes=Slow())
    slowest = 0.0
    for i in range(60):
        began = time.perf_counter()
        watch.see(VideoFrame(room(i // 4).thumbnail(320), float(i)))
        slowest = max(slowest, time.perf_counter() - began)
        await clock.advance(0.5)
        if i == 3:
            await asyncio.to_thread(looking.wait, 5)
    assert slowest < 0.1
    await watch.close()


async def test_people_in_view_are_in_the_scene_and_those_in_earshot_are_not(memory, clock) -> None:
    anna, ben = memory.people.add("Anna"), memory.people.add("Ben")
    there = [PersonHere(anna.id, "Anna", x=0.5), PersonHere(ben.id, "Ben", x=None)]
    watch = SceneWatch(memory.scenes, call="c", clock=clock, people=lambda: there)
    await show(watch, clock, room(1), 3)
    await watch.close()
    (scene,) = memory.scenes.find()
    assert scene.people == (anna.id,)


async def test_the_face_of_who_is_not_known_is_never_kept(memory, clock) -> None:
    anna = memory.people.add("Anna")
    rng = np.random.default_rng(0)
    view = room(1)
    for x in (40, 200):
        view.pixels[60:120, x : x + 60] = rng.integers(0, 255, (60, 60, 3))

    class Finder:
        def find(self, image: Image) -> list[Face]:
            points = np.zeros((5, 2), np.float32)
            return [Face((float(x), 60.0, 60.0, 60.0), points, 0.9) for x in (40, 200)]

    watch = SceneWatch(
        memory.scenes, call="c", clock=clock, finder=Finder(),
        people=lambda: [PersonHere(anna.id, "Anna", x=70 / 320)],
    )  # fmt: skip
    await show(watch, clock, view, 3)
    await watch.close()
    (scene,) = memory.scenes.find()
    jpeg = memory.scenes.picture(scene)
    assert jpeg is not None
    kept = Image.load(jpeg).pixels.astype(int)

    def shades(x: int) -> int:
        return len(np.unique(kept[70:110, x + 8 : x + 52].reshape(-1, 3) // 24, axis=0))

    assert shades(40) > 200, "Anna is as she was"
    assert shades(200) < 40, "of the other there are a few large squares"


async def test_eyes_that_fail_leave_the_scene_without_words(memory, clock, caplog) -> None:
    class Broken:
        def tell(self, image: Image) -> Told:
            raise GenerationError("no light")

    watch = SceneWatch(memory.scenes, call="c", clock=clock, eyes=Broken())
    await show(watch, clock, room(1), 3)
    await show(watch, clock, room(2), 3)
    await watch.close()
    assert [s.text for s in memory.scenes.find()] == ["", ""]
    assert caplog.text.count("is not kept whole") == 1


async def test_a_model_that_sees_tells_of_a_scene_in_a_form() -> None:
    told = {"description": "Keys on a shelf.", "text": "EXIT"}
    model = ScriptedModel(json.dumps(told), profile=SEEING)
    eyes = scene_eyes(model, asyncio.get_running_loop())
    assert await asyncio.to_thread(eyes.tell, room(1)) == Told("EXIT", "Keys on a shelf.")
    (session,) = model.sessions
    assert session.closed
    (options,) = session.asked
    assert isinstance(options, ResponseOptions)
    assert options.schema is not None
    assert not options.speak
    assert any(isinstance(part, Image) for part in session.fed)


async def test_a_model_that_sees_tells_how_somebody_looks() -> None:
    seen = {"glasses": "yes", "hat": "no", "beard": "not sure", "hair": "Dark", "clothes": " red "}
    eyes = AskingEyes(ScriptedModel(json.dumps(seen), profile=SEEING), asyncio.get_running_loop())
    looks = await asyncio.to_thread(eyes.looks, room(1))
    assert [(look.slot, look.value) for look in looks] == [
        ("glasses", "yes"), ("hat", "no"), ("hair", "dark"), ("clothes", "red"),
    ]  # fmt: skip


@pytest.mark.parametrize("answer", ["no form at all", "[1, 2]"])
async def test_a_model_that_does_not_keep_to_the_form_is_an_error(answer: str) -> None:
    eyes = AskingEyes(ScriptedModel(answer, profile=SEEING), asyncio.get_running_loop())
    with pytest.raises(GenerationError, match="fill a form"):
        await asyncio.to_thread(eyes.tell, room(1))


async def test_a_live_call_keeps_what_its_camera_sees(memory, clock) -> None:
    told = json.dumps({"description": "A room.", "text": ""})
    model = ScriptedModel(*[told] * 4, profile=SEEING, clock=clock)
    agent = Agent("Be kind.", model=model, memory=memory, clock=clock)
    async with agent, agent.live(prepare=False, speak=False) as call:
        for image in frames(room(1), 4):
            call.see(VideoFrame(image, clock.monotonic()))
            await clock.advance(0.5)
            await asyncio.to_thread(call._scenes.wait_idle, 5)
        await call.close()
        (scene,) = memory.scenes.find()
        assert scene.conversation == call.id
        assert scene.picture
