"""`make demo` as a user has it: the real program, the real model, a spoken question."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from chromium import Browsers
from demo_page import DemoPage

from omni_agent.model.catalog import catalog
from omni_agent.model.compact.voice import Voice

pytestmark = [pytest.mark.browser, pytest.mark.weights, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
RATE = 48_000
PATIENCE = 120_000  # ms; a busy machine thinks slowly


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Asked aloud a second after the microphone is opened, and cutting in every 25 seconds."""
    at = catalog().ensure("kokoro", "kokoro-vocab", "kokoro-voices")
    voice = Voice(at["kokoro"], at["kokoro-vocab"], at["kokoro-voices"])
    room = np.random.default_rng(0).normal(0, 0.0006, RATE * 200).astype(np.float32)
    said = ["I want to cook mapo tofu for four people."] + 6 * ["Wait, please stop for a moment."]
    for n, words in enumerate(said):
        sound = voice.speak(words, "am_michael", "en").resampled(RATE).samples
        begins = (1 + 25 * n) * RATE
        room[begins : begins + len(sound)] += sound
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    soundfile.write(path, room, RATE)
    return path


@dataclass(frozen=True, slots=True)
class Program:
    process: subprocess.Popen[str]
    url: str


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("demo")
    process = subprocess.Popen(
        [
            *(sys.executable, ROOT / "demos" / "app.py", "--no-open", "--port", "0"),
            *("--memory", folder / "memory", "--record", folder / "calls"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            pytest.fail("the demo ended before it served a page")
        yield Program(process, f"{found[0]}/")
    finally:
        process.terminate()
        process.wait(30)


def test_a_spoken_question_opens_a_recipe_and_the_answer_can_be_talked_over(
    browsers: Browsers, talk: Path, program: Program
) -> None:
    context = browsers.context(microphone=talk)
    page = DemoPage(context, program.url).open()
    page.states()
    page.call(agent="kitchen")
    page.page.wait_for_selector(".card[data-kind='recipe']", timeout=PATIENCE)
    page.page.wait_for_selector(".stage[data-state='speaking']", timeout=PATIENCE)
    assert "tofu" in page.page.locator(".line.user p").first.inner_text().lower()
    page.page.wait_for_selector(".line.agent.cut", timeout=PATIENCE)
    assert {"listening", "thinking", "speaking"} <= set(page.shown_states)
    page.hang_up()
    page.page.locator("#tab-memory").click()
    page.page.locator(".memory-row", has_text="tofu").first.wait_for()
    page.page.locator("#tab-recordings").click()
    page.page.locator(".recording", has_text="tofu").click()
    page.page.locator(".player .line.tool").first.wait_for()
    assert page.errors == []
    assert page.outside == []


def test_it_ends_at_once_although_a_page_is_open(browsers: Browsers, program: Program) -> None:
    page = DemoPage(browsers.context(), program.url).open()
    began = time.monotonic()
    program.process.terminate()
    assert program.process.wait(30) == 0
    assert time.monotonic() - began < 6
    page.page.context.close()
