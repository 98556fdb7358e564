"""Sound and picture files: told apart by their first bytes, measured before they are decoded."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from omni_agent.errors import MediaError, MediaTooLarge, UnreadableMedia

if TYPE_CHECKING:
    import PIL.Image

AUDIO_KNOWN = "WAV, FLAC, OGG, MP3, AIFF"
IMAGE_KNOWN = "JPEG, PNG, WebP, GIF, BMP, TIFF"


@contextmanager
def open_source(source: Any) -> Iterator[tuple[BinaryIO, str]]:
    """A path, bytes or an open file as a seekable file at its start, with a name for errors."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield io.BytesIO(source), f"the {len(source)} bytes given"
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.is_dir():
            raise UnreadableMedia(f"{path} is a folder; give the path of a file")
        with path.open("rb") as file:
            yield file, str(path)
    elif hasattr(source, "read"):
        name = str(getattr(source, "name", "the open file"))
        if not (hasattr(source, "seekable") and source.seekable()):
            source = io.BytesIO(source.read())
        source.seek(0)
        yield source, name
    else:
        raise UnreadableMedia(
            f"media is read from a path, bytes or a binary file, not from {type(source).__name__}"
        )


# --- what kind of file ----------------------------------------------------------------------


def kind_of(file: BinaryIO) -> str:
    """ "audio", "image", or words for what else the file is. Leaves the file at its start."""
    file.seek(0)
    head = file.read(64)
    file.seek(0)
    if not head:
        return "empty"
    if head[:4] in (b"RIFF", b"RIFX", b"RF64"):
        return "image" if head[8:12] == b"WEBP" else "audio" if head[8:12] == b"WAVE" else "a video"
    if any(head.startswith(m) for m in _AUDIO_MAGIC) or _is_mp3_frame(head):
        return "audio"
    if any(head.startswith(m) for m in _IMAGE_MAGIC):
        return "image"
    if head[:4] == b"FORM":
        return "audio"
    for magic, words in _OTHERS.items():
        if head.startswith(magic):
            return words
    if head[4:8] == b"ftyp":
        return "an MP4 or M4A file"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml")):
        return "an SVG or XML text"
    if text.startswith((b"<!doctype", b"<html", b"<head")):
        return "a web page"
    return "of no type that is known here"


_AUDIO_MAGIC = (b"fLaC", b"OggS", b"ID3", b".snd", b"caff", b"riff")
_IMAGE_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_OTHERS = {
    b"PK": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"%PDF": "a PDF",
    b"\x1aE\xdf\xa3": "a Matroska or WebM file",
    b"\x7fELF": "a program",
    b"SQLite": "a database",
}


def _is_mp3_frame(head: bytes) -> bool:
    """A frame of MPEG layer 3, 2 or 1: eleven set bits, then no forbidden value."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bits, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer != 0 and bits not in (0, 15) and rate != 3


def _refuse(file: BinaryIO, name: str, wanted: str, known: str) -> None:
    """Raise UnreadableMedia unless the file's first bytes are of the wanted kind."""
    found = kind_of(file)
    if found == wanted:
        return
    if found == "empty":
        raise UnreadableMedia(f"{name}: it is empty")
    what = {"audio": "a sound file", "image": "a picture"}
    raise UnreadableMedia(
        f"{name}: it is {what.get(found, found)}, not {what[wanted]}; known are {known}"
    )


# --- sound ----------------------------------------------------------------------------------

_BLOCK = 1 << 17
"""Frames decoded at a time, so that the limit holds whatever the header says."""


def read_audio(source: Any, *, max_seconds: float) -> tuple[np.ndarray, int]:
    """Samples float32 [n], mixed to mono, and their rate."""
    import soundfile

    with open_source(source) as (file, name):
        _refuse(file, name, "audio", AUDIO_KNOWN)
        _check_wav_is_whole(file, name)
        try:
            with soundfile.SoundFile(file) as sound:
                return _decode(sound, name, max_seconds), int(sound.samplerate)
        except soundfile.SoundFileError as why:
            reason = str(why).partition(": ")[2] or str(why)
            raise UnreadableMedia(f"{name}: the sound cannot be decoded ({reason})") from why


def _check_wav_is_whole(file: BinaryIO, name: str) -> None:
    """libsndfile plays what there is of a cut WAV file; half a question is worse than an error."""
    head = file.read(12)
    if head[:4] == b"RIFF":
        end = file.seek(0, os.SEEK_END)
        at = 12
        while at + 8 <= end:
            file.seek(at)
            chunk = file.read(8)
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                there = end - at - 8
                # Streams are written with a size of 0 or of nearly 2^31 or 2^32: not known.
                if there < size < 0x7FFF0000:
                    raise UnreadableMedia(
                        f"{name}: it is truncated: {there} of the {size} bytes of sound it states"
                    )
                break
            at += 8 + size + size % 2
    file.seek(0)


def _decode(sound: Any, name: str, max_seconds: float) -> np.ndarray:
    rate, stated = sound.samplerate, sound.frames
    most = int(max_seconds * rate)
    # A stream without a length (libsndfile says 2^63 - 1) is only counted while it is decoded.
    if most < stated < 1 << 60:
        raise _too_long(name, stated / rate, max_seconds)
    blocks: list[np.ndarray] = []
    count = 0
    while len(block := sound.read(_BLOCK, dtype="float32", always_2d=True)):
        blocks.append(block.mean(axis=1, dtype=np.float32))
        count += len(block)
        if count > most:
            raise _too_long(name, count / rate, max_seconds, "more than ")
    if not count:
        raise UnreadableMedia(f"{name}: it holds no sound (0 samples)")
    if count < stated < 1 << 60 and count < 0.9 * stated:
        raise UnreadableMedia(
            f"{name}: it is truncated: {count / rate:.1f} s of the {stated / rate:.1f} s it states"
        )
    samples = np.concatenate(blocks)
    if not np.isfinite(samples).all():
        raise UnreadableMedia(f"{name}: it holds samples that are not finite (NaN or infinity)")
    return samples


def _too_long(name: str, seconds: float, limit: float, about: str = "") -> MediaTooLarge:
    return MediaTooLarge(
        f"{name}: the sound is {about}{_length(seconds)} long, the limit is {_length(limit)}; "
        "cut it, or raise max_seconds"
    )


def _length(seconds: float) -> str:
    whole = round(seconds)
    return f"{seconds:g} s" if seconds < 90 else f"{whole // 60} min {whole % 60} s"


_WRITTEN = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS"),
            ".mp3": ("MP3", "MPEG_LAYER_III")}  # fmt: skip


def write_audio(into: Any, suffix: str, samples: np.ndarray, rate: int, *, name: str) -> None:
    import soundfile

    if suffix not in _WRITTEN:
        raise MediaError(
            f"{name}: sound is written as {', '.join(_WRITTEN)}, not as {suffix or 'no suffix'!r}"
        )
    form, subtype = _WRITTEN[suffix]
    try:
        soundfile.write(into, np.clip(samples, -1.0, 1.0), rate, format=form, subtype=subtype)
    except soundfile.SoundFileError as why:
        raise MediaError(f"{name}: cannot be written as {form} at {rate} Hz: {why}") from why


# --- pictures -------------------------------------------------------------------------------


def read_image(source: Any, *, max_pixels: int) -> np.ndarray:
    """Pixels uint8 [height, width, 3], upright, transparency on white, the first frame."""
    import PIL.Image

    if isinstance(source, PIL.Image.Image):
        return _pixels(source, "the picture given", max_pixels)
    with open_source(source) as (file, name):
        _refuse(file, name, "image", IMAGE_KNOWN)
        try:
            with warnings.catch_warnings():
                # Size is checked below, against our own limit and before decoding.
                warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
                with PIL.Image.open(file) as picture:
                    return _pixels(picture, name, max_pixels)
        except MediaTooLarge:
            raise
        except PIL.Image.DecompressionBombError as why:
            raise MediaTooLarge(f"{name}: the limit is {max_pixels} pixels; {why}") from why
        except Exception as why:  # Pillow's decoders raise OSError, SyntaxError, struct.error …
            raise UnreadableMedia(f"{name}: the picture cannot be decoded ({why})") from why


def _pixels(picture: PIL.Image.Image, name: str, max_pixels: int) -> np.ndarray:
    import PIL.Image
    import PIL.ImageOps

    width, height = picture.size
    if width * height > max_pixels:
        raise MediaTooLarge(
            f"{name}: {width} × {height} pixels are more than the limit of {max_pixels}; "
            "make it smaller, or raise max_pixels"
        )
    if not width * height:
        raise UnreadableMedia(f"{name}: it has no pixels")
    picture.seek(0)
    upright = PIL.ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
        return _from_deep_grey(np.asarray(upright, np.float64))
    if upright.has_transparency_data:
        seen = upright.convert("RGBA")
        white = PIL.Image.new("RGBA", seen.size, (255, 255, 255, 255))
        upright = PIL.Image.alpha_composite(white, seen)
    return np.array(upright.convert("RGB"), np.uint8)


def _from_deep_grey(grey: np.ndarray) -> np.ndarray:
    """16-bit and float greys, which Pillow would clip to white, scaled to 0 … 255."""
    top = 65535.0 if grey.max(initial=0.0) > 255 else 255.0
    eight = np.clip(np.nan_to_num(grey) * (255.0 / top), 0, 255).astype(np.uint8)
    return np.repeat(eight[..., None], 3, axis=2)
