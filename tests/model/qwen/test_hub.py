"""A published model is found by its name: in a folder, in the hub's cache, or at the hub."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra qwen")
pytest.importorskip("transformers", reason="needs the extra qwen")
from hub_stand_in import HubStandIn

from omni_agent.errors import DiskFull, DownloadFailed, ModelLoadError, UnknownModel
from omni_agent.model.artifacts import Artifact
from omni_agent.model.qwen.hub import find_checkpoint
from omni_agent.model.qwen.published import PUBLISHED

NAME = "qwen2.5-omni-3b"
MODEL = PUBLISHED[NAME]


class Watch:
    """What a download reports."""

    def __init__(self) -> None:
        self.artifacts: list[Artifact] = []
        self.bytes: list[int] = []
        self.ended = False

    def plan(self, artifacts: Sequence[Artifact]) -> None:
        self.artifacts += artifacts

    def advance(self, artifact: Artifact, done: int) -> None:
        self.bytes.append(done)

    def note(self, artifact: Artifact, text: str) -> None:
        raise AssertionError(text)

    def end(self, artifact: Artifact) -> None:
        self.ended = True


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "OMNI_AGENT_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "hf" / "hub"


@pytest.fixture
def hub(cache: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    """The tiny checkpoint, published under the name of a large one."""
    with HubStandIn(MODEL.repo, MODEL.revision).running() as stand_in:
        stand_in.files = {file.name: file.read_bytes() for file in tiny.iterdir()}
        stand_in.files |= {"README.md": b"# A model", "demo.mp4": b"x" * 1000}
        monkeypatch.setenv("HF_ENDPOINT", stand_in.url)
        yield stand_in


def snapshot(cache: Path) -> Path:
    return cache / "models--Qwen--Qwen2.5-Omni-3B" / "snapshots" / MODEL.revision


def test_it_is_fetched_once_at_the_pinned_revision(hub: HubStandIn, cache: Path) -> None:
    watch = Watch()
    checkpoint = find_checkpoint("Qwen2.5-Omni-3B", watch)
    assert checkpoint.folder == snapshot(cache)
    assert checkpoint.config().talker_config.hidden_size == 48
    wanted = sum(len(b) for n, b in hub.files.items() if n not in ("README.md", "demo.mp4"))
    assert [artifact.bytes for artifact in watch.artifacts] == [wanted]
    assert watch.bytes == sorted(watch.bytes)
    assert watch.bytes[-1] == wanted
    assert len(watch.bytes) > len(hub.files)
    assert watch.ended
    assert not (snapshot(cache) / "demo.mp4").exists()
    assert hub.tokens == {None}
    hub.asked.clear()
    again = Watch()
    assert find_checkpoint(NAME, again).folder == snapshot(cache)
    assert hub.asked == []
    assert again.artifacts == []


def test_a_token_is_shown_to_the_hub(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    find_checkpoint(NAME)
    assert hub.tokens == {"Bearer hf_secret"}


def test_only_what_is_missing_is_fetched(hub: HubStandIn, cache: Path) -> None:
    find_checkpoint(NAME)
    (snapshot(cache) / "spk_dict.pt").unlink()
    hub.asked.clear()
    find_checkpoint(NAME).speakers_file()
    assert [path for method, path in hub.asked if method == "GET" and "/resolve/" in path] == []
    shutil.rmtree(cache / "models--Qwen--Qwen2.5-Omni-3B" / "blobs")
    shutil.rmtree(snapshot(cache))
    find_checkpoint(NAME)
    assert ("GET", f"/{MODEL.repo}/resolve/{MODEL.revision}/spk_dict.pt") in hub.asked


def test_a_broken_connection_is_taken_up_where_it_broke(hub: HubStandIn, cache: Path) -> None:
    hub.cut_after = [0, 100]
    checkpoint = find_checkpoint(NAME)
    for name in ("config.json", "model.safetensors"):
        assert (checkpoint.folder / name).read_bytes() == hub.files[name]


def test_offline_nothing_is_asked(
    hub: HubStandIn, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HF_HUB_OFFLINE", "OMNI_AGENT_OFFLINE"):
        with monkeypatch.context() as patch:
            patch.setenv(variable, "1")
            with pytest.raises(DownloadFailed, match=f"{variable} is set.*there is no folder"):
                find_checkpoint(NAME)
    assert hub.asked == []


def test_offline_what_is_in_the_cache_is_used(
    cache: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    shutil.copytree(tiny, snapshot(cache), copy_function=lambda a, b: Path(b).symlink_to(a))
    assert find_checkpoint(NAME).folder == snapshot(cache)
    (snapshot(cache) / "spk_dict.pt").unlink()
    with pytest.raises(DownloadFailed, match=r"copy there: .* no spk_dict\.pt"):
        find_checkpoint(NAME)


def test_a_folder_of_ones_own_comes_first(
    hub: HubStandIn, copy_of_tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (NAME, "Qwen2.5-Omni-3B"):
        own = copy_of_tiny.parent / "models" / name
        own.parent.mkdir(exist_ok=True)
        own.symlink_to(copy_of_tiny)
        monkeypatch.setenv("OMNI_AGENT_MODELS", str(own.parent))
        assert find_checkpoint(NAME).folder == own
        own.unlink()
    assert hub.asked == []


def test_what_the_hub_says_is_told(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.status = 403
    with pytest.raises(
        DownloadFailed, match=r"(?s)Qwen/Qwen2\.5-Omni-3B at f75b40e3.* 403 .*copy of"
    ):
        find_checkpoint(NAME)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadFailed, match=r"could not be fetched from http://127\.0\.0\.1:9: "):
        find_checkpoint(NAME)


def test_a_full_disk_is_said_before_anything_is_fetched(
    hub: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 5000, 5000))
    with pytest.raises(DiskFull, match=r"MB to fetch, 5\.0 kB free.*HF_HOME"):
        find_checkpoint(NAME)
    assert not any("/resolve/" in path for _, path in hub.asked)


def test_a_folder_is_opened_as_it_is(copy_of_tiny: Path) -> None:
    assert find_checkpoint(copy_of_tiny).folder == copy_of_tiny
    assert find_checkpoint(str(copy_of_tiny)).folder == copy_of_tiny


def test_what_is_neither_name_nor_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match=r"qwen2\.5-omni-70b is neither a folder"):
        find_checkpoint("qwen2.5-omni-70b")
    with pytest.raises(ModelLoadError, match="there is no folder"):
        find_checkpoint(tmp_path / "nowhere")
