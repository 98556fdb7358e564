"""Sound and pictures: every usual file is read, every other is refused with its name and reason."""

import io
import math
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import PIL.Image
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent.errors import MediaError, MediaTooLarge, UnreadableMedia
from omni_agent.media import Audio, Image, Resampler, VideoFrame, load_part


def tone(seconds: float = 1.0, rate: int = 16_000, hertz: float = 440.0) -> Audio:
    t = np.arange(round(seconds * rate)) / rate
    return Audio((0.5 * np.sin(2 * np.pi * hertz * t)).astype(np.float32), rate)


def file_bytes(samples: np.ndarray, rate: int, form: str, subtype: str) -> bytes:
    into = io.BytesIO()
    soundfile.write(into, samples, rate, format=form, subtype=subtype)
    return into.getvalue()


def picture_bytes(picture: PIL.Image.Image, form: str, **options) -> bytes:
    into = io.BytesIO()
    picture.save(into, form, **options)
    return into.getvalue()


# --- sound --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "subtype", "rate"),
    [
        ("WAV", "PCM_16", 16_000),
        ("WAV", "PCM_U8", 8_000),
        ("WAV", "PCM_24", 96_000),
        ("WAV", "FLOAT", 44_100),
        ("WAV", "DOUBLE", 44_100),
        ("WAV", "ULAW", 8_000),
        ("FLAC", "PCM_24", 96_000),
        ("OGG", "VORBIS", 48_000),
        ("OGG", "OPUS", 48_000),
        ("MP3", "MPEG_LAYER_III", 44_100),
        ("AIFF", "PCM_16", 22_050),
    ],
)
def test_every_usual_sound_file_is_read_at_its_own_rate(form, subtype, rate):
    samples = tone(0.5, rate).samples
    audio = Audio.load(file_bytes(samples, rate, form, subtype))
    assert audio.rate == rate
    assert audio.seconds == pytest.approx(0.5, abs=0.08)
    assert audio.peak_dbfs == pytest.approx(-6.0, abs=2.0)


def test_stereo_is_mixed_to_mono():
    both = np.stack([np.full(100, 0.5), np.full(100, -0.25)], axis=1).astype(np.float32)
    audio = Audio.load(file_bytes(both, 8_000, "WAV", "FLOAT"))
    assert audio.samples.shape == (100,)
    assert np.allclose(audio.samples, 0.125)


def test_sound_comes_from_a_path_bytes_or_an_open_file(tmp_path):
    path = tone(0.1).save(tmp_path / "a.wav")
    from_path = Audio.load(path)
    with path.open("rb") as file:
        from_file = Audio.load(file)
    assert np.array_equal(from_path.samples, from_file.samples)
    assert np.array_equal(from_path.samples, Audio.load(path.read_bytes()).samples)
    assert np.array_equal(from_path.samples, Audio.load(str(path)).samples)


WAV = tone(1.0).to_wav()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"hello, this is text", "of no type that is known here.*known are WAV, FLAC"),
        (b"\x00" * 4000, "no type"),
        (WAV[:20], "cannot be decoded"),
        (WAV[:44], "truncated: 0 of the 32000 bytes"),
        (Audio.silence(0, 8_000).to_wav(), "no sound"),
        (WAV[: len(WAV) // 2], "truncated: 15978 of the 32000 bytes"),
        (b"ID3\x04" + b"\0" * 50, "cannot be decoded|no sound"),
        (b"OggS" + b"\xff" * 200, "cannot be decoded"),
        (b"fLaC" + b"\0" * 100, "cannot be decoded|no sound"),
        (b"RIFF\x10\0\0\0AVI LIST", "a video"),
        (picture_bytes(PIL.Image.new("RGB", (2, 2)), "PNG"), "it is a picture, not a sound file"),
    ],
)
def test_what_is_no_sound_is_refused_with_name_and_reason(tmp_path, data, reason):
    path = tmp_path / "speech.wav"
    path.write_bytes(data)
    with pytest.raises(UnreadableMedia, match=rf"speech\.wav.*({reason})"):
        Audio.load(path)


def test_sound_with_values_that_are_no_numbers_is_refused():
    samples = np.array([0.0, np.nan, 1.0], np.float32)
    with pytest.raises(UnreadableMedia, match="not finite"):
        Audio.load(file_bytes(samples, 8_000, "WAV", "FLOAT"))


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Audio.load(tmp_path / "nowhere.wav")
    with pytest.raises(UnreadableMedia, match="folder"):
        Audio.load(tmp_path)


def test_an_hour_is_too_long_and_is_not_decoded(tmp_path, monkeypatch):
    path = tmp_path / "hour.wav"
    soundfile.write(path, np.zeros(3600 * 8_000, np.int8).astype(np.int16), 8_000, subtype="PCM_U8")
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    with pytest.raises(MediaTooLarge, match=r"hour\.wav.*60 min 0 s long.*limit is 10 min 0 s"):
        Audio.load(path)


def test_a_header_that_lies_does_not_get_past_the_limit():
    data = file_bytes(np.zeros(48_000 * 4, np.float32), 48_000, "OGG", "VORBIS")
    with pytest.raises(MediaTooLarge, match="limit is 1 s"):
        Audio.load(data, max_seconds=1)
    assert Audio.load(data, max_seconds=4).seconds == 4


def test_full_16_bit_values_survive_both_ways():
    data = np.array([-32768, -1, 0, 1, 32767], "<i2").tobytes()
    assert Audio.from_pcm16(data, 16_000).pcm16() == data
    with pytest.raises(UnreadableMedia, match="even number"):
        Audio.from_pcm16(b"abc", 16_000)


@settings(deadline=None)  # other work on the machine is no failure
@given(st.lists(st.floats(-4, 4, width=32), max_size=50))
def test_too_loud_sound_is_clipped_and_never_wraps_around(values):
    audio = Audio(np.array(values, np.float32), 16_000)
    back = Audio.from_pcm16(audio.pcm16(), 16_000).samples
    assert np.allclose(back, np.clip(audio.samples, -1, 1), atol=1 / 16_000)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_sound_is_saved_in_the_format_of_the_suffix(tmp_path, suffix):
    path = tone(0.5, 24_000).save(tmp_path / f"said{suffix}")
    assert Audio.load(path).seconds == pytest.approx(0.5, abs=0.1)


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(MediaError, match=r"said\.xyz.*\.wav, \.flac"):
        tone(0.1).save(tmp_path / "said.xyz")
    with pytest.raises(MediaError, match=r"at 123 Hz"):
        Audio.silence(1, 123).save(tmp_path / "said.mp3")


def test_resampling_keeps_length_and_pitch():
    there = tone(1.0, 24_000, 1_000).resampled(16_000)
    assert there.rate == 16_000
    assert len(there.samples) == 16_000
    assert int(np.abs(np.fft.rfft(there.samples)).argmax()) == 1_000
    assert Audio.silence(0, 8_000).resampled(16_000).seconds == 0


@pytest.mark.parametrize("chunk", [160, 480, 1_001])
def test_resampling_in_chunks_gives_the_same_as_at_once(chunk):
    whole = tone(1.0, 48_000, 700)
    resampler = Resampler(48_000, 16_000)
    parts = [
        resampler.push(Audio(whole.samples[i : i + chunk], 48_000))
        for i in range(0, len(whole.samples), chunk)
    ]
    joined = Audio.join([*parts, resampler.flush()])
    assert np.allclose(joined.samples, whole.resampled(16_000).samples, atol=1e-4)


def test_a_resampler_begins_anew_after_its_flush_and_checks_rates():
    resampler = Resampler(8_000, 16_000)
    first = Audio.join([resampler.push(tone(0.2, 8_000)), resampler.flush()])
    again = Audio.join([resampler.push(tone(0.2, 8_000)), resampler.flush()])
    assert np.array_equal(first.samples, again.samples)
    with pytest.raises(MediaError, match="takes 8000 Hz, and got 16000 Hz"):
        resampler.push(tone(0.1, 16_000))


def test_silence_and_joining():
    audio = Audio.join([Audio.silence(0.5, 8_000), tone(0.5, 8_000)])
    assert audio.seconds == 1.0
    assert Audio.silence(1, 8_000).is_silent()
    assert Audio.silence(1, 8_000).peak_dbfs == -math.inf
    assert not audio.is_silent()
    with pytest.raises(MediaError, match="8000, 16000 Hz"):
        Audio.join([tone(0.1, 8_000), tone(0.1, 16_000)])
    with pytest.raises(MediaError, match="no sound to join"):
        Audio.join([])


@pytest.mark.parametrize(
    ("samples", "rate", "problem"),
    [
        (np.zeros(3), 8_000, r"float64 \[3\]"),
        (np.zeros((3, 2), np.float32), 8_000, r"float32 \[3, 2\]"),
        (np.array([np.inf], np.float32), 8_000, "not finite"),
        (np.zeros(3, np.float32), 0, "rate of 0 Hz"),
        (np.zeros(3, np.float32), 1_000_000, "rate of 1000000 Hz"),
    ],
)
def test_samples_that_are_no_sound_are_refused(samples, rate, problem):
    with pytest.raises(MediaError, match=problem):
        Audio(samples, rate)


# --- pictures -----------------------------------------------------------------------------------

RED = PIL.Image.new("RGB", (40, 20), (255, 0, 0))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_usual_picture_is_read(form):
    image = Image.load(picture_bytes(RED, form))
    assert image.size == (40, 20)
    assert image.pixels[10, 20, 0] > 240
    assert image.pixels[10, 20, 2] < 15


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_pixel_format_becomes_rgb(mode):
    picture = PIL.Image.new("RGB", (3, 2), (255, 255, 255)).convert(
        "L" if mode in ("I;16", "I", "F") else mode
    )
    if mode in ("I;16", "I", "F"):
        deep = np.full((2, 3), 65535 if mode == "I;16" else 255)
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        picture = PIL.Image.fromarray(deep.astype(kind))
    assert Image.load(picture).pixels.min() >= 254


def test_a_phone_picture_stands_upright():
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    assert Image.load(picture_bytes(RED, "JPEG", exif=exif)).size == (20, 40)


def test_what_is_transparent_is_white():
    clear = PIL.Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    assert Image.load(picture_bytes(clear, "PNG")).pixels.min() == 255


def test_an_animation_is_its_first_frame():
    data = picture_bytes(
        RED, "GIF", save_all=True, append_images=[PIL.Image.new("RGB", (40, 20), (0, 0, 255))]
    )
    assert tuple(Image.load(data).pixels[0, 0]) == (255, 0, 0)


def test_one_pixel_is_a_picture():
    assert Image.load(PIL.Image.new("RGB", (1, 1))).size == (1, 1)


PNG = picture_bytes(PIL.Image.effect_noise((64, 64), 50), "PNG")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (PNG[: len(PNG) // 2], "cannot be decoded"),
        (PNG[:10], "cannot be decoded"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG.*known are JPEG, PNG"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"%PDF-1.7", "a PDF"),
        (b"PK\x03\x04" + b"\0" * 100, "a zip archive"),
        (WAV, "it is a sound file, not a picture"),
    ],
)
def test_what_is_no_picture_is_refused_with_name_and_reason(tmp_path, data, reason):
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    with pytest.raises(UnreadableMedia, match=rf"photo\.png.*{reason}"):
        Image.load(path)


def test_a_decompression_bomb_is_refused_by_its_header():
    small = picture_bytes(PIL.Image.new("1", (100, 100)), "PNG")
    for side in (20_000, 60_000):  # past our limit; past the one at which Pillow itself refuses
        header = b"IHDR" + side.to_bytes(4) + side.to_bytes(4) + small[24:29]
        data = small[:12] + header + zlib.crc32(header).to_bytes(4) + small[33:]
        with pytest.raises(MediaTooLarge, match="limit"):
            Image.load(data)
    with pytest.raises(MediaTooLarge, match=r"40 × 20 pixels.*limit of 100"):
        Image.load(RED, max_pixels=100)


def test_thumbnails_and_jpeg():
    image = Image.load(RED)
    assert image.thumbnail(10).size == (10, 5)
    assert image.thumbnail(100) is image
    assert Image.load(image.to_jpeg(70)).size == (40, 20)
    with pytest.raises(MediaError, match="0 pixels"):
        image.thumbnail(0)


def test_pixels_and_times_that_are_none_are_refused():
    with pytest.raises(MediaError, match=r"float64 \[2, 2\]"):
        Image(np.zeros((2, 2)))
    with pytest.raises(MediaError, match=r"\[0, 2, 3\]"):
        Image(np.zeros((0, 2, 3), np.uint8))
    with pytest.raises(MediaError, match="nan s"):
        VideoFrame(Image.load(RED), math.nan)


# --- either -------------------------------------------------------------------------------------


def test_a_file_is_told_apart_by_what_is_in_it(tmp_path):
    (tmp_path / "a.png").write_bytes(WAV)
    (tmp_path / "b.wav").write_bytes(PNG)
    assert isinstance(load_part(tmp_path / "a.png"), Audio)
    assert isinstance(load_part(tmp_path / "b.wav"), Image)


def test_a_zip_bomb_is_not_opened(tmp_path):
    path = tmp_path / "bomb.wav"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10_000_000))
    with pytest.raises(UnreadableMedia, match=r"bomb\.wav is a zip archive"):
        load_part(path)


def test_an_empty_file_is_said_to_be_empty(tmp_path):
    (tmp_path / "none.wav").touch()
    with pytest.raises(UnreadableMedia, match=r"none\.wav is empty"):
        load_part(tmp_path / "none.wav")


@settings(deadline=None)  # other work on the machine is no failure
@given(
    st.binary(max_size=300), st.sampled_from([b"", WAV[:44], PNG[:33], b"OggS", b"ID3", b"GIF8"])
)
def test_no_bytes_at_all_lead_to_another_kind_of_error(data, head):
    for read in (Audio.load, Image.load):
        try:
            read(head + data)
        except (UnreadableMedia, MediaTooLarge):
            continue


def test_importing_media_loads_no_decoder():
    code = (
        "import sys, omni_agent.media; "
        "print([m for m in ('soundfile', 'soxr', 'PIL') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
