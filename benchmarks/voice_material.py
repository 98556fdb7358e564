"""Voices for the benchmarks: recordings of people from a folder, or voices made here; and calls."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from omni_agent.media import Audio
from omni_agent.model.catalog import catalog
from omni_agent.model.compact.vad import FRAME, Vad

RATE = 16_000
Voices = dict[str, list[np.ndarray]]
"""For each speaker recordings, float32 at 16 kHz, with silences longer than 0.2 s cut out."""

SENTENCES = """The train to the coast leaves from platform two at half past nine.
She bought a red umbrella at the market because it had started to rain again.
My brother plays football every Saturday, but last week the game was called off.
There is a small library behind the church where they lend out tools and seeds.
He forgot his glasses in the office again and could not read the menu.
We painted the bedroom light yellow last month, and now it looks much bigger.
Our neighbours have two dogs and a rabbit that keeps eating our flowers.
I usually get up at six and go for a run along the river before breakfast.
Her flight from Madrid was three hours late, so we missed the concert.
They are building a new bridge, and the road will be closed all summer.
The doctor told him to drink more water and to walk for half an hour a day.
My grandmother knitted this sweater when I was born, and it still keeps me warm.
Could you show me the way to the station, please? I think I took a wrong turn.
Where did you put the big blue bowl? I need it for the dough this afternoon.""".splitlines()


def recorded(folder: Path) -> Voices:
    """FOLDER/SPEAKER/any sound files."""
    voices: Voices = {}
    for speaker in sorted(p for p in folder.iterdir() if p.is_dir()):
        files = [
            p for p in sorted(speaker.iterdir()) if p.suffix in {".flac", ".wav", ".mp3", ".ogg"}
        ]
        if files:
            voices[speaker.name] = [without_silence(Audio.load(p)) for p in files]
    return voices


def made(count: int, sentences: int = 6) -> Voices:
    """Voices of Kokoro, spread over its languages; kept in the cache, as making them takes long."""
    from omni_agent.model.compact.voice import Voice

    at = catalog().ensure("kokoro", "kokoro-vocab", "kokoro-voices")
    voice = Voice(at["kokoro"], at["kokoro-vocab"], at["kokoro-voices"])
    names = sorted(info.name for info in voice.voices())
    kept = catalog().settings.cache_dir / "benchmarks" / "voices"
    kept.mkdir(parents=True, exist_ok=True)
    voices: Voices = {}
    for name in names[:: max(1, len(names) // count)][:count]:
        rng = random.Random(zlib.crc32(name.encode()))
        lines = rng.sample(SENTENCES, sentences)
        voices[name] = []
        for i, line in enumerate(lines):
            path = kept / f"{name}-{sentences}-{i}.flac"
            if not path.exists():
                voice.speak(line, name, speed=rng.uniform(0.9, 1.15)).resampled(RATE).save(path)
            voices[name].append(without_silence(Audio.load(path)))
    return voices


def without_silence(sound: Audio) -> np.ndarray:
    samples = sound.resampled(RATE).samples
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    speech = np.convolve(Vad().stream().push(frames), np.ones(5), "same") > 0
    return frames[speech].ravel()


def split(recordings: Sequence[np.ndarray], seconds: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """The first `seconds` to enrol with, and what is left, recording by recording."""
    need, first, left = int(seconds * RATE), [], []
    for samples in recordings:
        take = min(need, len(samples))
        first.append(samples[:take])
        need -= take
        if len(samples) - take >= RATE:
            left.append(samples[take:])
    return np.concatenate(first), left


# --- what happens to sound on its way -----------------------------------------------------------


def noisy(samples: np.ndarray, snr: float, rng: np.random.Generator) -> np.ndarray:
    """With pink noise, `snr` in dB."""
    spectrum = np.fft.rfft(rng.standard_normal(len(samples)))
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), len(samples))
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-snr / 20) / max(float(pink.std()), 1e-9)
    return (samples + level * pink).astype(np.float32)


def in_a_room(samples: np.ndarray, rng: np.random.Generator, seconds: float = 0.35) -> np.ndarray:
    """As heard two metres away: the echo as strong as a quarter of the voice."""
    n = int(seconds * RATE)
    echo = rng.standard_normal(n) * np.exp(-6.9 * np.arange(n) / n)
    echo[0] = 0.0
    echo *= 0.5 / np.sqrt((echo**2).sum())
    echo[0] = 1.0
    size = len(samples) + n
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(echo, size), size)
    return wet[: len(samples)].astype(np.float32)


def over_the_phone(samples: np.ndarray) -> np.ndarray:
    return Audio(samples, RATE).resampled(8_000).resampled(RATE).samples


# --- calls ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class ComposedCall:
    """`truth`: (start, end, speaker) in samples. `enrolment`: 10 s of each speaker not in it."""

    sound: np.ndarray
    speech: np.ndarray
    truth: list[tuple[int, int, str]]
    enrolment: Mapping[str, np.ndarray]


def compose(
    voices: Voices, speakers: int, seconds: float, seed: int, *, overlap: float = 0.25
) -> ComposedCall:
    """People taking turns of 0.6 to 8 s, half of them under 2.4 s. `overlap`: the share of turns
    that begin 0.3 to 1 s before the last one ends; the others begin within 0.7 s after it."""
    rng = np.random.default_rng(seed)
    who = [str(v) for v in rng.choice(sorted(voices), speakers, replace=False)]
    enrolment, stock, at = {}, {}, dict.fromkeys(who, 0)
    for name in who:
        enrolment[name], left = split(voices[name], 10.0)
        samples = np.concatenate(left) if left else enrolment[name]
        level = 10 ** ((-26 + rng.uniform(-5, 5)) / 20) / np.sqrt(np.mean(samples**2))
        stock[name] = (samples * level).astype(np.float32)
    sound = np.zeros(int((seconds + 10) * RATE), np.float32)
    truth: list[tuple[int, int, str]] = []
    end, last = RATE // 2, ""
    while end < (seconds - 1) * RATE:
        others = [name for name in who if name != last] or who
        name = last if last and rng.random() < 0.15 else str(rng.choice(others))
        length = int(RATE * np.clip(rng.lognormal(np.log(2.4), 0.55), 0.6, 8))
        if at[name] + length > len(stock[name]):
            at[name] = 0
        turn = stock[name][at[name] : at[name] + length].copy()
        at[name] += length
        fade = min(160, len(turn) // 4)
        turn[:fade] *= np.linspace(0, 1, fade)
        turn[-fade:] *= np.linspace(1, 0, fade)
        cuts_in = name != last and truth and rng.random() < overlap
        gap = -rng.uniform(0.3, 1.0) if cuts_in else rng.uniform(0.0 if name != last else 0.3, 0.7)
        start = max(end + int(gap * RATE), truth[-1][0] + RATE // 2 if truth else 0)
        sound[start : start + len(turn)] += turn
        truth.append((start, start + len(turn), name))
        end, last = max(end, start + len(turn)), name
    sound = sound[: (end + RATE // 2) // FRAME * FRAME]
    hiss = 10 ** (rng.uniform(-62, -48) / 20)
    sound += (hiss * rng.standard_normal(len(sound))).astype(np.float32)
    speech = np.array(Vad().stream().push(sound.reshape(-1, FRAME)))
    return ComposedCall(sound, speech, truth, enrolment)
