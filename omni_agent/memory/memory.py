"""Memory: what was said and what is known, kept in a folder, found again by words and meaning."""

from __future__ import annotations

import atexit
import builtins
import os
import re
import threading
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import MemoryStoreError, SettingsError
from omni_agent.events import RecalledMemory
from omni_agent.memory import forgetting
from omni_agent.memory.embedding import Embedding
from omni_agent.memory.export import write_lines
from omni_agent.memory.indexer import Progress
from omni_agent.memory.known_facts import KnownFacts
from omni_agent.memory.opened import Opened
from omni_agent.memory.people import People
from omni_agent.memory.recall import MIN_SCORE, best
from omni_agent.memory.records import Keeping, Person, StoredMemory, TurnRecord
from omni_agent.memory.scene_keeping import BUDGET
from omni_agent.memory.scenes import Scenes
from omni_agent.memory.sealing import KeptIn
from omni_agent.memory.sights import ImagePrinter
from omni_agent.memory.values import clean, new_id, to_seconds
from omni_agent.text_embedding import TextEmbedder, open_text_embedder

_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")


class Memory(KnownFacts):
    """What an agent remembers, in `folder`; safe to call from any thread.

    Opened at the first use, by one process at a time. Raises MemoryInUse, MemoryReadOnly,
    MemoryCorrupt or MemoryTooNew, and then has changed nothing. What is written is on disk when the
    call returns; vectors follow in the background, and what a crash interrupted follows at the next
    start. Without an `embedder` the best one on this machine is opened when it is first needed; if
    there is none, recall goes by words alone and `notes` says so.

    `url`: of a Chroma server that the index is on, instead of in the folder; raises
    MemoryServerAway where there is none. `user`: the tenant there. Ids and vectors go to the
    server, words, prints and pictures do not.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        embedder: TextEmbedder | None = None,
        clock: Clock = SYSTEM_CLOCK,
        people: Keeping = "ask",
        encrypt: KeptIn | None = None,
        images: ImagePrinter | None = None,
        picture_budget: int = BUDGET,
        url: str | None = None,
        user: str | None = None,
    ) -> None:
        if people not in get_args(Keeping):
            raise SettingsError(f'people={people!r} is none of "ask", "session" and "off"')
        self.folder = Path(folder).expanduser()
        self._keeping, self._encrypt = people, encrypt
        self._images, self._picture_budget = images, picture_budget
        self._url, self._user, self._clock = url, user, clock
        self._embedding = Embedding(lambda: embedder or open_text_embedder())
        self._opening = threading.RLock()
        self._open: Opened | None = None
        self._closed = False

    @property
    def people(self) -> People:
        """Whom this memory knows: who they are, what they said, how they look."""
        return self._use().people

    @property
    def scenes(self) -> Scenes:
        """What was seen: when, where, who was there, what it said."""
        return self._use().scenes

    def record_turn(self, turn: TurnRecord) -> tuple[str, ...]:
        """Write a finished turn; return the ids of its episodes (what was said, what was answered).

        All of it is on disk when this returns, or none. A `person` who was forgotten meanwhile is
        left out. Raises SettingsError for what JSON cannot hold.
        """
        parts = self._use()
        turn = replace(
            turn,
            conversation=clean(turn.conversation),
            agent=clean(turn.agent),
            speaker=clean(turn.speaker),
            user=clean(turn.user),
            reply=clean(turn.reply),
            unheard=clean(turn.unheard),
            person=None if turn.person is None else parts.people.speaker(turn.person),
        )
        ids = parts.ledger.record_turn(turn, turn.at or self._clock.now())
        if turn.person is not None:
            parts.people.changed()
        parts.indexer.wake()
        return ids

    def cut_reply(
        self,
        conversation: str,
        turn: int,
        *,
        heard: str,
        unheard: str,
        interrupted_at_ms: int,
    ) -> None:
        """The user cut into a reply that was recorded already: only `heard` of it counts."""
        parts = self._use()
        parts.ledger.cut_reply(conversation, turn, clean(heard), clean(unheard), interrupted_at_ms)
        parts.indexer.wake()

    def remember(
        self,
        text: str,
        *,
        kind: str = "fact",
        subject: str | None = None,
        predicate: str | None = None,
        object: str | None = None,
        valid_from: datetime | None = None,
        source: str | None = None,
        language: str | None = None,
        speaker: str | None = None,
        person: Person | str | None = None,
        about: Person | str | None = None,
    ) -> str:
        """Write a memory and return its id; one that is known already keeps the id it has.

        With subject, predicate and object it is a statement: a later one that contradicts it –
        about the same subject and predicate with another object, or "dislikes" after "likes"
        (facts.py) – ends it from then on (`valid_to`, `superseded_by`); none is overwritten.
        `valid_from`: since when it is so; now by default. `source`: the id of the memory it was
        drawn from, with which it is forgotten. `person`: who told it. `about`: whom it is about;
        the one person whose name is the subject, if not given.
        """
        if not text.strip():
            raise SettingsError(f"There is nothing to remember in {text!r}. Give some words.")
        slot = (subject, predicate, object)
        if any(slot) and not all(slot):
            raise SettingsError(
                "A statement needs subject, predicate and object together; "
                f"given were {subject=}, {predicate=}, {object=}."
            )
        parts, now = self._use(), self._clock.now()
        if about is None and subject and len(known := parts.people.named_like(subject)) == 1:
            about = known[0]
        kept = StoredMemory(
            id=new_id(_checked_kind(kind)[0], now),
            kind=kind,
            text=clean(text),
            recorded_at=now,
            valid_from=valid_from or now,
            source=source,
            language=language,
            speaker=None if speaker is None else clean(speaker),
            subject=None if subject is None else clean(subject.strip()),
            predicate=None if predicate is None else clean(predicate.strip()),
            object=None if object is None else clean(object.strip()),
            person=None if person is None else parts.people.speaker(person),
            about=None if about is None else parts.people.speaker(about),
        )
        to_seconds(kept.at)
        id = parts.ledger.remember(kept)
        parts.indexer.wake()
        return id

    def recall(
        self,
        query: str,
        *,
        limit: int = 5,
        kinds: Collection[str] | None = None,
        min_score: float = MIN_SCORE,
        exclude_conversation: str | None = None,
        at: datetime | None = None,
        people: Collection[Person | str] = (),
    ) -> tuple[RecalledMemory, ...]:
        """The memories that bear on a question, best first; none where none does.

        `exclude_conversation`: leave out what the model has before it anyway. `at`: what was so at
        that time; by default, what is so now. `people`: who is there; what they said and what is
        about them comes first. How scores come about: recall.py.
        """
        moment = at or self._clock.now()
        to_seconds(moment)
        if limit < 1:
            return ()
        parts = self._use()
        present = parts.people.every_id(people)
        found = parts.finder.find(query, moment, kinds=kinds, present=present)
        if found is None:
            return ()
        question, memories = found

        def keep(memory: StoredMemory) -> bool:
            return (
                (memory.valid_to is None or memory.valid_to > moment)
                and (at is None or memory.at <= at)
                and (exclude_conversation is None or memory.conversation != exclude_conversation)
            )

        return best(question, memories, keep=keep, limit=limit, min_score=min_score)

    def prefetch(self, people: Collection[Person | str]) -> None:
        """Have at hand what these people said and what is about them: they have just come in.

        From then on `recall(people=…)` looks through all of it (the newest 2,000 of each), not only
        through what is near among everybody's. Takes some milliseconds; for another thread.
        """
        parts = self._use()
        for person in people:
            if known := parts.people.get(person):
                parts.finder.prefetch(known.id, parts.people.every_id([known]))

    def forget(self, *what: str | Person) -> tuple[str, ...]:
        """Delete memories and people for good; return the ids of all memories that went.

        An episode takes its whole turn with it, a memory the facts drawn from it. When this returns
        no byte of their words is left in the folder; their vectors are never found again, and are
        off the disk after `flush` or `close`. People: see `People.forget`.
        """
        parts = self._use()
        someone = [w for w in what if isinstance(w, Person) or parts.people.get(w)]
        gone = [id for person in someone for id in parts.people.forget(person)]
        if ids := [w for w in what if isinstance(w, str) and w not in someone]:
            gone += self._forget(ids)
        return tuple(gone)

    def find(self, text: str) -> tuple[StoredMemory, ...]:
        """What `forget_matching` would delete, but for state: memories and whole turns."""
        parts = self._use()
        ids, turns, _ = forgetting.mentions(parts.store, clean(text.strip()))
        return tuple(parts.ledger.get([*ids, *forgetting.episodes(parts.store, turns)]).values())

    def forget_matching(self, text: str) -> tuple[str, ...]:
        """Delete every memory, turn and state in which a text occurs, whatever its case."""
        if not text.strip():
            raise SettingsError(f"{text!r} would match everything. Give some words to forget.")
        parts = self._use()
        ids, turns, keys = forgetting.mentions(parts.store, clean(text.strip()))
        return self._forget(ids, turns, keys)

    def turns(self, conversation: str, limit: int = 20) -> tuple[TurnRecord, ...]:
        """The last turns of a conversation, oldest first."""
        return self._use().ledger.turns(conversation, limit)

    def list(
        self, kind: str | None = None, limit: int = 50, offset: int = 0
    ) -> tuple[StoredMemory, ...]:
        """Newest first, superseded facts too."""
        return self._use().ledger.newest(kind, limit, offset)

    def get(self, *ids: str) -> dict[str, StoredMemory]:
        """Memories by id; ids that do not exist are left out."""
        return self._use().ledger.get(ids)

    def count(self, kind: str | None = None) -> int:
        kinds = self._use().ledger.kinds()
        return sum(kinds.values()) if kind is None else kinds.get(kind, 0)

    def load_state(self, key: str) -> Any | None:
        """What `save_state` kept under this key; None if nothing."""
        return self._use().ledger.state(key)

    def save_state(self, key: str, value: Any) -> None:
        """Keep a small JSON value over restarts; None deletes it."""
        self._use().ledger.save_state(clean(key), value)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Make the index again from the ledger, and wait until it is done.

        Texts are embedded again only if the embedding model has changed.
        """
        parts = self._use()
        generation = parts.vectors.next_generation()
        total = self.count()
        parts.indexer.wake()
        while not parts.indexer.flush(0.1):
            if progress:
                progress(total - parts.vectors.count_pending(generation), total)
        if progress:
            progress(total - parts.vectors.count_pending(generation), total)

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write everything but vectors as JSON Lines; the file appears only when it is whole."""
        return write_lines(self._use().ledger.export(), Path(path).expanduser())

    @property
    def notes(self) -> tuple[str, ...]:
        """What went wrong and was mended, or could not be: for `doctor` and the log."""
        return (*self._open.notes, *self._open.indexer.notes) if self._open else ()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything is in the index; False if it took longer than `timeout` seconds."""
        return self._use().indexer.flush(timeout)

    def close(self) -> None:
        """Finish what is under way in the background, and let go of the folder."""
        with self._opening:
            self._closed = True
            if self._open is not None:
                self._open.close()
                self._open = None
                atexit.unregister(self.close)

    def __enter__(self) -> Memory:
        self._use()
        return self

    def __exit__(self, *_: builtins.object) -> None:
        self.close()

    # --- within ------------------------------------------------------------------------------

    def _use(self) -> Opened:
        if (parts := self._open) is not None:
            return parts
        with self._opening:
            if self._closed:
                raise MemoryStoreError(f"The memory {self.folder} was closed. Open it anew.")
            if self._open is None:
                self._open = Opened(
                    self.folder, keeping=self._keeping, encrypt=self._encrypt, clock=self._clock,
                    embedding=self._embedding, forgotten=self._forgotten,
                    images=self._images, picture_budget=self._picture_budget,
                    url=self._url, user=self._user,
                )  # fmt: skip
                atexit.register(self.close)
            return self._open

    def _forget(
        self, ids: Sequence[str], turns: Sequence[int] = (), keys: Sequence[str] = ()
    ) -> tuple[str, ...]:
        parts = self._use()
        gone, pictures = forgetting.forget(parts.store, ids, turns, keys)
        parts.pictures.remove(pictures)
        self._forgotten()
        return gone

    def _forgotten(self) -> None:
        parts = self._use()
        self._embedding.forget()
        parts.finder.forget()
        parts.indexer.wake()


def _checked_kind(kind: str) -> str:
    if not _KIND.fullmatch(kind):
        raise SettingsError(f"The kind {kind!r} is no plain lower-case word, like 'fact'.")
    return kind
