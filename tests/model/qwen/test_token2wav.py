"""Codes become sound while they come, and it is the sound that transformers' modules make."""

from __future__ import annotations

import copy
import random
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch", reason="needs the extra qwen")
pytest.importorskip("transformers", reason="needs the extra qwen")

from omni_agent.errors import (
    GenerationError,
    ModelLoadError,
    SettingsError,
    UsageError,
)
from omni_agent.model.qwen.token2wav import (
    SAMPLE_RATE,
    SAMPLES_PER_CODE,
    CodecVoice,
)

FRAME = 240
SEED = 5
LONG = torch.randint(0, 8194, (131,), generator=torch.Generator().manual_seed(0)).tolist()


@pytest.fixture(scope="module")
def speakers(reference):
    return reference.speaker_map


@pytest.fixture(scope="module")
def voice(reference):
    return CodecVoice(reference.token2wav)


@pytest.fixture(scope="module")
def quick(reference):
    """The same with one step of the solver, for what does not hang on it."""
    return CodecVoice(reference.token2wav, solver="euler", steps=2)


@pytest.fixture(scope="module")
def chelsie(voice, speakers):
    return voice.speaker(speakers["Chelsie"]["cond"], speakers["Chelsie"]["ref_mel"])


@pytest.fixture
def sample(reference, speakers, monkeypatch):
    """transformers' DiT on codes [n], from given noise [2n, 80] → mel [2n, 80]."""

    def sample(codes, noise, name="Chelsie"):
        with monkeypatch.context() as patched:
            patched.setattr(torch, "randn", lambda *args, **kwargs: noise[None].clone())
            cond, ref_mel = speakers[name]["cond"], speakers[name]["ref_mel"]
            dit = reference.token2wav.code2wav_dit_model
            return dit.sample(cond, ref_mel, torch.tensor(codes)[None])[0].T

    return sample


@pytest.fixture
def vocode(reference):
    with torch.no_grad():
        yield lambda mel: reference.token2wav.code2wav_bigvgan_model(mel.T[None])


def noise_of(codes):
    """What transformers draws for a whole reply after torch.manual_seed(SEED)."""
    noise = torch.Generator().manual_seed(SEED)
    return torch.randn(1, 2 * len(codes), 80, generator=noise)[0]


def stream(voice, speaker, codes, sizes=(1,), **options):
    """The pieces of a reply whose codes arrive `sizes` at a time, over and over."""
    options.setdefault("seed", SEED)
    reply = voice.begin(speaker, **options)
    pieces, at, turn = [], 0, 0
    while at < len(codes):
        size = sizes[turn % len(sizes)]
        pieces += reply.push(codes[at : at + size])
        at, turn = at + size, turn + 1
    return pieces + reply.finish()


def sound(pieces):
    return torch.cat([piece.samples for piece in pieces])


def mel_of_windows(sample, codes):
    """The mel of a reply, window by window as the module's docstring has it."""
    noise, kept, done = noise_of(codes), [], 0
    while done * 12 < len(codes):
        upto = done + (2 if done else 1)
        if (upto + 1) * 12 > len(codes):
            upto = -(-len(codes) // 12)
        start = max(0, done - 2)
        window = slice(start * 12, (upto + 1) * 12)
        mel = sample(codes[window], noise[2 * window.start : 2 * window.stop])
        kept.append(mel[(done - start) * 24 : (upto - start) * 24])
        done = upto
    return torch.cat(kept)


@pytest.mark.parametrize("count", [12, 24, 48, 60])
def test_a_window_is_what_transformers_makes_of_it(voice, chelsie, sample, count):
    codes = LONG[:count]
    noise = noise_of(codes)
    mel = voice.windows.mel(torch.tensor(codes), noise, chelsie)
    assert torch.equal(mel, sample(codes, noise))


@pytest.mark.parametrize("count", [1, 7, 13, 35, 36, 59])
def test_a_window_that_is_filled_up_to_size_is_too(voice, chelsie, sample, count):
    codes = LONG[:count]
    noise = noise_of(codes)
    mel = voice.windows.mel(torch.tensor(codes), noise, chelsie)
    torch.testing.assert_close(mel, sample(codes, noise), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("frames", [24, 48, 96, 100, 117])
def test_rendering_is_what_transformers_renders(voice, vocode, frames):
    mel = torch.randn(frames, 80, generator=torch.Generator().manual_seed(frames))
    assert torch.equal(voice.windows.render(mel), vocode(mel))


def test_every_speaker_sounds_as_in_transformers(voice, speakers, sample):
    ethan = voice.speaker(speakers["Ethan"]["cond"], speakers["Ethan"]["ref_mel"])
    noise = noise_of(LONG[:24])
    mel = voice.windows.mel(torch.tensor(LONG[:24]), noise, ethan)
    assert torch.equal(mel, sample(LONG[:24], noise, "Ethan"))
    assert not torch.equal(mel, sample(LONG[:24], noise, "Chelsie"))


def test_the_reference_recording_is_listened_to_once(voice, chelsie, monkeypatch):
    listened = []
    encoder = voice.windows._dit.input_embed.spk_encoder
    monkeypatch.setattr(encoder, "forward", listened.append)
    stream(voice, chelsie, LONG[:30], sizes=(30,))
    assert not listened


def test_one_step_of_euler_follows_the_slope(reference, chelsie, speakers):
    """The DiT itself gives the slope at each of 10 times; 9 straight lines follow it."""
    codes, noise = torch.tensor(LONG[:24]), noise_of(LONG[:24])
    mel = CodecVoice(reference.token2wav, solver="euler").windows.mel(codes, noise, chelsie)
    times = torch.linspace(0, 1, 10)
    times = times - (torch.cos(torch.pi / 2 * times) - 1 + times)
    value = noise[None]
    with torch.no_grad():
        for start, end in pairwise(times):
            guided, null = reference.token2wav.code2wav_dit_model(
                hidden_states=value,
                condition_vector=speakers["Chelsie"]["ref_mel"],
                speaker_embedding=speakers["Chelsie"]["cond"][:, None].repeat(1, 48, 1),
                quantized_code=codes[None],
                time_step=start,
            ).chunk(2)
            value = value + (end - start) * (guided + 0.5 * (guided - null))
    torch.testing.assert_close(mel, value[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("count", [0, 1, 11, 12, 23, 24, 36, 47, 48, 72, 97])
def test_nothing_is_missing_and_nothing_too_much(quick, chelsie, count, preview):
    pieces = stream(quick, chelsie, LONG[:count], preview=preview)
    heard = 0
    for piece in pieces:
        assert piece.samples.dtype == torch.float32
        heard += len(piece.samples)
        assert piece.codes_upto == heard // SAMPLES_PER_CODE
    assert heard == count * SAMPLES_PER_CODE


@pytest.mark.parametrize("preview", [False, True])
def test_how_the_codes_arrive_changes_nothing(quick, chelsie, preview):
    codes = LONG[:50]
    expected = sound(stream(quick, chelsie, codes, sizes=(50,), preview=preview))
    for sizes in ((1,), (12,), (5, 0, 31), (48, 1)):
        assert torch.equal(sound(stream(quick, chelsie, codes, sizes, preview=preview)), expected)


@pytest.mark.parametrize(
    ("preview", "moments"),
    [
        (False, [(24, 0.23), (48, 0.61), (72, 0.85), (96, 1.33), (120, 1.81)]),
        (True, [(12, 0.15), (24, 0.23), (48, 0.61), (72, 0.85), (96, 1.33), (120, 1.81)]),
    ],
)
def test_when_how_much_is_heard(quick, chelsie, preview, moments):
    reply = quick.begin(chelsie, seed=SEED, preview=preview)
    heard, found = 0, []
    for count, code in enumerate(LONG, start=1):
        for piece in reply.push([code]):
            heard += len(piece.samples)
            found.append((count, heard / SAMPLE_RATE))
    assert found == [pytest.approx(moment) for moment in moments]


@pytest.mark.parametrize("count", [20, 50, 97])
def test_streamed_is_the_same_mel_rendered_in_one_call(voice, chelsie, sample, vocode, count):
    codes = LONG[:count]
    streamed = sound(stream(voice, chelsie, codes))
    whole = vocode(mel_of_windows(sample, codes))
    far = (streamed - whole).abs() / whole.abs().max()
    # Up to 610 ms the renderer was given unfinished frames, 0 and 10 frames from what was heard;
    # the cross-fade takes them 10 ms further.
    first, second = 24 * FRAME, 62 * FRAME
    assert far.max() < 1e-3
    assert not far[first:].numel() or far[first:].max() < 1e-5
    torch.testing.assert_close(streamed[second:], whole[second:], rtol=1e-5, atol=1e-6)


def test_what_follows_a_preview_is_what_would_have_come_without_it(voice, chelsie):
    codes = LONG[:30]
    without = sound(stream(voice, chelsie, codes))
    with_it = sound(stream(voice, chelsie, codes, preview=True))
    alone = voice.windows.mel(torch.tensor(codes[:12]), noise_of(codes[:12]), chelsie)
    preview = voice.windows.render(alone)
    heard, fade = slice(0, 15 * FRAME), slice(15 * FRAME, 16 * FRAME)
    assert torch.equal(with_it[heard], preview[heard])
    assert torch.equal(with_it[16 * FRAME :], without[16 * FRAME :])
    rising = torch.arange(0.5, FRAME) / FRAME
    mixed = (1 - rising) * preview[fade] + rising * without[fade]
    torch.testing.assert_close(with_it[fade], mixed)
    assert not torch.equal(preview[fade], without[fade])


def test_no_seam_at_the_joins(voice, chelsie):
    """The spectrum changes no more from one 10 ms to the next at a join than it does inside."""
    pieces = stream(voice, chelsie, LONG, preview=True)
    whole = sound(pieces)
    joins = torch.tensor([len(piece.samples) for piece in pieces]).cumsum(0)[:-1] // FRAME
    window = torch.hann_window(FRAME)
    spectra = torch.stft(whole, FRAME, FRAME, window=window, center=False, return_complex=True)
    change = (spectra.abs() + 1e-3).log().diff(dim=1).abs().mean(0)
    step = whole.diff().abs()
    at_join = torch.zeros(len(change), dtype=torch.bool)
    for join in joins:
        at_join[join - 1 : join + 2] = True  # into the fade, in it, out of it
        assert step[join * FRAME - 1 : join * FRAME + FRAME].max() <= step.max()
    assert len(joins) == 6
    assert change[at_join].max() <= change[~at_join].max()
    assert change[at_join].mean() <= change[~at_join].mean() * 1.15


def test_the_noise_is_what_transformers_draws_for_the_whole_reply(quick, chelsie):
    reply = quick.begin(chelsie, seed=SEED)
    for code in LONG[:40]:
        reply.push([code])
    reply.finish()
    assert torch.equal(torch.cat(reply._noise)[:80], noise_of(LONG[:40]))


def test_a_seed_repeats_and_no_seed_does_not(quick, chelsie):
    def heard(seed):
        return sound(stream(quick, chelsie, LONG[:24], seed=seed))

    assert torch.equal(heard(1), heard(1))
    assert not torch.equal(heard(1), heard(2))
    assert not torch.equal(heard(None), heard(None))


def test_replies_at_the_same_time_do_not_meet(quick, chelsie, speakers):
    ethan = quick.speaker(speakers["Ethan"]["cond"], speakers["Ethan"]["ref_mel"])
    codes, other = LONG[:50], LONG[60:90]
    one, two = quick.begin(chelsie, seed=1), quick.begin(ethan, seed=2, preview=True)
    heard = {one: [], two: []}
    turns = random.Random(0)
    left = {one: list(codes), two: list(other)}
    while left[one] or left[two]:
        reply = turns.choice([each for each in left if left[each]])
        size = turns.randint(1, 20)
        heard[reply] += reply.push(left[reply][:size])
        left[reply] = left[reply][size:]
    heard[one] += one.finish()
    heard[two] += two.finish()
    assert torch.equal(sound(heard[one]), sound(stream(quick, chelsie, codes, seed=1)))
    assert torch.equal(sound(heard[two]), sound(stream(quick, ethan, other, seed=2, preview=True)))


def test_a_sample_depends_on_34_frames_to_either_side(reference):
    """In float64, where what is small is not lost."""
    bigvgan = copy.deepcopy(reference.token2wav.code2wav_bigvgan_model).double()
    mel = torch.randn(1, 80, 160, generator=torch.Generator().manual_seed(3)).double()
    other = mel.clone()
    other[..., 80] += 4
    with torch.no_grad():
        touched = (bigvgan(mel) != bigvgan(other)).nonzero().flatten()
    assert touched.min() / FRAME > 80 - 35
    assert touched.max() / FRAME < 81 + 34


def test_windows_have_few_sizes(quick, chelsie, monkeypatch):
    rendered = []
    render = quick.windows.render
    monkeypatch.setattr(
        quick.windows, "render", lambda mel: rendered.append(len(mel)) or render(mel)
    )
    reply = quick.begin(chelsie, seed=SEED, preview=True)
    for code in LONG:
        reply.push([code])
    assert rendered == [24, 48, 96, 117, 117, 117]
    assert set(rendered) == set(quick.windows._render)


def test_every_window_can_be_met_beforehand(quick, chelsie, monkeypatch):
    calls = dict.fromkeys((*quick.windows._velocity, *(-size for size in quick.windows._render)), 0)

    def count(size, function):
        def counting(*arguments):
            calls[size] += 1
            return function(*arguments)

        return counting

    for size, graphed in quick.windows._velocity.items():
        monkeypatch.setitem(quick.windows._velocity, size, count(size, graphed))
    for size, graphed in quick.windows._render.items():
        monkeypatch.setitem(quick.windows._render, size, count(-size, graphed))
    quick.warm_up(chelsie)
    assert min(calls.values()) >= 3


@pytest.mark.parametrize("code", [-1, 8194, 8292, 8294])
def test_codes_without_sound_are_refused_and_nothing_is_taken(quick, chelsie, code):
    reply = quick.begin(chelsie, seed=SEED)
    with pytest.raises(GenerationError, match=f"Code {code} has no sound: .* to 8193"):
        reply.push([1, code])
    pieces = reply.push(LONG[:12]) + reply.finish()
    assert torch.equal(sound(pieces), sound(stream(quick, chelsie, LONG[:12])))


def test_a_finished_reply_takes_no_more(quick, chelsie):
    reply = quick.begin(chelsie)
    reply.push(LONG[:3])
    assert len(reply.finish()) == 1
    assert reply.finish() == []
    with pytest.raises(UsageError, match="finished"):
        reply.push([1])


def test_the_codec_is_float32_however_it_was_loaded(reference, speakers):
    half = copy.deepcopy(reference.token2wav).to(torch.bfloat16)
    voice = CodecVoice(half)
    chelsie = voice.speaker(speakers["Chelsie"]["cond"], speakers["Chelsie"]["ref_mel"])
    (piece,) = stream(voice, chelsie, LONG[:2])
    assert piece.samples.dtype == torch.float32
    assert {weight.dtype for weight in half.parameters()} == {torch.float32}


def test_what_cannot_be_streamed_is_refused(reference):
    with pytest.raises(SettingsError, match="solver must be rk4 or euler, not 'heun'"):
        CodecVoice(reference.token2wav, solver="heun")
    with pytest.raises(SettingsError, match="steps must be 2 or more"):
        CodecVoice(reference.token2wav, steps=1)
    other = copy.deepcopy(reference.token2wav.config)
    other.dit_config.block_size = 64

    class Other(torch.nn.Module):
        config = other

    with pytest.raises(ModelLoadError, match=r"64 mel frames per block; .* with 24"):
        CodecVoice(Other())
