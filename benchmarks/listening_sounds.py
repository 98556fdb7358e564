"""Sounds for the benchmarks of listening: speech with pauses, hums, coughs, knocks, music.

Speech is the project's own voice, and eSpeak NG where it is installed; for the rest see noises.py.
What was made is kept in the system's folder for temporary files.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
import tomllib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import onnxruntime
import soundfile
import soxr
from noises import NOISES, RATE, HumShape, band, hum

from omni_agent.model.catalog import catalog
from omni_agent.model.compact.kokoro import _FADE, FRAME, Frames, Window
from omni_agent.model.compact.voice import Voice

Split = Literal["fit", "report"]
VOICES: dict[tuple[Split, str], tuple[str, ...]] = {
    ("fit", "en"): ("af_heart", "am_michael", "bf_emma", "am_fenrir", "bm_george", "af_bella"),
    ("fit", "zh"): ("zf_xiaoxiao", "zm_yunxi", "zm_yunjian", "zf_xiaobei"),
    ("report", "en"): (
        "af_nova", "am_adam", "bf_isabella", "am_eric", "af_sarah", "bm_lewis",
        "am_liam", "bf_alice", "af_jessica", "am_puck", "bm_daniel", "bm_fable",
    ),
    ("report", "zh"): ("zf_xiaoni", "zm_yunxia", "zf_xiaoyi", "zm_yunyang"),
}  # fmt: skip
ESPEAK: dict[tuple[Split, str], tuple[str, ...]] = {
    ("fit", "en"): ("en-us+m3", "en-gb+f2", "en-us+klatt2", "en-gb+m7"),
    ("fit", "zh"): ("cmn+f3", "cmn+m2"),
    ("report", "en"): ("en-us+f4", "en-gb+m1", "en-us+klatt3", "en-gb+f5"),
    ("report", "zh"): ("cmn+f1", "cmn+m5"),
}
_FOLDER = Path(tempfile.gettempdir()) / "omni-agent-sounds"


@dataclass(frozen=True, slots=True)
class Sound:
    """`samples`: float32 [n] at 16 kHz, without silence at its ends. `maker`: who made it."""

    kind: str
    text: str
    maker: str
    samples: np.ndarray


# --- speech -----------------------------------------------------------------------------------


def said(text: str, voice: str, language: str, *, speed: float = 1.0) -> np.ndarray:
    """The project's voice."""

    def make() -> np.ndarray:
        sound = _voice().speak(text, voice, language, speed=speed)
        return soxr.resample(sound.samples, sound.rate, RATE)

    return trimmed(_kept(f"{text}|{voice}|{speed}", make))


def espeak(text: str, voice: str, *, pitch: int = 50, speed: int = 160) -> np.ndarray:
    def make() -> np.ndarray:
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed)]
            subprocess.run([*command, "-w", file.name, text], check=True, capture_output=True)
            samples, rate = soundfile.read(file.name, dtype="float32")
        return soxr.resample(samples, rate, RATE)

    return trimmed(_kept(f"espeak {text}|{voice}|{pitch}|{speed}", make))


def phrases(marked: str, voice: str, language: str, *, drawn_out: int = 2) -> list[np.ndarray]:
    """One utterance, spoken in one go and cut where `marked` has a "|".

    The last syllable before a cut is `drawn_out` times as long and keeps its pitch, as people's are
    before they stop to think.
    """
    parts = marked.split("|")
    sound = _kept(
        f"{marked}|{voice}|{drawn_out}", lambda: _cut_sound(parts, voice, language, drawn_out)
    )
    ends = np.flatnonzero(np.isnan(sound))
    return [trimmed(piece[~np.isnan(piece)]) for piece in np.split(sound, ends)]


def _cut_sound(parts: list[str], voice: str, language: str, drawn_out: int) -> np.ndarray:
    """The pieces in one array, with a NaN between them."""
    speaker = _voice()

    def phonemes(text: str) -> str:
        accent = "en-gb" if voice.startswith("b") else "en-us"
        said = speaker._phonemizer.phonemes(text, language, accent=accent)
        return "".join(c for c in said if c in speaker._vocab)

    join = "" if language == "zh" else " "
    whole = phonemes(join.join(parts))
    # A word may sound otherwise at the end of what is said; its number of phonemes stays.
    cuts = [len(phonemes(join.join(parts[:i])).rstrip()) for i in range(1, len(parts))]
    ids = [speaker._vocab[c] for c in whole]
    style, options = speaker._style(voice, len(ids)), onnxruntime.RunOptions()
    frames = speaker._net.frames(ids, style, 1.0, options)
    frames = _drawn_out(frames, whole, cuts, drawn_out)
    window = Window(*frames.words)
    sound = speaker._net.sound(frames, window, style, options)[_FADE:-_FADE]
    pieces, begin = [], 0
    for cut in cuts:
        about = (int(frames.ends[cut - 1]) - window.start) * FRAME
        first = max(begin, about - 2 * FRAME)
        loudness = np.abs(sound[first : about + 2 * FRAME])
        smooth = np.convolve(loudness, np.ones(240), "same")
        end = first + int(smooth.argmin())
        pieces += [soxr.resample(sound[begin:end], 24_000, RATE), np.array([np.nan])]
        begin = end
    pieces.append(soxr.resample(sound[begin:], 24_000, RATE))
    return np.concatenate(pieces).astype(np.float32)


_VOWELS = frozenset("aeiouAIOQWYɑɐɒæəɘɛɜɝɪᵻɨɔʊʌʉyøœɚɯɤᵊ")


def _drawn_out(frames: Frames, phonemes: str, cuts: Sequence[int], times: int) -> Frames:
    repeat = np.ones(frames.content.shape[2], int)
    pitch = frames.pitch.copy()
    starts = np.concatenate([[0], frames.ends[:-1]]).astype(int)
    for cut in cuts:
        last = cut - 1
        while last and not phonemes[last].isalpha():  # marks and stresses
            last -= 1
        first = last
        while first and phonemes[first] not in _VOWELS and phonemes[first] != " ":
            first -= 1
        while first and phonemes[first - 1] in _VOWELS:
            first -= 1
        begin, end = int(starts[first]), int(frames.ends[last])
        repeat[begin:end] = times
        held = pitch[0, 2 * begin : 2 * end]
        voiced = held > 20
        if voiced.any():
            level = float(np.median(held[voiced][: max(1, voiced.sum() // 2)]))
            held[voiced] = level + 0.25 * (held[voiced] - level)
    chosen = np.repeat(np.arange(len(repeat)), repeat)
    halves = np.stack([2 * chosen, 2 * chosen + 1], axis=1).reshape(-1)
    at = np.concatenate([[0], np.cumsum(repeat)])
    return Frames(
        frames.content[:, :, chosen],
        pitch[:, halves],
        frames.energy[:, halves],
        at[frames.ends.astype(int)],
        (int(at[frames.words[0]]), int(at[frames.words[1]])),
    )


# --- what is no speech ------------------------------------------------------------------------

_NASALS = {"m": "ðə sˈʌməɹ kˈAm.", "ŋ": "ðə sˈɪŋəɹ kˈAm."}
_ESPEAK_HUMS = ("[[m:hm:]]", "[[hm:]]", "[[m-:]]")
HESITATION = re.compile(r"(?:\b(?:um|uh)|嗯|那个)\W*$", re.IGNORECASE)


def murmur(voice: str, nasal: Literal["m", "ŋ"]) -> np.ndarray:
    """1.5 s of a closed mouth in one of the voices: the middle of a word's nasal, held."""

    def make() -> np.ndarray:
        speaker, phonemes = _voice(), _NASALS[nasal]
        ids = [speaker._vocab[c] for c in phonemes]
        style, options = speaker._style(voice, len(ids)), onnxruntime.RunOptions()
        frames = speaker._net.frames(ids, style, 1.0, options)
        at = phonemes.index(nasal, 4)
        begin, end = int(frames.ends[at - 1]), int(frames.ends[at])
        length, n = 64, frames.content.shape[2]
        held = np.full(length, begin + max(0, (end - begin) // 2 - 1))
        chosen = np.concatenate([np.arange(begin), held, np.arange(end, n)])
        halves = np.stack([2 * chosen, 2 * chosen + 1], axis=1).reshape(-1)
        pitch = frames.pitch[:, halves].copy()
        usual = float(np.median(frames.pitch[frames.pitch > 30]))
        pitch[0, 2 * begin : 2 * (begin + length)] = usual
        first, last = frames.words
        longer = Frames(
            frames.content[:, :, chosen],
            pitch,
            frames.energy[:, halves],
            frames.ends,
            (first, last + length - (end - begin)),
        )
        window = Window(*longer.words)
        sound = speaker._net.sound(longer, window, style, options)[_FADE:-_FADE]
        start = (begin + 2 - first) * FRAME
        return soxr.resample(sound[start : start + 60 * FRAME], 24_000, RATE)

    return _kept(f"murmur {voice}|{nasal}", make)


def hums(split: Split, rng: np.random.Generator) -> list[Sound]:
    made = []
    for language in ("en", "zh"):
        for voice in VOICES[split, language]:
            for i, shape in enumerate(get_args(HumShape) * 2):
                held = murmur(voice, ("m", "ŋ")[i // 4])
                made.append(Sound("hum", shape, voice, hum(held, shape, rng)))
        if shutil.which("espeak-ng"):
            for robot in ESPEAK[split, language]:
                for i, text in enumerate(_ESPEAK_HUMS):
                    sound = espeak(text, robot, pitch=30 + 25 * i, speed=120)
                    made.append(Sound("hum", text, robot, sound))
    return made


# --- the collections --------------------------------------------------------------------------


def turns(split: Split, *, hesitating: bool = False) -> list[tuple[str, str, str]]:
    """Marked utterances of turns.toml: language, voice, text.

    `hesitating`: with an "um", "uh", "嗯" or "那个" before every pause.
    """
    listed = tomllib.loads(Path(__file__).with_name("turns.toml").read_text("utf-8"))[split]
    found = []
    for language in ("en", "zh"):
        voices = VOICES[split, language]
        for i, text in enumerate(listed[language]):
            marked = _with_hesitations(text, language, i) if hesitating else text
            found.append((language, voices[i % len(voices)], marked))
    return found


def _with_hesitations(text: str, language: str, i: int) -> str:
    *parts, last = text.split("|")
    words = (" um,", " uh,") if language == "en" else ("嗯，", "那个，")
    comma = "," if language == "en" else "，"
    hesitating = [
        part if HESITATION.search(part) else part.rstrip(",，") + comma + words[(i + j) % 2]
        for j, part in enumerate(parts)
    ]
    return "|".join([*hesitating, last])


def interruptions(split: Split, *, noises: int = 40) -> list[Sound]:
    """What may sound while an agent speaks: "words", "short", "uh_huh", "hum" and the `NOISES`."""
    file = Path(__file__).with_name("interruptions.toml")
    listed = tomllib.loads(file.read_text("utf-8"))[split]
    with_espeak = shutil.which("espeak-ng") is not None
    sounds = []
    kinds = (("words", 2), ("short", 3), ("uh_huh", 8), ("uh_huh_twice", 8))
    for kind, times in kinds:
        for language in ("en", "zh"):
            texts = listed[f"{kind}_{language}"]
            voices, robots = VOICES[split, language], ESPEAK[split, language]
            for i, text in enumerate(texts):
                for j in range(times):
                    voice = voices[(i * times + j) % len(voices)]
                    speed = (1.0, 1.15, 0.9)[(i + j) % 3]
                    sounds.append(
                        Sound(kind, text, voice, said(text, voice, language, speed=speed))
                    )
                if with_espeak:
                    robot = robots[i % len(robots)]
                    pitch = 25 + 20 * (i % 4)
                    sounds.append(Sound(kind, text, robot, espeak(text, robot, pitch=pitch)))
    rng = np.random.default_rng(1 if split == "fit" else 2)
    sounds += hums(split, rng)
    for name, make in NOISES.items():
        sounds += [Sound(name, name, "synthesised", make(rng)) for _ in range(noises)]
    return sounds


def placed(
    samples: np.ndarray,
    rng: np.random.Generator,
    *,
    dbfs: float,
    noise_dbfs: float,
    before: float = 1.0,
    after: float = 1.5,
) -> np.ndarray:
    """In a room: at a level (RMS of its louder half), with pink-ish noise all along."""
    power = np.sort(np.square(samples.astype(np.float64)))[len(samples) // 2 :]
    loud = samples * (10 ** (dbfs / 20) / max(1e-9, float(np.sqrt(power.mean()))))
    whole = np.pad(loud, (int(before * RATE), int(after * RATE)))
    hiss = band(rng.normal(size=len(whole)), 20, 7900, tilt=True)
    return np.clip(whole + hiss * 10 ** (noise_dbfs / 20), -1, 1).astype(np.float32)


def seed_of(sound: Sound) -> int:
    return zlib.crc32(f"{sound.text}|{sound.maker}|{len(sound.samples)}".encode())


# --- means ------------------------------------------------------------------------------------


def trimmed(samples: np.ndarray, *, below_db: float = -40.0) -> np.ndarray:
    """Without what is `below_db` under its loudest 5 ms at both ends; faded over 10 ms."""
    step = RATE // 200
    steps = samples[: len(samples) // step * step].reshape(-1, step)
    loudness = np.sqrt(np.square(steps).mean(axis=1))
    loud = np.flatnonzero(loudness > loudness.max() * 10 ** (below_db / 20))
    out = samples[loud[0] * step : (loud[-1] + 1) * step].astype(np.float32)
    fade = np.linspace(0, 1, min(2 * step, len(out)), dtype=np.float32)
    out[: len(fade)] *= fade
    out[-len(fade) :] *= fade[::-1]
    return out


@cache
def _voice() -> Voice:
    at = catalog().ensure("kokoro", "kokoro-vocab", "kokoro-voices")
    return Voice(at["kokoro"], at["kokoro-vocab"], at["kokoro-voices"])


def _kept(key: str, make: Callable[[], np.ndarray]) -> np.ndarray:
    file = _FOLDER / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
    if not file.exists():
        _FOLDER.mkdir(exist_ok=True)
        sound = make().astype(np.float32)
        part = file.with_suffix(".part.npy")
        np.save(part, sound)
        part.rename(file)
    return np.load(file)
