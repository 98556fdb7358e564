"""Voice prints: how scores are read, and the GE2E network against torch's own LSTM."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from omni_agent.errors import ModelLoadError, SettingsError
from omni_agent.media import Audio
from omni_agent.memory.embed.ge2e import DIM, RATE, WINDOW, Ge2e, mel_power, without_noise
from omni_agent.memory.embed.pooling import agreed, unit
from omni_agent.memory.embed.voice import (
    Ge2eVoice,
    VoiceCalibration,
    VoicePrint,
    identify,
    open_voice_printer,
    pooled,
    print_voice,
)

CALIBRATION = VoiceCalibration(
    mean=np.zeros(4, np.float32),
    noise_seconds=0.0,
    same=0.7,
    different=0.6,
    margin=0.05,
    even=0.65,
    slope=20.0,
    merge_at=0.7,
    merge_noise_seconds=0.0,
)


def voice(*numbers: float, seconds: float = 10.0) -> VoicePrint:
    return VoicePrint(unit(np.array(numbers, np.float32)), seconds)


ANNA, BEN = voice(1, 0, 0, 0), voice(0, 1, 0, 0)


def test_a_voice_is_known_a_stranger_or_neither() -> None:
    people = {"Anna": ANNA, "Ben": BEN}
    known = identify(voice(0.9, 0.1, 0.1, 0), people, CALIBRATION)
    assert (known.verdict, known.person, known.runner_up) == ("known", "Anna", "Ben")
    assert known.log_odds > 3
    assert identify(voice(0.1, 0.1, 1, 0), people, CALIBRATION).verdict == "stranger"
    perhaps = identify(voice(0.65, 0.1, 0.75, 0), people, CALIBRATION)
    assert (perhaps.verdict, perhaps.person) == ("not sure", "Anna")
    assert identify(ANNA, {}, CALIBRATION).verdict == "stranger"


def test_between_two_who_sound_alike_nobody_is_named() -> None:
    twin = voice(1, 0.1, 0, 0)
    match = identify(voice(1, 0.05, 0, 0), {"Anna": ANNA, "her twin": twin}, CALIBRATION)
    assert match.verdict == "not sure"
    assert {match.person, match.runner_up} == {"Anna", "her twin"}


def test_little_or_noisy_speech_is_judged_by_its_worth() -> None:
    noisy = VoicePrint(ANNA.vector, 4.0, clarity=0.5)
    assert noisy.worth == 2.0
    corrected = VoiceCalibration.load(
        Path(__file__).parents[2] / "omni_agent/memory/embed/ge2e.json"
    )
    assert corrected.gain(1.0, 10.0) > corrected.gain(3.0, 10.0) > corrected.gain(30.0, 30.0) > 1
    assert corrected.log_odds(0.9, 1.0) < corrected.log_odds(0.9, 3.0)


def test_what_does_not_sound_like_the_rest_of_a_turn_counts_less() -> None:
    turn = np.stack([ANNA.vector] * 5 + [BEN.vector])
    assert float(agreed(turn) @ ANNA.vector) > float(unit(turn.mean(axis=0)) @ ANNA.vector)
    both = pooled([voice(1, 0.2, 0, 0, seconds=8), voice(1, -0.2, 0, 0, seconds=8)])
    assert both.seconds == 16
    assert float(both.vector @ ANNA.vector) > 0.99
    with pytest.raises(SettingsError):
        pooled([])


def test_a_calibration_is_kept_beside_its_model(tmp_path: Path) -> None:
    CALIBRATION.save(tmp_path / "c.json")
    again = VoiceCalibration.load(tmp_path / "c.json")
    assert again.same == CALIBRATION.same
    assert again.mean.tolist() == CALIBRATION.mean.tolist()
    (tmp_path / "d.json").write_text('{"mean": [1], "colour": 3}')
    with pytest.raises(ModelLoadError, match=r"d\.json"):
        VoiceCalibration.load(tmp_path / "d.json")


# --- the network --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of the real shape with random weights, in the file format of the real one."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    state = {f"lstm.{k}": v for k, v in torch.nn.LSTM(40, 256, 3).state_dict().items()}
    state |= {f"linear.{k}": v for k, v in torch.nn.Linear(256, DIM).state_dict().items()}
    path = tmp_path_factory.mktemp("net") / "drawn.pt"
    saved = {"step": 7, "model_state": state}
    torch.save(saved, path, _use_new_zipfile_serialization=False)
    return path


def torchs_answer(path: Path, stretches: np.ndarray) -> np.ndarray:
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    lstm, linear = torch.nn.LSTM(40, 256, 3, batch_first=True), torch.nn.Linear(256, DIM)
    lstm.load_state_dict({k[5:]: v for k, v in state.items() if k.startswith("lstm.")})
    linear.load_state_dict({k[7:]: v for k, v in state.items() if k.startswith("linear.")})
    level = np.sqrt((stretches.astype(np.float64) ** 2).mean(axis=1, keepdims=True))
    levelled = (stretches * (10 ** (-30 / 20) / level)).astype(np.float32)
    with torch.no_grad():
        hidden = lstm(torch.from_numpy(without_noise(mel_power(levelled))))[1][0][-1]
        raw = torch.relu(linear(hidden)).numpy()
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def some_sound(n: int = 3, samples: int = WINDOW) -> np.ndarray:
    rng = np.random.default_rng(0)
    t = np.arange(samples) / RATE
    hum = [np.sin(2 * np.pi * f * t) * (1 + np.sin(2 * np.pi * 3 * t)) for f in (110, 190, 260)]
    return (0.1 * np.stack(hum[:n]) + rng.normal(0, 0.01, (n, samples))).astype(np.float32)


def test_the_network_gives_what_torch_gives(drawn_net: Path) -> None:
    sound = some_sound()
    assert np.abs(Ge2e(drawn_net)(sound) - torchs_answer(drawn_net, sound)).max() < 1e-5


@pytest.mark.weights
def test_the_real_weights_give_what_torch_gives(packaged: Path) -> None:
    pytest.importorskip("torch")
    sound = some_sound()
    assert np.abs(Ge2e(packaged)(sound) - torchs_answer(packaged, sound)).max() < 1e-5


def test_a_file_that_would_run_something_is_refused(tmp_path: Path) -> None:
    class Burglar:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "was here",))  # type: ignore[return-value]

    bad = tmp_path / "bad.pt"
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    bad.write_bytes(b"".join(pickle.dumps(part, 2) for part in [*head, Burglar()]))
    with pytest.raises(ModelLoadError, match="no tensor needs"):
        Ge2e(bad)
    assert not (tmp_path / "was here").exists()


def test_what_is_no_such_file_or_cut_short_is_named(drawn_net: Path, tmp_path: Path) -> None:
    for name, content in (
        ("empty.pt", b""),
        ("zip.pt", b"PK\3\4" + bytes(100)),
        ("text.pt", b"hello"),
        ("cut.pt", drawn_net.read_bytes()[:500_000]),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelLoadError, match=name):
            open_voice_printer(tmp_path / name)
    with pytest.raises(ModelLoadError, match="cannot be read"):
        open_voice_printer(tmp_path / "missing.pt")
    with pytest.raises(SettingsError, match="bin"):
        open_voice_printer(tmp_path / "other.bin")


def test_a_steady_noise_is_taken_away_and_speech_stays() -> None:
    rng = np.random.default_rng(0)
    bursts = np.where(np.arange(WINDOW) // 3200 % 2, 1.0, 0.0)
    tone = bursts * np.sin(2 * np.pi * 1000 * np.arange(WINDOW) / RATE)
    hiss = rng.normal(0, 0.1, WINDOW)
    mel = mel_power(np.stack([tone + hiss]).astype(np.float32))
    clean = without_noise(mel)
    assert clean[0, 10].sum() < 0.1 * mel[0, 10].sum()  # in a gap
    assert clean[0, 30].sum() > 0.9 * mel[0, 30].sum()  # in a burst


def test_too_little_to_print_is_no_print(drawn_net: Path) -> None:
    printer = Ge2eVoice(drawn_net)
    sound = some_sound(1, 2 * RATE)[0]
    assert print_voice(printer, Audio(sound[: RATE // 2], RATE)) is None
    assert print_voice(printer, Audio(np.zeros(RATE * 2, np.float32), RATE)) is None
    nothing = np.zeros(len(sound), bool)
    assert print_voice(printer, Audio(sound, RATE), nothing) is None
    whole = print_voice(printer, Audio(sound, RATE))
    assert whole is not None
    assert whole.seconds == 2.0
    assert np.isclose(np.linalg.norm(whole.vector), 1.0, atol=1e-5)
    half = print_voice(printer, Audio(sound, RATE), np.arange(len(sound)) < 1.5 * RATE)
    assert half is not None
    assert half.seconds == 1.5


# --- real voices, made with the project's own ---------------------------------------------------


@pytest.fixture(scope="module")
def packaged() -> Path:
    from omni_agent.model.catalog import catalog

    return catalog().ensure("voice-print")["voice-print"]


@pytest.mark.weights
def test_people_are_recognised_strangers_are_not_and_noise_makes_unsure(packaged: Path) -> None:
    from omni_agent.model.catalog import catalog
    from omni_agent.model.compact.voice import Voice

    at = catalog().ensure("kokoro", "kokoro-vocab", "kokoro-voices")
    voice = Voice(at["kokoro"], at["kokoro-vocab"], at["kokoro-voices"])
    printer = open_voice_printer(packaged)
    first = "There is a small library behind the church where they lend out tools and seeds."
    second = "Her flight was three hours late, so we missed the concert."

    def heard(name: str, text: str) -> VoicePrint:
        made = print_voice(printer, voice.speak(text, name))
        assert made is not None
        return made

    people = {name: heard(name, first) for name in ("am_michael", "bf_emma")}
    for name in people:
        match = identify(heard(name, second), people, printer.calibration)
        assert (match.verdict, match.person) == ("known", name)
    for stranger in ("bm_george", "zf_xiaoxiao"):
        match = identify(heard(stranger, second), people, printer.calibration)
        assert match.verdict != "known"
    rng = np.random.default_rng(0)
    said = voice.speak(second, "am_michael")
    level = float(np.sqrt(np.mean(said.samples**2)))
    for db, verdicts in ((15, {"known"}), (-5, {"not sure", "stranger", "known"})):
        noise = rng.normal(0, level * 10 ** (-db / 20), len(said.samples)).astype(np.float32)
        print_ = print_voice(printer, Audio(said.samples + noise, said.rate))
        assert print_ is not None
        match = identify(print_, people, printer.calibration)
        assert match.verdict in verdicts
        assert match.person == "am_michael" or match.verdict != "known"
