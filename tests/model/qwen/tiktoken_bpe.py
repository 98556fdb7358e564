"""A byte-pair vocabulary of the tiktoken kind as the `vocab` and `merges` that tokenizers reads."""

from __future__ import annotations

import base64
from itertools import pairwise
from pathlib import Path


def read_ranks(path: Path) -> dict[bytes, int]:
    """Lines of base64 and rank."""
    pairs = (line.split() for line in path.read_bytes().splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


def vocab_and_merges(ranks: dict[bytes, int]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The same vocabulary in GPT-2's printable bytes, and the merge each longer token comes of.

    A token's last merge is that of the two pieces that remain when only lower ranks are merged.
    """
    shown = {bytes([byte]): char for byte, char in _printable_bytes().items()}

    def spell(token: bytes) -> str:
        return "".join(shown[bytes([byte])] for byte in token)

    vocab = {spell(token): rank for token, rank in ranks.items()}
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            left, right = _merged_below(token, rank, ranks)
            merges.append((spell(left), spell(right)))
    return vocab, merges


def _merged_below(token: bytes, limit: int, ranks: dict[bytes, int]) -> list[bytes]:
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        pairs = [ranks.get(a + b, limit) for a, b in pairwise(parts)]
        best = min(pairs)
        if best >= limit:
            break
        at = pairs.index(best)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _printable_bytes() -> dict[int, str]:
    """GPT-2's: printable Latin-1 stands for itself, every other byte for a letter from 256 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {byte: chr(byte) for byte in plain}
    others = (byte for byte in range(256) if byte not in table)
    return table | {byte: chr(256 + n) for n, byte in enumerate(others)}
