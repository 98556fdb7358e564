"""The index on a Chroma server of its own: one that is started here, stopped, and started again."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import chromadb
import httpx
import pytest

from omni_agent.errors import MemoryInUse, MemoryServerAway, SettingsError
from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.indexer import AWAY


class Server:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [Path(sys.executable).with_name("chroma"), "run", "--path", self._folder,
             "--host", "127.0.0.1", "--port", str(self.port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                httpx.get(f"{self.url}/api/v2/heartbeat").raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.05)
        pytest.fail("chroma run did not start within 30 s")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def vectors(self, tenant: str) -> dict[str, int]:
        """How many there are in the collections of all of a tenant's databases."""
        admin = chromadb.HttpClient("127.0.0.1", self.port)._admin_client
        found = {}
        for database in admin.list_databases(tenant=tenant):
            client = chromadb.HttpClient(
                "127.0.0.1", self.port, tenant=tenant, database=database["name"]
            )
            found |= {f"{database['name']}/{c.name}": c.count() for c in client.list_collections()}
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("chroma"))
    yield started
    started.stop()


def say(memory: Memory, *texts: str) -> list[str]:
    return [
        memory.record_turn(
            TurnRecord(conversation="c", agent="a", turn=n, user=text, reply="")
        )[0]
        for n, text in enumerate(texts)
    ]  # fmt: skip


def test_what_is_indexed_on_a_server_is_found_after_a_restart(
    tmp_path: Path, letters, server: Server
) -> None:
    with Memory(tmp_path / "m", embedder=letters, url=server.url, user="anna.one") as memory:
        say(memory, "figs and dates", "a blue bicycle")
        assert memory.flush(30)
        assert list(server.vectors("anna.one").values()) == [2]
        assert not (tmp_path / "m" / "index").exists()
    server.stop()
    server.start()
    with Memory(tmp_path / "m", embedder=letters, url=server.url, user="anna.one") as memory:
        assert memory.flush(30)
        assert not memory.notes
        near = memory._use().indexer.nearest
        question = memory._embedding.query("blue bicycle")
        assert question is not None
        found = near(["episode"], question[1], 1, model=question[0])
        assert [m.text for m in memory.get(*found).values()] == ["a blue bicycle"]
        assert [m.text for m in memory.recall("bicycle", limit=1)] == ["a blue bicycle"]


def test_users_and_folders_on_one_server_see_nothing_of_each_other(
    tmp_path: Path, letters, server: Server
) -> None:
    options = {"embedder": letters, "url": server.url}
    with (
        Memory(tmp_path / "a", user="ada", **options) as ada,
        Memory(tmp_path / "b", user="ada", **options) as second,
        Memory(tmp_path / "c", user="bob", **options) as bob,
    ):
        say(ada, "I grow figs", "I grow dates")
        say(second, "I grow plums")
        say(bob, "I grow pears", "I grow quinces", "I grow hops")
        for memory in (ada, second, bob):
            assert memory.flush(30)
        assert sorted(server.vectors("ada").values()) == [1, 2]
        assert list(server.vectors("bob").values()) == [3]
        assert {m.text for m in ada.recall("grow", limit=10)} == {"I grow figs", "I grow dates"}
        assert {m.text for m in second.recall("grow", limit=10)} == {"I grow plums"}


def test_what_is_forgotten_is_deleted_on_the_server(tmp_path: Path, letters, server) -> None:
    with Memory(tmp_path / "m", embedder=letters, url=server.url, user="eve") as memory:
        secret, _ = say(memory, "the code is quizzical", "a blue bicycle")
        assert memory.flush(30)
        before = set(server.vectors("eve"))
        memory.forget(secret)
        assert memory.flush(30)
        assert list(server.vectors("eve").values()) == [1]
        assert not before & set(server.vectors("eve")), "the old collection is gone"


def test_a_server_that_is_away_is_named_and_nothing_is_made(tmp_path: Path, letters) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(MemoryServerAway, match=rf"{url}.*chroma run"):
        Memory(tmp_path, embedder=letters, url=url).count()
    assert not list(tmp_path.glob("server-index*"))
    with Memory(tmp_path, embedder=letters) as memory:  # and nobody holds the folder
        assert memory.count() == 0


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://host",
        "http://",
        "http://h:port",
        "http://h:8000/api/v2",
        "http://me:pw@h",
    ],
)
def test_what_is_no_address_is_said_so(tmp_path: Path, letters, url: str) -> None:
    with pytest.raises(SettingsError, match="no address"):
        Memory(tmp_path, embedder=letters, url=url).count()


@pytest.mark.parametrize("user", ["", "ab", "../x", "a b c", "anna@example.org", "好名字"])
def test_a_user_that_can_be_no_tenant_is_said_so(tmp_path: Path, letters, user: str) -> None:
    with pytest.raises(SettingsError, match="tenant"):
        Memory(tmp_path, embedder=letters, url="http://127.0.0.1:1", user=user).count()


def test_a_server_that_dies_in_a_call_costs_no_turn_and_comes_back(
    tmp_path: Path, letters, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omni_agent.memory.indexer.AWAY", 0.2)
    with Memory(tmp_path, embedder=letters, url=server.url, user="dora") as memory:
        say(memory, "figs and dates")
        assert memory.flush(30)
        server.stop()
        try:
            say(memory, "a blue bicycle")
            memory.flush(30)
            began = time.monotonic()
            assert [m.text for m in memory.recall("figs", limit=1)] == ["figs and dates"]
            assert [m.text for m in memory.recall("bicycle", limit=1)] == ["a blue bicycle"]
            assert time.monotonic() - began < AWAY
            assert any("cannot be reached" in note or "no Chroma" in note for note in memory.notes)
        finally:
            server.start()
        until = time.monotonic() + 30
        while list(server.vectors("dora").values()) != [2] and time.monotonic() < until:
            time.sleep(0.1)
        assert list(server.vectors("dora").values()) == [2]
        assert memory._use().vectors.generation() == 2, "the index was not made anew"


def test_a_memory_moves_to_a_server_and_back_without_its_model(
    tmp_path: Path, letters, server: Server
) -> None:
    with Memory(tmp_path, embedder=letters) as memory:
        say(memory, "figs and dates", "a blue bicycle")
        assert memory.flush(30)
    letters.passage = lambda texts: pytest.fail("a vector that is kept was made again")
    for options in ({"url": server.url, "user": "moving"}, {}):
        with Memory(tmp_path, embedder=letters, **options) as memory:
            assert memory.flush(30)
            assert not memory.notes
            parts = memory._use()
            assert parts.indexer._serving[1].counts() == {"episode": 2}
            assert bool(list(tmp_path.glob("index/*"))) == (not options)


def test_the_folder_belongs_to_one_process_on_a_server_too(
    tmp_path: Path, letters, server: Server
) -> None:
    with Memory(tmp_path, embedder=letters, url=server.url) as memory:
        memory.count()
        with pytest.raises(MemoryInUse, match="in use by process"):
            Memory(tmp_path, embedder=letters, url=server.url).count()
