"""Prints and portraits encrypted at rest: with a key in the keyring, or in a file one chose."""

from __future__ import annotations

import base64
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bytes_on_disk import holds
from made_prints import FACES, VOICES, face, portrait, voice

from omni_agent.errors import MemorySealed, MissingExtra, SettingsError
from omni_agent.memory import Memory
from omni_agent.memory.people import Person

keyring = pytest.importorskip("keyring")
pytest.importorskip("cryptography")


class KeptInMemory(keyring.backend.KeyringBackend):
    """A keyring like that of a desktop, but in this process."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def ring() -> Iterator[KeptInMemory]:
    before = keyring.get_keyring()
    ring = KeptInMemory()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


@pytest.fixture
def no_ring() -> Iterator[None]:
    from keyring.backends import fail

    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


PLAIN = [
    voice("Anna").vector.tobytes(), face("Anna").vector.tobytes(),
    portrait("Anna").to_jpeg()[600:700],
]  # fmt: skip


def meet(memory: Memory) -> Person:
    anna = memory.people.add("Anna")
    memory.people.enrol(anna, voice("Anna"), VOICES)
    memory.people.enrol(anna, face("Anna"), FACES, picture=portrait("Anna"))
    return anna


def test_what_is_sealed_cannot_be_read_on_the_disk(tmp_path: Path, letters, ring) -> None:
    with Memory(tmp_path, embedder=letters, encrypt="keyring") as memory:
        anna = meet(memory)
        assert holds(tmp_path, *PLAIN) == []
        assert memory.people.identify_voice(voice("Anna", 1), VOICES).person == anna
        assert memory.people.identify_face(face("Anna", 1), FACES).person == anna
        shown = memory.people.portrait(anna)
        assert shown is not None
        assert shown.size == portrait("Anna").size
    (secret,) = ring.kept.values()
    assert holds(tmp_path, secret.encode(), base64.b64decode(secret)) == []
    with Memory(tmp_path, embedder=letters) as memory:
        assert memory.people.identify_voice(voice("Anna", 1), VOICES).person == anna


def test_what_lay_open_is_sealed_when_sealing_is_switched_on(tmp_path, letters, ring) -> None:
    with Memory(tmp_path, embedder=letters) as memory:
        anna = meet(memory)
        assert len(holds(tmp_path, *PLAIN)) >= 2
    with Memory(tmp_path, embedder=letters, encrypt="keyring") as memory:
        assert holds(tmp_path, *PLAIN) == []
        assert memory.people.identify_face(face("Anna", 1), FACES).person == anna
        assert memory.people.portrait(anna) is not None
    assert holds(tmp_path, *PLAIN) == []


def test_sealing_that_was_killed_half_way_is_finished_at_the_next_start(
    tmp_path, letters, ring
) -> None:
    with Memory(tmp_path, embedder=letters) as memory:
        anna = meet(memory)
    from omni_agent.memory.sealing import Sealing
    from omni_agent.memory.store import Store

    store = Store(tmp_path)
    Sealing(store).switch_on("keyring", tmp_path)  # and no further: pictures lie open
    store.close()
    assert holds(tmp_path, PLAIN[2])
    with Memory(tmp_path, embedder=letters) as memory:
        assert holds(tmp_path, *PLAIN) == []
        assert memory.people.portrait(anna) is not None


def test_without_its_key_a_memory_has_words_and_no_faces(tmp_path, letters, ring) -> None:
    with Memory(tmp_path, embedder=letters, encrypt="keyring") as memory:
        anna = meet(memory)
        memory.remember("The spare key is under the pot.")
    ring.kept.clear()
    with Memory(tmp_path, embedder=letters) as memory:
        assert memory.recall("spare key")
        assert memory.people.all() == (anna,)
        for call in (
            lambda: memory.people.portrait(anna),
            lambda: memory.people.identify_voice(voice("Anna"), VOICES),
            lambda: memory.people.enrol(anna, voice("Anna", 2), VOICES),
            lambda: memory.people.export(anna, tmp_path.parent / "out"),
        ):
            with pytest.raises(MemorySealed, match="not in the keyring"):
                call()
        assert memory.forget(anna) == ()
        assert memory.people.all() == ()
    with pytest.raises(MemorySealed, match="not in the keyring"):
        Memory(tmp_path, embedder=letters, encrypt="keyring").count()


def test_no_keyring_says_what_to_do_and_changes_nothing(tmp_path, letters, no_ring) -> None:
    with Memory(tmp_path, embedder=letters) as memory:
        anna = meet(memory)
    with pytest.raises(MemorySealed, match=r"encrypt=Path"):
        Memory(tmp_path, embedder=letters, encrypt="keyring").count()
    with Memory(tmp_path, embedder=letters) as memory:
        assert memory.people.identify_voice(voice("Anna", 1), VOICES).person == anna


def test_a_keyring_that_forgets_is_not_trusted(tmp_path, letters, ring) -> None:
    ring.set_password = lambda *_: None
    with pytest.raises(MemorySealed, match="did not keep"):
        Memory(tmp_path, embedder=letters, encrypt="keyring").count()


@pytest.mark.parametrize(("lacking", "named"), [("keyring", "keyring"), ("cryptography", None)])
def test_a_missing_package_is_named(tmp_path, letters, ring, monkeypatch, lacking, named) -> None:
    for module in [m for m in sys.modules if m.split(".")[0] == lacking]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, lacking, None)
    with pytest.raises(MissingExtra, match=rf"{lacking}.*omni-agent\[private\]"):
        Memory(tmp_path, embedder=letters, encrypt="keyring").count()


def test_a_key_file_that_was_chosen_serves_too(tmp_path: Path, letters, no_ring) -> None:
    folder, key = tmp_path / "memory", tmp_path / "stick" / "key"
    key.parent.mkdir()
    with Memory(folder, embedder=letters, encrypt=key) as memory:
        anna = meet(memory)
    assert holds(folder, *PLAIN) == []
    if sys.platform != "win32":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with Memory(folder, embedder=letters) as memory:
        assert memory.people.identify_voice(voice("Anna", 1), VOICES).person == anna
    moved = key.rename(tmp_path / "moved")
    with Memory(folder, embedder=letters) as memory:
        with pytest.raises(MemorySealed, match="is not there"):
            memory.people.portrait(anna)
    with Memory(folder, embedder=letters, encrypt=moved) as memory:
        assert memory.people.portrait(anna) is not None
    with Memory(folder, embedder=letters) as memory:
        assert memory.people.portrait(anna) is not None, "where it is now is remembered"


def test_a_key_file_that_cannot_serve_is_refused(tmp_path: Path, letters, no_ring) -> None:
    folder = tmp_path / "memory"
    with pytest.raises(SettingsError, match="lies in the memory"):
        Memory(folder, embedder=letters, encrypt=folder / "key").count()
    (tmp_path / "bad").write_text("no key")
    (tmp_path / "bad").chmod(0o600)
    with pytest.raises(SettingsError, match="32 bytes"):
        Memory(folder, embedder=letters, encrypt=tmp_path / "bad").count()
    if sys.platform != "win32":
        (tmp_path / "bad").chmod(0o644)
        with pytest.raises(SettingsError, match="chmod 600"):
            Memory(folder, embedder=letters, encrypt=tmp_path / "bad").count()
    with Memory(folder, embedder=letters, encrypt=tmp_path / "good") as memory:
        anna = meet(memory)
    (tmp_path / "another").write_text(base64.b64encode(bytes(32)).decode())
    (tmp_path / "another").chmod(0o600)
    with pytest.raises(MemorySealed, match="not the one"):
        Memory(folder, embedder=letters, encrypt=tmp_path / "another").count()
    with Memory(folder, embedder=letters) as memory:
        assert memory.people.portrait(anna) is not None


def test_what_was_swapped_or_altered_does_not_open(tmp_path: Path, letters, ring) -> None:
    with Memory(tmp_path, embedder=letters, encrypt="keyring") as memory:
        anna = meet(memory)
        eve = memory.people.add("Eve")
        memory.people.enrol(eve, face("Eve"), FACES, picture=portrait("Eve"))
        one, other = sorted((tmp_path / "pictures").iterdir())
        swapped = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(swapped[:-1] + bytes([swapped[-1] ^ 1]))
        for person in (anna, eve):
            with pytest.raises(MemorySealed, match="damaged or put there"):
                memory.people.portrait(person)
