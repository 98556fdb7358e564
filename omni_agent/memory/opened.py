"""An open memory folder: its parts, and what is put in order when it is opened."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from omni_agent.clock import Clock
from omni_agent.errors import MemorySealed
from omni_agent.memory.at_hand import AtHand
from omni_agent.memory.embedding import Embedding
from omni_agent.memory.finding import Finder
from omni_agent.memory.index import IndexFolder, IndexHome
from omni_agent.memory.index_server import IndexServer
from omni_agent.memory.indexer import Indexer
from omni_agent.memory.ledger import Ledger
from omni_agent.memory.lock import FolderLock
from omni_agent.memory.people import People
from omni_agent.memory.pictures import Pictures
from omni_agent.memory.prints import Prints
from omni_agent.memory.records import Keeping
from omni_agent.memory.scene_search import SceneSearch
from omni_agent.memory.scenes import Scenes
from omni_agent.memory.sealing import KeptIn, Sealing
from omni_agent.memory.sights import ImagePrinter, Sights
from omni_agent.memory.store import Store
from omni_agent.memory.vectors import VectorLedger

log = logging.getLogger("omni_agent.memory")


class Opened:
    """Raises what `Memory` says that opening raises, and then has let go of the folder."""

    def __init__(
        self,
        folder: Path,
        *,
        keeping: Keeping,
        encrypt: KeptIn | None,
        clock: Clock,
        embedding: Embedding,
        forgotten: Callable[[], None],
        images: ImagePrinter | None,
        picture_budget: int,
        url: str | None,
        user: str | None,
    ) -> None:
        self._lock = FolderLock(folder)
        try:
            self.store = Store(folder)
        except BaseException:
            self._lock.close()
            raise
        try:
            self.sealing = Sealing(self.store)
            if encrypt is not None:
                self.sealing.switch_on(encrypt, folder)
            home: IndexHome = IndexFolder(folder / "index")
            if url is not None:
                server = IndexServer(url, user, folder)
                home.keep_only(None)  # it is the server that has the vectors from now on
                home = server
        except BaseException:
            self.store.close()
            self._lock.close()
            raise
        self.notes: list[str] = []
        self.ledger = Ledger(self.store)
        self.vectors = VectorLedger(self.store)
        self.indexer = Indexer(home, self.vectors, lambda: embedding.open(self.vectors))
        self.pictures = Pictures(folder / "pictures", self.sealing)
        self.finder = Finder(
            self.ledger, self.vectors, self.indexer, AtHand(self.store), embedding.query
        )
        self.people = People(
            self.store, self.ledger, Prints(self.store, self.sealing), self.pictures, self.finder,
            keeping=keeping, clock=clock, forgotten=forgotten,
        )  # fmt: skip
        sights = Sights(self.store, images)
        self.scenes = Scenes(
            self.store, self.pictures, self.people,
            SceneSearch(self.store, self.ledger, self.vectors, self.indexer, sights,
                        embedding.query),
            sights, clock=clock, forgotten=forgotten, written=self.indexer.wake,
            budget=picture_budget,
        )  # fmt: skip
        try:
            self._put_in_order()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.indexer.close(timeout=30)
        self.finder.close()
        self.store.close()
        self._lock.close()

    def _put_in_order(self) -> None:
        """Finish what a process left behind that was killed: strangers, pictures, old bytes."""
        self.people.expire_strangers()
        if self.people.keeping == "off":
            self.people.forget_all_prints()
        rows = self.store.rows("SELECT picture FROM prints UNION SELECT picture FROM scenes")
        try:
            self.pictures.sweep([r[0] for r in rows if r[0]])
        except MemorySealed as error:  # killed while it was being sealed, and the key is gone
            log.warning("%s", error)
            self.notes.append(str(error))
        else:
            if self.store.scrub_due:
                self.store.scrub()
