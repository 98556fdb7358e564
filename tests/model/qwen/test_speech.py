"""A reply comes out as it is made, is what transformers generates, and never speaks a call."""

from __future__ import annotations

import pytest
from conversations import new_context
from test_talker import CONVERSATIONS, SYSTEM, generated, new_talker

from omni_agent.model.qwen.checkpoint import read_checkpoint
from omni_agent.model.qwen.gated import GatedTokens
from omni_agent.model.qwen.living import LivingContext
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
