"""What of a camera and of a screen the model is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest

from omni_agent.errors import SettingsError
from omni_agent.media import Image, VideoFrame
from omni_agent.seeing import FrameSampler, Seeing

Drawing = PIL.Image.Image

GRAIN = np.random.default_rng(0).standard_normal((600, 800, 3), np.float32)


def room(seed: int = 1, *, width: int = 640, height: int = 480) -> Drawing:
    """Furniture in many colours, with a margin around it for the hand to tremble in."""
    rng = np.random.default_rng(seed)
    picture = PIL.Image.new("RGB", (width + 40, height + 40), tuple(rng.integers(60, 190, 3)))
    draw = PIL.ImageDraw.Draw(picture)
    for _ in range(60):
        x, y = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(20, 160, 2)
        draw.rectangle((x, y, x + w, y + h), fill=tuple(int(c) for c in rng.integers(20, 235, 3)))
    return picture


def taken(
    scene: Drawing,
    *,
    noise: float = 4.0,
    light: float = 1.0,
    tremble: tuple[int, int] = (0, 0),
    seed: int = 0,
) -> Image:
    """A photograph of the scene by a hand-held camera of ordinary quality."""
    x, y = 20 + tremble[0], 20 + tremble[1]
    pixels = np.asarray(scene.crop((x, y, x + scene.width - 40, y + scene.height - 40)))
    at = seed * 7919 % 64
    grain = GRAIN[at : at + pixels.shape[0], at : at + pixels.shape[1]]
    return Image(np.clip(pixels * np.float32(light) + noise * grain, 0, 255).astype(np.uint8))


def with_a_sheet(scene: Drawing) -> Drawing:
    """Somebody holds a sheet of paper into the picture."""
    shown = scene.copy()
    PIL.ImageDraw.Draw(shown).rectangle((220, 160, 420, 300), fill=(250, 250, 250))
    return shown


def film(picture: Callable[[float], Image], seconds: float, fps: float) -> Iterator[VideoFrame]:
    for i in range(round(seconds * fps)):
        yield VideoFrame(picture(i / fps), i / fps)


def shown(
    sampler: FrameSampler, frames: Iterator[VideoFrame], *, speaking: bool, source: str = "camera"
) -> list[VideoFrame]:
    return [f for frame in frames if (f := sampler.take(frame, source, speaking=speaking))]


ROOM = room()


def still(t: float) -> Image:
    return taken(ROOM, seed=round(t * 1000))


def busy(t: float) -> Image:
    """Something else every half second."""
    return taken(room(10 + int(t * 2)), seed=round(t * 1000))


# --- by change ---------------------------------------------------------------------------------


def test_a_still_room_is_shown_once_and_then_with_a_slow_heartbeat() -> None:
    sampler = FrameSampler("full", Seeing(heartbeat=20))
    times = [f.t for f in shown(sampler, film(still, 50, 2), speaking=False)]
    assert times == [0, 20, 40]


@pytest.mark.parametrize("fps", [5, 30])
def test_noise_flicker_and_a_trembling_hand_show_nothing_new(fps: float) -> None:
    def shaken(t: float) -> Image:
        rng = np.random.default_rng(round(t * 1000))
        dx, dy = rng.integers(-5, 6, 2)
        light = 1.0 + 0.15 * np.sin(7 * t)
        return taken(ROOM, noise=10, light=light, tremble=(dx, dy), seed=round(t * 1000))

    assert len(shown(FrameSampler("full"), film(shaken, 4, fps), speaking=False)) == 1


def test_a_sheet_held_into_the_picture_is_shown_while_the_user_speaks_and_when_idle() -> None:
    def held_up(t: float) -> Image:
        return taken(with_a_sheet(ROOM) if t >= 3.05 else ROOM, seed=round(t * 1000))

    for speaking, at_most in ((True, 0.5), (False, 2.0)):
        sampler = FrameSampler("full")
        times = [f.t for f in shown(sampler, film(held_up, 6, 10), speaking=speaking)]
        assert len(times) == 2
        assert 3.05 <= times[1] <= 3.05 + at_most


def test_another_scene_is_shown_at_once() -> None:
    def cut(t: float) -> Image:
        return still(t) if t < 1.0 else taken(room(2))

    times = [f.t for f in shown(FrameSampler("full"), film(cut, 3, 10), speaking=False)]
    assert times == [0, 1.0]


def test_a_change_too_slow_to_see_adds_up() -> None:
    def poured(t: float) -> Image:
        full = with_a_sheet(ROOM)
        return taken(PIL.Image.blend(ROOM, full, min(1.0, t / 30)), seed=round(t * 1000))

    times = [f.t for f in shown(FrameSampler("full", Seeing(heartbeat=99)), film(poured, 31, 2),
                                speaking=False)]  # fmt: skip
    assert 2 <= len(times) <= 5


def test_on_a_screen_a_changed_line_counts_and_a_blinking_cursor_does_not() -> None:
    def desktop(line: str, cursor: bool) -> Image:
        picture = PIL.Image.new("RGB", (1920, 1080), (255, 255, 255))
        draw = PIL.ImageDraw.Draw(picture)
        for row in range(30):
            text = line if row == 7 else f"line {row} of a long report that nobody reads " * 2
            draw.text((40, 30 * row + 20), text, fill=(0, 0, 0), font_size=24)
        if cursor:
            draw.rectangle((900, 950, 903, 975), fill=(0, 0, 0))
        return Image(np.asarray(picture))

    before = "The meeting is on Tuesday at noon, in the room on the second floor, as ever."
    after = "Nobody meets this week! All rooms are closed until the painters have left us."

    def screen(t: float) -> Image:
        return desktop(before if t < 4 else after, cursor=int(t * 2) % 2 == 0)

    sampler = FrameSampler("full")
    frames = shown(sampler, film(screen, 8, 2), speaking=False, source="screen")
    assert [f.t for f in frames] == [0, 4]


# --- by time, within a budget ------------------------------------------------------------------


def test_a_busy_street_is_shown_twice_a_second_while_the_user_speaks_and_rarely_when_idle() -> None:
    def street(t: float) -> Image:
        scene = ROOM.copy()
        x = int(t * 120) % 500
        PIL.ImageDraw.Draw(scene).rectangle((x, 200, x + 150, 320), fill=(240, 240, 240))
        return taken(scene, seed=round(t * 1000))

    speaking = shown(FrameSampler("full"), film(street, 6, 15), speaking=True)
    assert 11 <= len(speaking) <= 13
    gaps = np.diff([f.t for f in speaking])
    assert (gaps > 0.4).all()
    idle = shown(FrameSampler("full"), film(street, 8, 15), speaking=False)
    assert len(idle) == 4


def test_the_first_frame_of_the_users_speech_is_shown_even_if_nothing_changed() -> None:
    sampler = FrameSampler("full")
    frames = film(still, 12, 10)
    shown(sampler, (next(frames) for _ in range(50)), speaking=False)
    sampler.for_turn()
    (first,) = shown(sampler, frames, speaking=True)
    assert first.t == 5.0


def test_a_turn_and_a_minute_have_a_budget_and_idle_frames_leave_most_of_it_to_the_speech() -> None:
    sampler = FrameSampler("full", Seeing(per_turn=6, idle_per_turn=2, per_minute=9))
    frames = film(busy, 40, 4)
    assert len(shown(sampler, (next(frames) for _ in range(40)), speaking=False)) == 2
    assert len(shown(sampler, (next(frames) for _ in range(40)), speaking=True)) == 4
    assert sampler.for_turn() == []
    assert len(shown(sampler, frames, speaking=True)) == 3


def test_large_pictures_are_made_smaller_and_small_ones_left_alone() -> None:
    sampler = FrameSampler("full")
    grain = np.random.default_rng(0).integers(0, 255, (2160, 3840, 3), dtype=np.uint8)
    large = sampler.take(VideoFrame(Image(grain), 0.0), speaking=True)
    assert large is not None
    assert large.image.size == (640, 360)
    small = sampler.take(VideoFrame(taken(room(3, width=320, height=240)), 1.0), speaking=True)
    assert small is not None
    assert small.image.size == (320, 240)


# --- at the end of the turn --------------------------------------------------------------------


def test_a_turn_in_which_nothing_was_shown_gets_the_newest_of_each_source() -> None:
    sampler = FrameSampler("full")
    shown(sampler, film(still, 1, 5), speaking=False)
    shown(sampler, film(still, 1, 1), speaking=False, source="screen")
    assert sampler.for_turn() == []
    sampler.take(VideoFrame(taken(with_a_sheet(ROOM)), 0.9), "camera", speaking=False)
    assert [seen.source for seen in sampler.for_turn()] == ["camera"]
    assert sampler.for_turn() == []  # a turn that was over after all, a moment later


def test_a_picture_that_is_old_is_shown_again_for_a_turn_and_one_switched_off_is_not() -> None:
    sampler = FrameSampler("full")
    shown(sampler, film(still, 3, 5), speaking=False)
    shown(sampler, film(still, 3, 1), speaking=False, source="screen")
    sampler.for_turn()
    for source in ("camera", "screen"):
        sampler.take(VideoFrame(still(15.0), 15.0), source, speaking=False)
    sampler.forget("screen")
    assert [seen.source for seen in sampler.for_turn()] == ["camera"]


def test_who_only_reads_gets_the_newest_picture_and_not_the_same_twice() -> None:
    sampler = FrameSampler("text")
    page = room(4)
    pages = film(lambda t: taken(page, noise=0), 3, 5)
    assert shown(sampler, pages, speaking=True) == []
    (seen,) = sampler.for_turn()
    assert seen.source == "camera"
    assert shown(sampler, film(lambda t: taken(page, noise=2), 3, 5), speaking=True) == []
    assert sampler.for_turn() == []
    sampler.take(VideoFrame(taken(with_a_sheet(page), noise=2), 9.0), speaking=True)
    assert len(sampler.for_turn()) == 1


def test_a_model_without_eyes_is_shown_nothing() -> None:
    sampler = FrameSampler("none")
    assert shown(sampler, film(busy, 3, 5), speaking=True) == []
    assert sampler.for_turn() == []


# --- odd input ---------------------------------------------------------------------------------


def test_times_that_stand_still_or_jump_back_are_mended() -> None:
    sampler = FrameSampler("full", Seeing(per_turn=99))
    times = [0.0, 0.5, 1.0, 1.5, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 900.0, 0.0]
    given = [
        sampler.take(VideoFrame(taken(room(i)), t), speaking=True) for i, t in enumerate(times)
    ]
    stamps = [frame.t for frame in given if frame is not None]
    assert len(stamps) == len(times)
    assert all(b > a for a, b in pairwise(stamps))


def test_two_sources_share_a_timeline_that_only_rises() -> None:
    sampler = FrameSampler("full")
    stamps = []
    for i in range(6):
        for source, start in (("camera", 100.0), ("screen", 0.0)):
            frame = VideoFrame(taken(room(2 * i + (source == "screen"))), start + i)
            if (given := sampler.take(frame, source, speaking=True)) is not None:
                stamps.append(given.t)
    assert len(stamps) == 12
    assert all(b > a for a, b in pairwise(stamps))


def test_a_covered_lens_is_shown_only_when_it_stays_covered() -> None:
    black = Image(np.zeros((480, 640, 3), np.uint8))

    def covered(t: float) -> Image:
        return black if t < 0.4 or 4 <= t < 4.5 or t >= 8 else still(t)

    times = [f.t for f in shown(FrameSampler("full"), film(covered, 10, 10), speaking=True)]
    assert times == [0.4, 9.0]


@pytest.mark.parametrize("size", [(1, 1), (3, 4000), (15, 480), (16, 16), (33, 47), (4000, 20)])
def test_a_frame_of_an_odd_size_does_no_harm(size: tuple[int, int]) -> None:
    sampler = FrameSampler("full")
    sampler.take(VideoFrame(still(0.0), 0.0), speaking=True)
    odd = Image(np.full((size[1], size[0], 3), 200, np.uint8))
    given = sampler.take(VideoFrame(odd, 1.0), speaking=True)
    assert (given is not None) == (min(size) >= 16)


def test_the_same_frames_give_the_same_pictures() -> None:
    runs = [shown(FrameSampler("full"), film(busy, 5, 10), speaking=True) for _ in range(2)]
    assert [f.t for f in runs[0]] == [f.t for f in runs[1]]
    assert all(np.array_equal(a.image.pixels, b.image.pixels) for a, b in zip(*runs, strict=True))


def test_a_frame_that_is_not_shown_costs_less_than_a_millisecond() -> None:
    sampler = FrameSampler("full")
    frames = [VideoFrame(still(i / 10), i / 1000) for i in range(5)]
    costs = []
    for _ in range(20):
        for frame in frames:
            began = time.perf_counter()
            sampler.take(frame, speaking=False)
            costs.append(time.perf_counter() - began)
    assert np.median(costs) < 0.001


@pytest.mark.parametrize("wrong", [{"speaking_fps": 0}, {"longest_side": -1}, {"per_turn": -1}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Seeing(**wrong)  # type: ignore[arg-type]
