"""The page's two audio processors, driven sample by sample in the browser that runs them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

QUANTUM = 128
DUCKED = 10 ** (-12 / 20)

# A player that has been given 1 s of one item, all samples 1.0, and 1 s of another.
_PLAYER = """
async steps => {
  const { Player } = await import('/page/playback_worklet.js');
  const told = [];
  const player = new Player(message => told.push(message));
  const ones = () => new Float32Array(24000).fill(1);
  player.command({ do: 'play', item: 'a', samples: ones() });
  player.command({ do: 'play', item: 'b', samples: ones() });
  const out = [];
  for (const step of steps) {
    if (typeof step === 'string') player.command(step.includes(':')
      ? { do: step.split(':')[0], item: step.split(':')[1] } : { do: step });
    else for (let i = 0; i < step; i++) {
      const quantum = new Float32Array(128);
      player.render(quantum);
      out.push(...quantum);
    }
  }
  return { out, told };
}
"""


@pytest.fixture
def player(bare_page: Any) -> Callable[..., dict[str, Any]]:
    """Run commands and numbers of render quanta; gives what came out, and what was told."""
    return lambda *steps: bare_page.evaluate(_PLAYER, list(steps))


def test_plays_every_sample_once_and_in_order(player: Callable[..., dict[str, Any]]) -> None:
    done = player("end:a", "end:b", 400)
    assert sum(done["out"]) == 48_000
    ended = [(t["item"], t["samples"]) for t in done["told"] if t["event"] == "ended"]
    assert ended == [("a", 24_000), ("b", 24_000)]


def test_tells_twenty_times_a_second_how_much_has_sounded(
    player: Callable[..., dict[str, Any]],
) -> None:
    told = [t for t in player(100)["told"] if t["event"] == "played"]
    assert 9 <= len(told) <= 11  # 100 quanta are 533 ms
    assert all(t["item"] == "a" for t in told)
    assert [t["samples"] for t in told] == sorted(t["samples"] for t in told)
    assert told[0]["level"] == pytest.approx(1.0)


def test_ducks_by_12_db_over_20_ms_and_comes_back(player: Callable[..., dict[str, Any]]) -> None:
    out = player(4, "duck", 8, "resume", 8)["out"]
    assert out[4 * QUANTUM - 1] == 1.0
    ramp = out[4 * QUANTUM : 4 * QUANTUM + 480]
    assert ramp == sorted(ramp, reverse=True)
    assert ramp[0] > 0.99
    assert out[4 * QUANTUM + 480] == pytest.approx(DUCKED, abs=1e-3)
    assert 20 * math.log10(out[12 * QUANTUM - 1]) == pytest.approx(-12, abs=0.01)
    assert out[-1] == pytest.approx(1.0)


def test_a_pause_is_silent_within_a_quantum_and_loses_nothing(
    player: Callable[..., dict[str, Any]],
) -> None:
    done = player(10, "pause", 5, "resume", 1, "stop", 1)
    out = done["out"]
    faded = out[10 * QUANTUM : 11 * QUANTUM]
    assert faded == sorted(faded, reverse=True)
    assert faded[-1] == 0
    assert not any(out[11 * QUANTUM : 15 * QUANTUM])
    assert out[16 * QUANTUM - 1] == 1.0  # faded in
    # What faded out is played again: 10 quanta before the pause, 1 after it.
    stopped = next(t for t in done["told"] if t["event"] == "stopped")
    assert stopped["items"][0] == {"item": "a", "samples": 11 * QUANTUM}


def test_stops_within_a_quantum_and_counts_to_the_sample(
    player: Callable[..., dict[str, Any]],
) -> None:
    done = player(20, "stop", 10)
    assert all(done["out"][: 20 * QUANTUM])
    assert done["out"][21 * QUANTUM - 1] == 0
    assert not any(done["out"][21 * QUANTUM :])
    assert done["told"][-1] == {
        "event": "stopped",
        "items": [{"item": "a", "samples": 20 * QUANTUM}, {"item": "b", "samples": 0}],
    }


def test_stopping_a_pause_makes_no_sound_at_all(player: Callable[..., dict[str, Any]]) -> None:
    done = player(10, "pause", 2, "stop", 5)
    assert not any(done["out"][11 * QUANTUM :])
    assert done["told"][-1]["items"][0]["samples"] == 10 * QUANTUM


def test_an_item_that_has_ended_is_not_among_what_a_stop_cuts_off(
    player: Callable[..., dict[str, Any]],
) -> None:
    told = player("end:a", 190, "stop", 1)["told"]
    assert [t["item"] for t in told if t["event"] == "ended"] == ["a"]
    assert [i["item"] for i in told[-1]["items"]] == ["b"]


# --- the microphone's side -------------------------------------------------------------------

_TONE = """
async ([rate, hz, chunk]) => {
  const { Resampler } = await import('/page/capture_worklet.js');
  const resampler = new Resampler(rate);
  const out = [];
  for (let at = 0; at < rate; at += chunk) {
    const n = Math.min(chunk, rate - at);
    const piece = Float32Array.from({ length: n },
      (_, i) => Math.sin(2 * Math.PI * hz * (at + i) / rate));
    out.push(...resampler.push(piece));
  }
  return out;
}
"""


def _amplitude(samples: list[float], hz: float) -> float:
    """Of a sine of this frequency, away from the edges."""
    part = samples[4000:20_000]
    real = sum(s * math.cos(2 * math.pi * hz * i / 24_000) for i, s in enumerate(part))
    imaginary = sum(s * math.sin(2 * math.pi * hz * i / 24_000) for i, s in enumerate(part))
    return 2 * math.hypot(real, imaginary) / len(part)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
def test_a_tone_keeps_its_pitch_and_its_level_at_any_rate_of_the_hardware(
    bare_page: Any, rate: int
) -> None:
    out = bare_page.evaluate(_TONE, [rate, 1000, 128])
    assert len(out) == pytest.approx(24_000, abs=120)
    assert _amplitude(out, 1000) == pytest.approx(1.0, abs=0.01)


def test_what_24_khz_cannot_hold_is_taken_out(bare_page: Any) -> None:
    out = bare_page.evaluate(_TONE, [48_000, 15_000, 128])
    loudest = max(map(abs, out[4000:20_000]))
    assert 20 * math.log10(loudest) < -60


def test_the_same_sound_comes_out_however_it_is_cut_up(bare_page: Any) -> None:
    whole = bare_page.evaluate(_TONE, [44_100, 440, 44_100])
    pieces = bare_page.evaluate(_TONE, [44_100, 440, 128])
    assert pieces == pytest.approx(whole[: len(pieces)], abs=1e-6)


def test_loud_sound_is_clipped_and_not_wrapped(bare_page: Any) -> None:
    words = bare_page.evaluate(
        """async () => {
          const { toPcm16 } = await import('/page/capture_worklet.js');
          return [...new Int16Array(toPcm16(Float32Array.of(-2, -1, 0, 0.5, 1, 2)))];
        }"""
    )
    assert words == [-32768, -32768, 0, 16384, 32767, 32767]
