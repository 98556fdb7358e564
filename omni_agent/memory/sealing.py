"""Prints and pictures encrypted on the disk: AES-256-GCM, the key kept outside the memory's folder.

What is sealed is bound to its id: one blob cannot be put in another's place. Which key it is and
where it is kept stands in the ledger, so that a sealed memory opens without being told again.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path
from typing import Any, Literal

from omni_agent.errors import MemorySealed, MissingExtra, SettingsError
from omni_agent.memory.store import Store

KeptIn = Literal["keyring"] | str | os.PathLike[str]
"""Where the key is: the keyring of the operating system, or a file of the user's choice."""
_MARK = b"\x00OMNI1"  # no JPEG begins like that
_SERVICE = "omni-agent"
_PROOF = b"the key of this memory"


class Sealing:
    """Closes and opens what is to be sealed; passes it through where the memory is not sealed.

    The key is fetched when it is first needed: a sealed memory whose key is missing can still be
    asked for words. Every call may raise MemorySealed or MissingExtra.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        rows = store.rows("SELECT key, kept_in, proof FROM seal")
        self._seal: tuple[str, str, bytes] | None = rows[0] if rows else None
        self._cipher: Any = None

    @property
    def on(self) -> bool:
        return self._seal is not None

    def close(self, plain: bytes, id: str) -> bytes:
        if self._seal is None:
            return plain
        nonce = secrets.token_bytes(12)
        sealed: bytes = self._opened().encrypt(nonce, plain, id.encode())
        return _MARK + nonce + sealed

    def open(self, kept: bytes, id: str) -> bytes:
        """What `close` was given. Raises MemorySealed for what was altered or swapped."""
        if not is_sealed(kept):
            return kept
        nonce, sealed = kept[len(_MARK) : len(_MARK) + 12], kept[len(_MARK) + 12 :]
        return _decrypted(self._opened(), nonce, sealed, id)

    def switch_on(self, kept_in: KeptIn, folder: Path) -> bool:
        """Make sure the memory is sealed with the key kept there; False if it was already.

        Every vector is sealed in one transaction; pictures and the bytes left behind are the
        caller's to see to, now or after a crash (`due.scrub`). Raises SettingsError for a key file
        that cannot be used.
        """
        where = "keyring" if kept_in == "keyring" else _key_file(kept_in, folder)
        if self._seal is not None:
            key, before, proof = self._seal
            if where != before:
                _check(_cipher(_fetch(key, where)), proof, where)
                with self._store.write() as db:
                    db.execute("UPDATE seal SET kept_in = ?", (where,))
                self._seal, self._cipher = (key, where, proof), None
            else:
                self._opened()
            return False
        key = secrets.token_hex(8)
        cipher = _cipher(_made(key, where))
        nonce = secrets.token_bytes(12)
        proof = nonce + cipher.encrypt(nonce, _PROOF, b"")
        self._seal, self._cipher = (key, where, proof), cipher
        try:
            with self._store.write() as db:
                db.execute("INSERT INTO seal VALUES (?, ?, ?)", self._seal)
                db.executemany(
                    "UPDATE prints SET vector = ? WHERE id = ?",
                    [
                        (self.close(vector, id), id)
                        for id, vector in db.execute("SELECT id, vector FROM prints").fetchall()
                    ],
                )
                db.execute("UPDATE due SET scrub = 1")
        except BaseException:
            self._seal = self._cipher = None
            raise
        return True

    def _opened(self) -> Any:
        assert self._seal is not None
        if self._cipher is None:
            key, where, proof = self._seal
            cipher = _cipher(_fetch(key, where))
            _check(cipher, proof, where)
            self._cipher = cipher
        return self._cipher


def is_sealed(kept: bytes) -> bool:
    return kept.startswith(_MARK)


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise MissingExtra(
            "cryptography", "private", needed_for="Encrypting what a memory keeps of people"
        ) from error
    return AESGCM(key)


def _decrypted(cipher: Any, nonce: bytes, sealed: bytes, id: str) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        plain: bytes = cipher.decrypt(nonce, sealed, id.encode())
    except InvalidTag as error:
        raise MemorySealed(
            f"{id or 'the seal of this memory'} does not open with this memory's key: "
            "it was damaged or put there from elsewhere."
        ) from error
    return plain


def _check(cipher: Any, proof: bytes, where: str) -> None:
    try:
        right = _decrypted(cipher, proof[:12], proof[12:], "") == _PROOF
    except MemorySealed:
        right = False
    if not right:
        raise MemorySealed(
            f"The key in {_named(where)} is not the one that this memory's prints and pictures are "
            "sealed with. Put the right one back."
        )


# --- where keys are kept ------------------------------------------------------------------------


def _fetch(key: str, where: str) -> bytes:
    if where != "keyring":
        return _read(Path(where))
    keyring = _keyring()
    try:
        found = keyring.get_password(_SERVICE, f"memory {key}")
    except keyring.errors.KeyringError as error:
        raise _no_keyring(error) from error
    if found is None:
        raise MemorySealed(
            f"The prints and pictures of this memory are sealed, and their key {_SERVICE!r}, "
            f"'memory {key}', is not in the keyring of this user. Restore it there, or open the "
            "memory as the user who sealed it."
        )
    return _decoded(found, "the keyring")


def _made(key: str, where: str) -> bytes:
    """A new key, kept where it is to be kept; an existing key file is taken as it is."""
    made = secrets.token_bytes(32)
    text = base64.b64encode(made).decode("ascii")
    if where != "keyring":
        path = Path(where)
        if path.exists():
            return _read(path)
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SettingsError(
                f"the key file {path} cannot be written: {error.strerror}."
            ) from error
        return made
    keyring = _keyring()
    try:
        keyring.set_password(_SERVICE, f"memory {key}", text)
        kept = keyring.get_password(_SERVICE, f"memory {key}")
    except keyring.errors.KeyringError as error:
        raise _no_keyring(error) from error
    if kept != text:
        raise MemorySealed(
            f"The keyring ({keyring.get_keyring().name}) did not keep the key it was given. "
            "Nothing was sealed. Name a key file instead."
        )
    return made


def _keyring() -> Any:
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        raise MissingExtra(
            "keyring", "private", needed_for="A key in the operating system's keyring"
        ) from error
    return keyring


def _no_keyring(error: Exception) -> MemorySealed:
    return MemorySealed(
        f"The keyring of the operating system cannot be used ({' '.join(str(error).split())}). "
        "Unlock or set up one, or choose a key file: Memory(folder, encrypt=Path('…')). "
        "Whoever has that file and the folder can read the prints and pictures."
    )


def _key_file(chosen: str | os.PathLike[str], folder: Path) -> str:
    path = Path(chosen).expanduser().absolute()
    if path.is_relative_to(folder.absolute()):
        raise SettingsError(
            f"the key file {path} lies in the memory it is to lock. Choose one outside {folder}."
        )
    return str(path)


def _read(path: Path) -> bytes:
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise SettingsError(
                f"the key file {path} can be read by others. Close it with: chmod 600 {path}"
            )
        return _decoded(path.read_text("ascii"), str(path))
    except FileNotFoundError as error:
        raise MemorySealed(
            f"The prints and pictures of this memory are sealed, and their key file {path} is not "
            "there. Put it back, or name where it is now: Memory(folder, encrypt=Path('…'))."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the key file {path} cannot be read: {error}") from error


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise SettingsError(f"{where} holds no key: 32 bytes in Base64 are due, {len(key)} found.")
    return key


def _named(where: str) -> str:
    return "the keyring" if where == "keyring" else where
