"""A reply comes out as it is made, is what transformers generates, and never speaks a call."""

from __future__ import annotations

from itertools import accumulate, pairwise
from types import SimpleNamespace

import pytest
import tiny as tiny_module
import torch
from conversations import CONVERSATIONS, SYSTEM, new_context
from hypothesis import given, settings
from hypothesis import strategies as st
from talking import generated, new_talker
from transformers import AutoTokenizer

from omni_agent.messages import ToolCall
from omni_agent.model.catalog import catalog
from omni_agent.model.qwen.checkpoint import read_checkpoint
from omni_agent.model.qwen.gated import GatedTokens
from omni_agent.model.qwen.living import LivingContext
from omni_agent.model.qwen.pace import Pace, Progress
from omni_agent.model.qwen.parts import TextPiece
from omni_agent.model.qwen.sampling import Sampler, SamplingOptions
from omni_agent.model.qwen.speech import Reply, Said, Sounded
from omni_agent.model.qwen.token2wav import CodecVoice
from omni_agent.model.qwen.tokens import ChatTokens, Spelling
from omni_agent.model.qwen.voices import read_speakers
from omni_agent.model.qwen.voicing import Voice
from omni_agent.model.tool_gate import ToolGate

EOS = 151645


@pytest.fixture(scope="module")
def chat(tiny):
    checkpoint = read_checkpoint(tiny)
    return ChatTokens(checkpoint.tokenizer(), checkpoint.config())


@pytest.fixture(scope="module")
def voice(tiny, reference):
    speaker = read_speakers(tiny / "spk_dict.pt").default
    codec = CodecVoice(reference.token2wav, solver="euler", steps=3)
    features = codec.speaker(speaker.cond, speaker.ref_mel)
    return Voice(speaker.name, speaker.bos_token, features, codec)


def new_living(reference, **settings):
    return LivingContext(new_context(reference, **settings), new_talker(reference))


def thought(reference, chat, context, given, *, voice=None, max_tokens=8, codes=24, names=()):
    words = GatedTokens(Spelling(chat), ToolGate(names))
    sampler = Sampler(len(given.logits), SamplingOptions(temperature=0), "cpu")
    reply = Reply(context, voice=voice, seed=0, max_codes=codes)
    pieces = list(reply.think(given.logits, words, sampler, stops=(EOS,), max_tokens=max_tokens))
    return reply, pieces


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_text_and_codes_are_those_of_generate(reference, chat, voice, name, monkeypatch):
    pieces = [SYSTEM, *CONVERSATIONS[name]]
    # generate drops its last token; it is said here, as it is part of the text.
    expected = generated(reference, pieces, tokens=9)
    codes = []
    push = type(voice.codec.begin(voice.features)).push
    monkeypatch.setattr(
        type(voice.codec.begin(voice.features)),
        "push",
        lambda stream, more: codes.extend(more) or push(stream, more),
    )
    context = new_living(reference)
    given = context.prefill(*pieces)
    context.catch_up()
    reply, made = thought(reference, chat, context, given, voice=voice)
    assert reply.tokens == expected.tokens[:8]
    assert codes == expected.codes
    assert reply.ended == "length"
    assert context.length == given.start + len(given.token_ids) + 8
    said = "".join(piece.text for piece in made if isinstance(piece, Said))
    assert said == reply.text
    sound = [piece for piece in made if isinstance(piece, Sounded)]
    assert sum(len(piece.samples) for piece in sound) == 24 * 480
    assert sound[-1].text_upto == len(said)


# --- the gate --------------------------------------------------------------------------------

CALL = '<tool_call>\n{"name": "set_timer", "arguments": {"minutes": 3}}\n</tool_call>'
BARE = '{"name": "set_timer", "arguments": {"minutes": 3}}'
WORDS = [
    "Right away.",
    " 好的。",
    "a < b",
    "{curly} words",
    " \n",
    "🍲!",
    "<b>",
    "tool",
    "```\nx\n```",
]


@pytest.fixture(scope="module")
def spellings(tiny, chat, tmp_path_factory):
    """Chat with `<tool_call>` as one token, and in pieces."""
    folder = tmp_path_factory.mktemp("plain")
    tiny_module._save_tokenizer(
        folder, catalog().ensure("qwen-tokenizer")["qwen-tokenizer"], tool_tokens=False
    )
    plain = AutoTokenizer.from_pretrained(folder)
    in_pieces = ChatTokens(plain, read_checkpoint(tiny).config())
    assert len(chat.encode("<tool_call>")) == 1
    assert len(in_pieces.encode("<tool_call>")) > 1
    return chat, in_pieces


def cut_up(chat, text, cuts):
    """Any tokens that spell `text`: it is tokenised in stretches, as a model may choose to."""
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [token for a, b in pairwise(places) for token in chat.encode(text[a:b])]


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(st.sampled_from([*WORDS, CALL, BARE]), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 1000), max_size=12),
    which=st.booleans(),
)
def test_no_token_of_a_call_is_ever_spoken(spellings, parts, cuts, which):
    chat = spellings[which]
    text = "".join(parts)
    tokens = cut_up(chat, text, cuts)
    words = GatedTokens(Spelling(chat), ToolGate({"set_timer"}))
    found, spoken = [], []
    for index, token in enumerate(tokens):
        passed = words.push(token)
        found += passed.found
        assert all(place <= index for place in passed.spoken)
        spoken += passed.spoken
    passed = words.finish()
    found, spoken = found + passed.found, spoken + passed.spoken
    assert spoken == sorted(set(spoken))
    assert "".join(item for item in found if isinstance(item, str)) == words.said
    ends = list(accumulate(len(chat.spelling(token)) for token in tokens))
    bytes_of = [
        range(end - len(chat.spelling(t)), end) for t, end in zip(tokens, ends, strict=True)
    ]
    at = 0
    for part in parts:
        size = len(part.encode())
        if part in (CALL, BARE):
            inside = set(range(at, at + size))
            assert not any(inside & set(bytes_of[index]) for index in spoken), text
        at += size
    if CALL not in parts and BARE not in parts:
        assert words.said == text
        assert spoken == list(range(len(tokens)))


@given(
    text=st.sampled_from(["One 两 three. 🍲 four", "It is\n\nso.  ", "Well. " + CALL]),
    cuts=st.lists(st.integers(0, 100), max_size=8),
    said=st.integers(0, 40),
)
def test_a_cut_keeps_the_tokens_that_lie_within_what_was_heard(spellings, text, cuts, said):
    chat = spellings[0]
    tokens = cut_up(chat, text, cuts)
    words = GatedTokens(Spelling(chat), ToolGate({"set_timer"}))
    for token in tokens:
        words.push(token)
    words.finish()
    whole = words.said
    said = min(said, len(whole))
    kept = words.cut(said)
    spelt = b"".join(map(chat.spelling, tokens[:kept])).decode(errors="ignore")
    assert whole.startswith(words.said)
    if words.said != whole or CALL in text:
        assert whole[:said].startswith(spelt)
        assert kept == len(tokens) or len(
            b"".join(map(chat.spelling, tokens[: kept + 1])).decode(errors="replace")
        ) > len(whole[:said])
    else:
        assert kept == len(tokens)
    assert words.cut(len(words.said)) == kept


def scripted(chat, context, tokens, *, voice=None, codes=24, after=None):
    """A reply whose Thinker chooses these tokens."""
    given = context.prefill(TextPiece([*chat.whole_turn("user", "Hi"), *chat.reply_begin]))
    context.catch_up()
    left = [*tokens, EOS]
    sampler = SimpleNamespace(
        draw_noise=lambda: None, choose=lambda *_: torch.tensor(left.pop(0) if left else EOS)
    )
    words = GatedTokens(Spelling(chat), ToolGate({"set_timer"}))
    reply = Reply(context, voice=voice, seed=0, max_codes=codes)
    return reply, reply.think(given.logits, words, sampler, stops=(EOS,), max_tokens=200)


@pytest.mark.parametrize("text", [f"Right away. {CALL}", f"好的。{CALL}", f"Well: {BARE}"])
def test_the_talker_reads_the_words_before_a_call_and_their_end(
    reference, chat, voice, text, monkeypatch
):
    context = new_living(reference)
    read = []
    for name in ("begin", "push", "close"):
        original = getattr(context.talker, name)

        def noting(*given, name=name, original=original, **settings):
            read.append((name, given[-1] if given else None))
            original(*given, **settings)

        monkeypatch.setattr(context.talker, name, noting)
    tokens = chat.encode(text)
    reply, pieces = scripted(chat, context, tokens, voice=voice)
    made = list(pieces)
    words = text[: text.index(CALL if CALL in text else BARE)]
    spoken = [len(piece.text) for piece in made if isinstance(piece, Said)]
    assert sum(spoken) == len(words.rstrip())
    count = len([name for name, _ in read if name != "close"])
    assert 0 < count <= len(chat.encode(words.rstrip()))
    assert [name for name, _ in read] == ["begin", *["push"] * (count - 1), "close"]
    rows = torch.cat([rows.inputs for rows in context._unread])
    assert all(torch.equal(row, given) for row, (_, given) in zip(rows, read[:-1], strict=False))
    assert reply.ended == "calls"
    assert ToolCall("call_1", "set_timer", {"minutes": 3}) in made
    assert [piece for piece in made if isinstance(piece, Sounded)][-1].text_upto == sum(spoken)


def test_a_call_alone_is_silent(reference, chat, voice):
    context = new_living(reference)
    _, pieces = scripted(chat, context, chat.encode(CALL), voice=voice)
    assert [type(piece) for piece in pieces] == [ToolCall]
    assert not context.talker.ready()


# --- the order of things ---------------------------------------------------------------------


def test_sound_comes_while_words_still_come(reference, chat, voice):
    tokens = chat.encode("one two three four five " * 12)
    for preview, codes in ((False, 24), (True, 12)):
        context = new_living(reference)
        given = context.prefill(TextPiece(chat.reply_begin))
        context.catch_up()
        left = [*tokens, EOS]
        sampler = SimpleNamespace(
            draw_noise=lambda: None, choose=lambda *_, left=left: torch.tensor(left.pop(0))
        )
        reply = Reply(context, voice=voice, seed=0, preview=preview, max_codes=80)
        words = GatedTokens(Spelling(chat), ToolGate(()))
        thought = 0
        for piece in reply.think(given.logits, words, sampler, stops=(EOS,), max_tokens=100):
            if isinstance(piece, Sounded):
                break
            thought += 1
        assert thought == codes  # a code for every token, and not one token more
        times = reply.times
        assert times.first_words <= times.first_code <= times.first_sound
        assert times.words_ended is None


@pytest.mark.parametrize("after", range(0, 60, 5))
def test_no_more_than_a_step_after_a_cancel(reference, chat, voice, after, monkeypatch):
    context = new_living(reference)
    steps = []
    reply, pieces = scripted(chat, context, chat.encode("one two three " * 5), voice=voice)
    for part in (context.thinker, context.talker):
        step = part.step

        def counted(*given, step=step):
            steps.append(1)
            if len(steps) == after:
                reply.cancel()
            return step(*given)

        monkeypatch.setattr(part, "step", counted)
    if not after:
        reply.cancel()
    made = list(pieces)
    assert len(steps) <= after + 1
    assert reply.ended == "cancelled" or len(steps) < after
    assert context.length == context.thinker.positions.length
    assert not context.talker.ready()
    assert context.talker.cache.length == context.talker.prompt_length
    assert "".join(piece.text for piece in made if isinstance(piece, Said)) == reply.text


# --- how far the text has come ---------------------------------------------------------------


@given(
    text=st.text("abc ,.!?好的。123🍲\n", max_size=60),
    lengths=st.lists(st.floats(0, 3), max_size=20),
    learnt=st.lists(st.tuples(st.text("ab好. ", max_size=20), st.floats(0, 30)), max_size=5),
)
def test_what_has_sounded_grows_with_the_sound_and_never_beyond_the_text(text, lengths, learnt):
    pace = Pace()
    for said, seconds in learnt:
        pace.learn(said, seconds)
    assert 1 / 4 <= pace.scale <= 4
    progress, before, sounded = Progress(pace), 0, 0.0
    for index, seconds in enumerate(lengths):
        sounded += seconds
        so_far = text[: len(text) * (index + 1) // len(lengths)]
        upto = progress.upto(so_far, sounded)
        assert before <= upto <= len(so_far)
        before = upto
    assert Progress(pace).upto(text, pace.seconds(text) + 1e-6) == len(text)


def test_a_slow_voice_is_learnt():
    pace = Pace()
    text = "It takes its time, and then some."
    usual = pace.seconds(text)
    for _ in range(60):
        pace.learn(text, 1.5 * usual)
    assert pace.seconds(text) == pytest.approx(1.5 * usual, rel=0.1)
    half = Progress(pace).upto(text, 0.75 * usual)
    assert 0.35 * len(text) < half < 0.65 * len(text)
    pace.learn(text, 100 * usual)  # noise
    assert pace.seconds(text) == pytest.approx(1.5 * usual, rel=0.1)
    assert Pace().seconds("你好吗") > Pace().seconds("abc")


def test_the_last_piece_covers_everything_and_a_finished_reply_is_learnt(
    reference, chat, voice, monkeypatch
):
    """With a Talker that finds its end where the words should."""
    text = "one two three four"
    context = new_living(reference)
    step, made = type(context.talker).take, []

    def take(talker):
        code = step(talker)
        made.append(code)
        return 8294 if len(made) > 75 else code

    monkeypatch.setattr(type(context.talker), "take", take)
    scale = voice.pace.scale
    _, pieces = scripted(chat, context, chat.encode(text), voice=voice, codes=400)
    sounds = [piece for piece in pieces if isinstance(piece, Sounded)]
    upto = [piece.text_upto for piece in sounds]
    assert upto == sorted(upto)
    assert upto[-1] == len(text)
    assert sum(len(piece.samples) for piece in sounds) == 75 * 480
    assert voice.pace.scale > scale
