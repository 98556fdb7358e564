"""The voices of a checkpoint, from a file that cannot run anything."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra qwen")

from omni_agent.errors import ModelLoadError, UnsupportedInput
from omni_agent.model.qwen.voices import read_speakers


def test_voices_are_found_by_name_in_any_case(tiny: Path) -> None:
    speakers = read_speakers(tiny / "spk_dict.pt")
    assert list(speakers) == ["Chelsie", "Ethan"]
    assert speakers.default.name == "Chelsie"
    assert "ETHAN" in speakers
    ethan = speakers["ethan"]
    assert (ethan.name, ethan.bos_token) == ("Ethan", 151870)
    assert ethan.cond.shape == (1, 192)
    assert ethan.ref_mel.shape == (1, 200, 80)
    assert ethan.cond.dtype == ethan.ref_mel.dtype == torch.float32


def test_an_unknown_voice_is_told_which_there_are(tiny: Path) -> None:
    with pytest.raises(UnsupportedInput, match="no voice 'Alice'; it has: Chelsie, Ethan"):
        read_speakers(tiny / "spk_dict.pt")["Alice"]


def test_the_first_voice_is_the_default_where_chelsie_is_not(tmp_path: Path) -> None:
    voice = {"bos_token": torch.tensor(7), "cond": torch.zeros(1, 192).half()}
    torch.save({"Ann": voice | {"ref_mel": torch.zeros(1, 5, 80)}}, tmp_path / "own.pt")
    default = read_speakers(tmp_path / "own.pt").default
    assert (default.name, default.bos_token, default.cond.dtype) == ("Ann", 7, torch.float32)


class Malice:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))


def test_nothing_in_the_file_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"Eve": Malice()}, tmp_path / "evil.pt")
    with pytest.raises(ModelLoadError, match="cannot be read as voices"):
        read_speakers(tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Malice()))
    with pytest.raises(ModelLoadError, match="cannot be read as voices"):
        read_speakers(tmp_path / "plain.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as voices"),
        (b"not a torch file", "cannot be read as voices"),
        ({}, "holds no voices"),
        ([1], "holds no voices"),
        ({"Ann": {"bos_token": 1}}, "voice 'Ann' in .* is incomplete: KeyError"),
        ({"Ann": 3}, "voice 'Ann' in .* is incomplete"),
        (
            {"Ann": {"bos_token": 1, "cond": torch.zeros(192), "ref_mel": torch.zeros(1, 2, 80)}},
            r"cond \(192,\) and ref_mel \(1, 2, 80\)",
        ),
    ],
)
def test_a_file_without_voices_is_said(tmp_path: Path, content: Any, words: str) -> None:
    path = tmp_path / "spk_dict.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ModelLoadError, match=words):
        read_speakers(path)
    with pytest.raises(ModelLoadError):
        read_speakers(tmp_path / "nowhere.pt")
