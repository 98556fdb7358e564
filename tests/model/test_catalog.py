"""The catalog brings model files from a hub or a folder, whole and right, whatever goes wrong."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalog_stand_ins import StandIn, artifact, file, listing, sha256

from omni_agent.errors import CatalogError, DiskFull, DownloadFailed, UnknownArtifact
from omni_agent.model import partial
from omni_agent.model.catalog import Catalog
from omni_agent.model.sources import Hub, Web
from omni_agent.settings import Settings

DATA = random.Random(1).randbytes(3_000_000)
URL = "/org/repo/resolve/abc/model.bin"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    for name in ("HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "OMNI_AGENT_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with StandIn().running() as server:
        server.files[URL] = DATA
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def make(tmp_path: Path, *, local: Path | None = None, offline: bool = False) -> Catalog:
    return Catalog(
        listing(tmp_path / "list.toml", artifact("ears", file("model.bin", DATA, hub=True))),
        settings=Settings(cache_dir=tmp_path / "cache", local_models=local, offline=offline),
        web=Web(pause=0.01),
    )


def left_behind(tmp_path: Path) -> list[str]:
    found = (tmp_path / "cache").rglob("*")
    return sorted(path.name for path in found if path.is_file() and path.suffix != ".lock")


def test_a_file_of_the_hub_is_fetched_once_and_then_found(hub: StandIn, tmp_path: Path) -> None:
    hub.files["/unused"] = b""
    paths = make(tmp_path).ensure("ears")
    assert paths["ears"].read_bytes() == DATA
    assert make(tmp_path).pull("set")[0].sources == ()
    assert hub.requests == [(URL, None)]


def test_the_hub_token_is_sent(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf/token").write_text("hf_secret\n")
    make(tmp_path).ensure("ears")
    assert hub.tokens == ["Bearer hf_secret"]


def test_a_cut_connection_goes_on_where_it_stopped(hub: StandIn, tmp_path: Path) -> None:
    hub.cut_after = [1_000_000, 500_000]
    assert make(tmp_path).ensure("ears")["ears"].read_bytes() == DATA
    assert [asked for _, asked in hub.requests] == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_server_without_ranges_is_read_from_the_start(hub: StandIn, tmp_path: Path) -> None:
    hub.cut_after, hub.ignores_range = [1_000_000], True
    assert make(tmp_path).ensure("ears")["ears"].read_bytes() == DATA


def test_a_killed_pull_goes_on_where_it_stopped(hub: StandIn, tmp_path: Path) -> None:
    hub.seconds_per_block = 0.02
    begun = _pull_elsewhere(make(tmp_path))
    growing = tmp_path / "cache/models/.partial/ears/model.bin"
    while not growing.exists() or growing.stat().st_size < 300_000:
        assert begun.poll() is None
        time.sleep(0.01)
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    assert not (tmp_path / "cache/models/ears/model.bin").exists()
    size, hub.seconds_per_block = growing.stat().st_size, 0.0
    assert make(tmp_path).ensure("ears")["ears"].read_bytes() == DATA
    assert hub.requests[-1] == (URL, f"bytes={size}-")


def test_two_processes_at_once_fetch_it_once(hub: StandIn, tmp_path: Path) -> None:
    hub.seconds_per_block = 0.01
    both = [_pull_elsewhere(make(tmp_path)) for _ in range(2)]
    assert [process.wait(30) for process in both] == [0, 0]
    assert hub.requests == [(URL, None)]
    assert make(tmp_path).path("ears").read_bytes() == DATA


def test_two_threads_at_once_fetch_it_once(hub: StandIn, tmp_path: Path) -> None:
    catalog = make(tmp_path)
    threads = [threading.Thread(target=catalog.ensure, args=("ears",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hub.requests) == 1


def test_wrong_bytes_leave_nothing_and_are_named(hub: StandIn, tmp_path: Path) -> None:
    lie = DATA[:-1] + b"!"
    hub.files[URL] = lie
    with pytest.raises(DownloadFailed) as failure:
        make(tmp_path).ensure("ears")
    assert sha256(lie) in str(failure.value)
    assert sha256(DATA) in str(failure.value)
    assert left_behind(tmp_path) == []


def test_a_beginning_from_a_lying_source_does_not_spoil_a_true_one(
    hub: StandIn, tmp_path: Path
) -> None:
    staging = tmp_path / "cache/models/.partial/ears"
    staging.mkdir(parents=True)
    (staging / "model.bin").write_bytes(b"?" * 1000)
    assert make(tmp_path).ensure("ears")["ears"].read_bytes() == DATA
    assert [asked for _, asked in hub.requests] == ["bytes=1000-", None]


@pytest.mark.parametrize("stated", [10, 3_000_001])
def test_a_stated_length_that_is_not_the_catalogs_is_refused(
    hub: StandIn, tmp_path: Path, stated: int
) -> None:
    hub.stated_length = stated
    with pytest.raises(DownloadFailed, match=f"states {stated:,} bytes, the catalog 3,000,000"):
        make(tmp_path).ensure("ears")
    assert left_behind(tmp_path) == []


def test_a_source_that_never_ends_is_stopped_at_the_stated_size(
    hub: StandIn, tmp_path: Path
) -> None:
    hub.files[URL], hub.chunked = DATA + DATA, True
    with pytest.raises(DownloadFailed, match="more than the 3,000,000 bytes"):
        make(tmp_path).ensure("ears")
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("status", [401, 404, 503])
def test_a_refusal_is_told_with_its_status(hub: StandIn, tmp_path: Path, status: int) -> None:
    hub.status = status
    with pytest.raises(DownloadFailed, match=f"HTTP {status}"):
        make(tmp_path).ensure("ears")
    assert left_behind(tmp_path) == []


def test_a_hub_out_of_reach_is_asked_once_per_process(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    entries = [artifact(name, file("model.bin", DATA, hub=True)) for name in ("one", "two")]
    catalog = Catalog(
        listing(tmp_path / "list.toml", *entries), settings=Settings(cache_dir=tmp_path / "cache")
    )
    for name in ("one", "two"):
        with pytest.raises(DownloadFailed, match=r"127\.0\.0\.1:9 cannot be reached"):
            catalog.ensure(name)
    assert list(catalog._web._unreachable) == ["127.0.0.1:9"]


def test_a_folder_of_the_users_comes_before_any_download(hub: StandIn, tmp_path: Path) -> None:
    mine = tmp_path / "mine/ears"
    mine.mkdir(parents=True)
    (mine / "model.bin").write_bytes(DATA)
    catalog = make(tmp_path, local=tmp_path / "mine", offline=True)
    assert catalog.ensure("ears")["ears"].read_bytes() == DATA
    assert hub.requests == []
    catalog.remove("ears")
    assert (mine / "model.bin").read_bytes() == DATA


def test_a_wrong_file_in_the_users_folder_is_passed_over(hub: StandIn, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "model.bin").write_bytes(DATA[:-1])
    assert make(tmp_path, local=mine).ensure("ears")["ears"].read_bytes() == DATA
    assert len(hub.requests) == 1


def test_what_the_hubs_own_tools_have_fetched_is_used(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = tmp_path / "hf/hub/models--org--repo"
    (repo / "blobs").mkdir(parents=True)
    (repo / "blobs/1").write_bytes(DATA)
    (repo / "snapshots/other").mkdir(parents=True)
    (repo / "snapshots/other/model.bin").symlink_to("../../blobs/1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    path = make(tmp_path).ensure("ears")["ears"]
    assert path.read_bytes() == DATA
    assert not path.is_symlink()
    assert hub.requests == []


@pytest.mark.parametrize("how", ["hub", "settings"])
def test_offline_fetches_nothing_and_says_why(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "hub":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadFailed, match=r"OFFLINE is set[\s\S]*OMNI_AGENT_MODELS=/folder"):
        make(tmp_path, offline=how == "settings").ensure("ears")
    assert hub.requests == []


def test_a_full_disk_is_told_before_anything_is_fetched(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: _Usage)
    with pytest.raises(DiskFull, match="needs 3,000,000 more bytes and has 1,234 free"):
        make(tmp_path).ensure("ears")
    assert hub.requests == []


def test_a_disk_that_fills_up_meanwhile_keeps_nothing(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Small:
        def __init__(self, *args: object, **options: object) -> None:
            self._file = open(*args, **options)  # noqa: SIM115
            self.close, self.seek = self._file.close, self._file.seek
            self.read, self.truncate = self._file.read, self._file.truncate

        def write(self, block: bytes) -> int:
            if self._file.tell() > 500_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self._file.write(block)

    monkeypatch.setattr(partial, "open", Small, raising=False)
    with pytest.raises(DiskFull, match="OMNI_AGENT_CACHE_DIR"):
        make(tmp_path).ensure("ears")
    assert left_behind(tmp_path) == []


def test_a_changed_file_counts_as_missing_and_is_fetched_again(
    hub: StandIn, tmp_path: Path
) -> None:
    catalog = make(tmp_path)
    path = catalog.ensure("ears")["ears"]
    path.write_bytes(b"x" * len(DATA))
    with pytest.raises(DownloadFailed, match="omni-agent models pull ears"):
        catalog.path("ears")
    assert catalog.ensure("ears")["ears"].read_bytes() == DATA


def test_verify_finds_what_size_and_time_hide(hub: StandIn, tmp_path: Path) -> None:
    catalog = make(tmp_path)
    path = catalog.ensure("ears")["ears"]
    assert [check.problem for check in catalog.verify()] == [None]
    times = path.stat()
    path.write_bytes(b"x" * len(DATA))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    (check,) = catalog.verify("ears")
    assert check.problem is not None
    assert sha256(DATA) in check.problem
    assert not catalog.installed(catalog.get("ears"))


def test_files_copied_in_by_hand_are_taken_if_right(hub: StandIn, tmp_path: Path) -> None:
    catalog = make(tmp_path)
    (tmp_path / "cache/models/ears").mkdir(parents=True)
    (tmp_path / "cache/models/ears/model.bin").write_bytes(DATA)
    assert catalog.path("ears").read_bytes() == DATA
    assert hub.requests == []


@pytest.mark.parametrize("stamp", ["", "[]", "{", '{"model.bin": 1}'])
def test_a_damaged_stamp_costs_a_hash_and_no_download(
    hub: StandIn, tmp_path: Path, stamp: str
) -> None:
    make(tmp_path).ensure("ears")
    (tmp_path / "cache/models/.stamps/ears.json").write_text(stamp)
    assert make(tmp_path).ensure("ears")["ears"].read_bytes() == DATA
    assert len(hub.requests) == 1


def test_a_cache_folder_that_is_a_file_is_named(hub: StandIn, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    assert not make(tmp_path).installed(make(tmp_path).get("ears"))
    with pytest.raises(CatalogError, match="cannot be written to"):
        make(tmp_path).ensure("ears")


def test_remove_frees_the_bytes(hub: StandIn, tmp_path: Path) -> None:
    catalog = make(tmp_path)
    catalog.ensure("ears")
    assert catalog.remove("ears") == len(DATA)
    assert left_behind(tmp_path) == []


def test_an_unknown_name_gets_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UnknownArtifact, match="did you mean 'ears'"):
        make(tmp_path).ensure("eers")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ('[[artifact]]\nname = "x"', "has no 'role'"),
        (artifact("x", file("../y", b"")), "no plain file name"),
        (artifact("x", file("y", b"", more="parts = [{ bytes = 3 }]")), "do not add up"),
        (artifact("x", file("y", b"", more='package = "pypi:a>=1"\nmember = "m"')), "no pinned"),
        (artifact("x", file("y", b"")) * 2, "twice"),
        (artifact("x", file("y", b"", more="parts = [[]]")), "wrong type"),
        ("=", "cannot be read"),
    ],
)
def test_a_wrong_listing_is_refused_by_name(tmp_path: Path, wrong: str, told: str) -> None:
    with pytest.raises(CatalogError, match=told):
        Catalog(listing(tmp_path / "list.toml", wrong), settings=Settings(cache_dir=tmp_path))


def test_the_packages_own_catalog_is_sound() -> None:
    catalog = Catalog(settings=Settings(), hub=Hub.from_environment({}))
    compact = {artifact.name: artifact for artifact in catalog.groups["compact"]}
    assert {"whisper-base", "thinker-1.5b", "kokoro", "kokoro-voices"} <= set(compact)
    assert len(compact["kokoro-voices"].files) == 54
    assert all(file.bytes == 510 * 256 * 4 for file in compact["kokoro-voices"].files)
    assert all(file.parts for artifact in catalog.artifacts for file in artifact.files)


class _Usage:
    free = 1234


def _pull_elsewhere(catalog: Catalog) -> subprocess.Popen[bytes]:
    cache = catalog.settings.cache_dir
    code = (
        "from pathlib import Path; from omni_agent.model.catalog import Catalog\n"
        f"Catalog(Path({str(cache.parent / 'list.toml')!r})).ensure('ears')"
    )
    environment = {**os.environ, "OMNI_AGENT_CACHE_DIR": str(cache)}
    return subprocess.Popen([sys.executable, "-c", code], env=environment)
