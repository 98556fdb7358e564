"""Who is forgotten is gone, byte by byte; who did not agree is let go; what is kept can be had."""

from __future__ import annotations

import json
import random
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from bytes_on_disk import holds
from made_prints import FACES, VOICES, face, portrait, voice

from omni_agent.errors import SettingsError
from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.people import Person

NAME = "Zanzibarine"


def forms(text: str) -> list[bytes]:
    return [f.encode(e) for f in (text, text.lower(), text.upper()) for e in ("utf-8", "utf-16-le")]


def tell(memory: Memory, person: Person | None, said: str, reply: str = "I see.", **more) -> str:
    fields: dict = {"conversation": "c", "agent": "guide", "turn": 1, "user": said, "reply": reply}
    name = "user" if person is None or person.name is None else person.name
    id = None if person is None else person.id
    return memory.record_turn(TurnRecord(**{**fields, "speaker": name, "person": id, **more}))[0]


def meet(memory: Memory, name: str, takes: int = 3) -> tuple[Person, list[bytes]]:
    """Somebody with a voice, a face and portraits; and the bytes that are to be gone after them."""
    person = memory.people.add(name)
    needles = []
    for take in range(takes):
        heard, seen, shot = voice(name, take), face(name, take), portrait(name, take)
        memory.people.enrol(person, heard, VOICES, call="c")
        memory.people.enrol(person, seen, FACES, call="c", picture=shot)
        jpeg = shot.to_jpeg()
        needles += [heard.vector.tobytes(), seen.vector.tobytes(), jpeg[600:700]]
    needles += [n[:32] for n in needles]
    return person, needles


def test_no_byte_of_somebody_forgotten_is_left_in_the_folder(tmp_path: Path, letters) -> None:
    folder = tmp_path / "memory"
    words = random.Random(5)
    with Memory(folder, embedder=letters) as memory:
        people = memory.people
        ben, of_ben = meet(memory, "Ben")
        gone, needles = meet(memory, NAME)
        for n in range(60):
            said = " ".join(words.choices(["rice", "tea", "oslo", "姐姐"], k=n % 40 + 1))
            tell(memory, (ben, gone, None)[n % 3], f"{n} {said}", said)
        secret = tell(memory, gone, "My pin is quizzical.", f"I will keep it, {NAME}.")
        memory.remember("She keeps bees.", kind="note", source=secret)
        memory.remember(f"{NAME} is allergic", subject=NAME, predicate="is", object="allergic")
        memory.remember("Bees need sugar in spring.", about=gone)
        kept = tell(memory, ben, f"I met {NAME} in Oslo, and nuts make me ill.")
        tell(memory, ben, "Hello.", tools=({"name": "call", "arguments": {"who": [NAME]}},))
        memory.save_state("timer", {"for": NAME, "minutes": 3})
        people.look(gone, "glasses", "zebraic", confidence=0.9)
        voice_of_hers = people.add()
        people.enrol(voice_of_hers, voice("another of hers"), VOICES)
        people.merge(voice_of_hers, gone)
        people.link("c", voice_of_hers, ben, -3.0, "quiet while she spoke")
        people.rename(gone, f"{NAME} the Second")
        assert memory.flush(30)
        ids = [gone.id, voice_of_hers.id, *(p.id for p in people.prints(gone))]
        pictures = [str(p.picture) for p in people.prints(gone) if p.picture]
        store = memory._use().store
        text_vectors = [
            r[0]
            for r in store.rows(
                "SELECT vector FROM vectors JOIN memories m ON m.row = memory WHERE m.person = ?",
                (gone.id,),
            )
        ]
        needles += [*forms(NAME), b"quizzical", b"zebraic", b"keeps bees", b"sugar in spring"]
        needles += [voice("another of hers").vector.tobytes(), *text_vectors]
        needles += [i.encode() for i in (*ids, *pictures)]
        for needle in (*needles[:9], NAME.encode(), b"zebraic", *text_vectors[:3]):
            assert holds(folder, needle), "it was there"

        went = memory.forget(gone.id)

        assert secret in went
        assert kept not in went
        assert memory.flush(30)
        assert holds(folder, *needles) == []
        assert not {p.stem for p in folder.rglob("*")} & set(pictures)
        assert people.all() == (people.get(ben),)
        assert memory.get(kept)[kept].text == "I met someone in Oslo, and nuts make me ill."
        assert memory.recall("who met someone in Oslo")[0].id == kept
        assert memory.load_state("timer") == {"for": "someone", "minutes": 3}
        assert len(people.said(ben, limit=100)) == 22
        assert people.identify_face(face("Ben", 9), FACES).person == people.get(ben)
        assert people.identify_face(face(NAME, 9), FACES).verdict == "new"
        assert not memory.notes
        assert holds(folder, *of_ben[:3]), "the others are not touched"
    assert holds(folder, *needles) == []


def test_many_people_come_and_go_without_a_byte(tmp_path: Path, letters) -> None:
    """Rows are written and dropped in any order, so that pages are split, filled and balanced."""
    rng = random.Random(11)
    folder = tmp_path / "memory"
    with Memory(folder, embedder=letters) as memory:
        there: dict[str, list[bytes]] = {}
        for n in range(24):
            name = f"Guest{rng.getrandbits(40):x}q"
            person, needles = meet(memory, name, takes=rng.choice([1, 5]))
            tell(memory, person, f"My name is {person.name}. " + "tea " * rng.choice([1, 300]))
            there[person.id] = [*needles, str(person.name).encode()]
            if n % 8 == 7:
                for id in rng.sample(sorted(there), 4):
                    memory.people.forget(id)
                    assert memory.flush(30)
                    assert holds(folder, *there.pop(id)) == []
        assert len(memory.people.all()) == len(there) == 12
        for id, needles in there.items():
            assert holds(folder, needles[0])
            assert memory.people.prints(id)


def test_a_name_that_somebody_else_has_too_stays_in_the_others_words(memory: Memory) -> None:
    one, other = memory.people.add("Anna"), memory.people.add("Anna")
    ben = memory.people.add("Ben")
    tell(memory, one, "I am the tall Anna.")
    tell(memory, other, "I am the small Anna.")
    about = tell(memory, ben, "Anna is nice.")
    memory.forget(one)
    assert memory.get(about)[about].text == "Anna is nice."
    assert [m.text for m in memory.people.said(other)] == ["I am the small Anna."]
    assert memory.people.named("Anna") == (memory.people.get(other),)


def test_an_everyday_word_as_a_name_does_not_empty_the_memory(memory: Memory) -> None:
    will, ben = memory.people.add("Will"), memory.people.add("Ben")
    tell(memory, will, "I like jazz.")
    kept = tell(memory, ben, "Will said he will come; goodwill.")
    memory.people.forget(will)
    assert memory.get(kept)[kept].text == "someone said he will come; goodwill."


def test_the_agent_may_have_the_name_of_somebody_who_leaves(memory: Memory) -> None:
    guide = memory.people.add("guide")
    kept = tell(memory, None, "Hello, guide.", "Hello.")
    memory.people.forget(guide)
    assert [(t.user, t.agent) for t in memory.turns("c")] == [("Hello, guide.", "guide")]
    assert memory.get(kept)


def test_further_names_can_be_forgotten_along(memory: Memory) -> None:
    anna, ben = memory.people.add("Anna Lopez"), memory.people.add("Ben")
    kept = tell(memory, ben, "Anna and Annette danced. 小安也来了。")
    memory.people.forget(anna, also=["Anna", "小安"])
    assert memory.get(kept)[kept].text == "someone and Annette danced. someone也来了。"


def test_who_was_recorded_by_name_alone_is_forgotten_too(memory: Memory) -> None:
    tell(memory, None, "I said this before I was known.", speaker="Anna")
    anna = memory.people.add("Anna")
    memory.people.forget(anna)
    assert memory.turns("c") == ()


def test_scenes_with_somebody_in_them_go_and_others_lose_the_name(memory: Memory) -> None:
    anna, _ = meet(memory, "Anna")
    store, pictures = memory._use().store, memory._use().pictures
    for id, there, text in (
        ("s_1", [anna.id], "two people"), ("s_2", [], "Anna's Bakery"),
    ):  # fmt: skip
        picture = f"x_{id[-1] * 16}"
        pictures.save(picture, portrait(id))
        with store.write() as db:
            db.execute(
                "INSERT INTO scenes (id, at, until, source, people, text, description, picture) "
                "VALUES (?, 1.0, 2.0, 'camera', ?, ?, '', ?)",
                (id, json.dumps(there), text, picture),
            )
    memory.forget(anna)
    assert store.rows("SELECT id, text FROM scenes") == [("s_2", "someone's Bakery")]
    assert [p.stem for p in (memory.folder / "pictures").iterdir()] == ["x_" + "2" * 16]


def test_forgetting_that_was_killed_half_way_is_finished_at_the_next_start(
    tmp_path: Path, letters
) -> None:
    memory = Memory(tmp_path, embedder=letters)
    anna, needles = meet(memory, NAME)
    tell(memory, anna, f"I am {NAME}.")
    parts = memory._use()
    parts.store.scrub = parts.pictures.remove = lambda *_: None  # type: ignore[method-assign]
    memory.people.forget(anna)
    memory.close()
    assert holds(tmp_path, *needles, NAME.encode())
    with Memory(tmp_path, embedder=letters) as memory:
        memory.flush(30)
        assert holds(tmp_path, *needles, NAME.encode()) == []


# --- consent --------------------------------------------------------------------------------------


def test_strangers_live_while_their_call_is_open(memory: Memory) -> None:
    people = memory.people
    anna = people.add("Anna", call="monday")
    stranger, asked = people.add(call="monday"), people.add(consent="asked", call="monday")
    elsewhere = people.add(call="another")
    people.enrol(stranger, voice("Eve"), VOICES, call="monday")
    people.enrol(stranger, face("Eve"), FACES, call="monday", picture=portrait("Eve"))
    said = tell(memory, stranger, "I was only passing.")

    assert people.expire_strangers("monday") == 2

    assert {p.id for p in people.all()} == {anna.id, elsewhere.id}
    assert people.get(stranger) is None
    assert people.get(asked) is None
    assert memory.get(said)[said].text == "I was only passing."
    assert memory.get(said)[said].person is None
    jpeg = portrait("Eve").to_jpeg()[600:700]
    needles = (voice("Eve").vector.tobytes(), face("Eve").vector.tobytes(), jpeg)
    assert holds(memory.folder, *needles) == []
    assert people.expire_strangers() == 1


def test_a_strangers_prints_are_never_on_the_disk_as_they_are(tmp_path: Path, letters) -> None:
    with Memory(tmp_path, embedder=letters) as memory:
        people = memory.people
        strangers = {name: people.add(call="c") for name in ("Eve", "Fay", "Gus")}
        needles = {n: [voice(n).vector.tobytes(), face(n).vector.tobytes()] for n in strangers}
        for name, stranger in strangers.items():
            people.enrol(stranger, voice(name), VOICES, call="c")
            people.enrol(stranger, face(name), FACES, call="c")
        assert holds(tmp_path, *(n for some in needles.values() for n in some)) == []
        for name, stranger in strangers.items():
            assert people.identify_voice(voice(name, 1), VOICES, call="c").person == stranger
        anna = people.add("Anna")
        people.rename(strangers["Eve"], "Eve")
        people.merge(strangers["Fay"], anna)
        for name in ("Eve", "Fay"):
            assert holds(tmp_path, needles[name][0]), "now they are kept"
        for name in strangers:
            assert people.identify_face(face(name, 1), FACES, call="c").verdict == "known"
        assert holds(tmp_path, *needles["Gus"]) == []
    with Memory(tmp_path, embedder=letters) as memory:
        assert {p.name for p in memory.people.all()} == {"Anna", "Eve"}
        for name in ("Eve", "Fay"):
            assert memory.people.identify_voice(voice(name, 1), VOICES).verdict == "known"


def test_who_takes_consent_back_is_a_stranger_of_the_call(memory: Memory) -> None:
    anna, needles = meet(memory, "Anna")
    memory.people.consent(anna, "session")
    assert memory.people.expire_strangers() == 1
    assert holds(memory.folder, *needles) == []


def test_strangers_of_a_call_that_crashed_are_gone_at_the_next_start(tmp_path, letters) -> None:
    with Memory(tmp_path, embedder=letters) as memory:
        anna, stranger = memory.people.add("Anna"), memory.people.add(call="c")
        memory.people.enrol(stranger, voice("Eve"), VOICES, call="c")
    with Memory(tmp_path, embedder=letters) as memory:
        assert memory.people.all() == (anna,)
        assert holds(tmp_path, voice("Eve").vector.tobytes()) == []


def test_in_session_mode_nobody_new_is_kept_whatever_they_say(tmp_path, letters) -> None:
    with Memory(tmp_path, embedder=letters) as memory:
        old = memory.people.add("Dora")
    with Memory(tmp_path, embedder=letters, people="session") as memory:
        people = memory.people
        anna = people.rename(people.add(call="c"), "Anna")
        assert (anna.name, anna.consent) == ("Anna", "session")
        with pytest.raises(SettingsError, match="people='session'"):
            people.agree(anna)
        people.enrol(anna, voice("Anna"), VOICES, call="c")
        assert people.identify_voice(voice("Anna", 1), VOICES, call="c").person == anna
        people.expire_strangers("c")
        assert people.all() == (old,)


def test_switched_off_no_print_is_taken_and_none_is_kept(tmp_path, letters) -> None:
    with Memory(tmp_path, embedder=letters) as memory:
        anna, needles = meet(memory, "Anna")
    with Memory(tmp_path, embedder=letters, people="off") as memory:
        assert memory.people.keeping == "off"
        assert memory.people.prints(anna) == ()
        assert holds(tmp_path, *needles) == []
        assert list((tmp_path / "pictures").iterdir()) == []
        assert memory.people.enrol(anna, voice("Anna"), VOICES) is None
        assert memory.people.identify_voice(voice("Anna"), VOICES).verdict == "new"
        assert memory.people.get(anna) == anna, "the name stays, as words do"
    with pytest.raises(SettingsError, match="never"):
        Memory(tmp_path, people="never")  # type: ignore[arg-type]


def test_who_takes_consent_back_can_stay_by_name_alone(memory: Memory) -> None:
    anna, needles = meet(memory, "Anna")
    said = tell(memory, anna, "I like tea.")
    assert memory.people.forget_prints(anna) == 6
    assert holds(memory.folder, *needles) == []
    assert [m.id for m in memory.people.said(anna)] == [said]
    assert memory.people.forget_prints(anna) == 0


# --- what is kept of somebody ---------------------------------------------------------------------


def test_all_that_is_kept_of_somebody_can_be_had_as_a_folder(memory: Memory, tmp_path) -> None:
    people = memory.people
    anna, _ = meet(memory, "Anna")
    ben, _ = meet(memory, "Ben")
    tell(memory, anna, "我喜欢茶。", "Tea it is.")
    tell(memory, ben, "Coffee, please.")
    memory.remember("Anna likes tea", subject="Anna", predicate="likes", object="tea")
    people.look(anna, "hat", "straw", confidence=0.9)
    people.agree(anna)
    other = people.add()
    people.merge(other, anna)

    folder = people.export(anna, tmp_path / "for Anna")

    content = {p.stem: json.loads(p.read_text("utf-8")) for p in folder.glob("*.json")}
    assert content["person"]["name"] == "Anna"
    assert set(content["person"]["ids"]) == {anna.id, other.id}
    assert [(t["said"], t["answer"]) for t in content["said"]] == [("我喜欢茶。", "Tea it is.")]
    assert [f["text"] for f in content["facts"]] == ["Anna likes tea"]
    assert [(look["slot"], look["value"]) for look in content["looks"]] == [("hat", "straw")]
    assert {c["what"] for c in content["changes"]} == {"consent", "merge"}
    vectors = {tuple(np.float32(p["vector"])) for p in content["prints"] if p["kind"] == "voice"}
    assert vectors == {tuple(voice("Anna", take).vector) for take in range(3)}
    shown = {p.read_bytes() for p in (folder / "pictures").iterdir()}
    assert shown == {portrait("Anna", take).to_jpeg() for take in range(3)}
    everything = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    assert b"Coffee" not in everything
    assert ben.id.encode() not in everything
    with pytest.raises(SettingsError, match="exists"):
        people.export(anna, folder)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX rights")
def test_only_its_owner_may_read_pictures_and_exports(memory: Memory, tmp_path: Path) -> None:
    anna, _ = meet(memory, "Anna")
    exported = memory.people.export(anna, tmp_path / "out")
    for folder in (memory.folder / "pictures", exported, exported / "pictures"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for file in folder.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0


def test_an_export_that_cannot_be_written_leaves_nothing(memory: Memory, tmp_path: Path) -> None:
    anna, _ = meet(memory, "Anna")
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="cannot be written"):
        memory.people.export(anna, tmp_path / "file" / "out")
    memory._use().pictures.load = lambda id: 1 / 0  # type: ignore[method-assign, assignment]
    with pytest.raises(ZeroDivisionError):
        memory.people.export(anna, tmp_path / "out")
    assert not [p for p in tmp_path.iterdir() if "out" in p.name]
