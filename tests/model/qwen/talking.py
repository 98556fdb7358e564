"""What transformers' generate says aloud, and how to have the Talker say it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps

import pytest
import torch
from conversations import (
    close,
    whole,
)

from omni_agent.model.qwen.sampling import SamplingOptions
from omni_agent.model.qwen.talker import TalkerContext

BOS = {"Chelsie": 151872, "Ethan": 151870}


GREEDY = SamplingOptions(temperature=0, repetition_penalty=1.05, suppressed=(8293,))


class Spoken(Exception):
    """generate has come to the sound, which is not asked for here."""


@dataclass
class Generated:
    tokens: list[int]
    codes: list[int]
    states: list[tuple[torch.Tensor, torch.Tensor]]  # keys and values by layer
    prompt: torch.Tensor  # [n, d], what the Talker was given
    reply: torch.Tensor  # [m, d]


def generated(reference, pieces, *, tokens=8, codes=24, seed=None, speaker="Chelsie", eos=151643):
    """What transformers' generate makes of a conversation, its Talker called as it is meant to be.

    From 5.20 on, generate drops a mask without padding, and the Talker, which takes the mask for
    the sign of a prompt, then leaves out the marks of its beginning and counts no TMRoPE ids. Here
    it gets its mask back; `test_a_padded_batch_says_the_same` does without.
    """
    given = whole(pieces).inputs()
    start = given["input_ids"].shape[1]
    talker, thinker = reference.talker, reference.thinker
    speak, think, prepare = talker.generate, thinker.generate, talker.prepare_inputs_for_generation
    found = {}

    @wraps(prepare)
    def with_mask(input_ids, **settings):
        made = prepare(input_ids, **settings)
        return made | {"attention_mask": torch.ones_like(input_ids)}

    def thinking(**settings):
        made = think(**settings)
        found["tokens"] = made.sequences[0, start:].tolist()
        return made

    def speaking(**settings):
        if seed is not None:
            torch.manual_seed(seed)
        # generate hands on what the Talker's own then refuses.
        wanted = {name: settings[name] for name in settings if not name.startswith("pixel_values")}
        made = speak(**wanted, return_dict_in_generate=True)
        first, then = settings["inputs_embeds"][0], settings["thinker_reply_part"][0]
        found["prompt"], found["reply"] = first[:-2], torch.cat([first[-1:], then[:-2]])
        found["codes"] = made.sequences[0, start + 2 :].tolist()
        found["states"] = [(layer.keys, layer.values) for layer in made.past_key_values.layers]
        raise Spoken

    with pytest.MonkeyPatch.context() as watched:
        watched.setattr(talker, "prepare_inputs_for_generation", with_mask)
        watched.setattr(talker, "generate", speaking)
        watched.setattr(thinker, "generate", thinking)
        with pytest.raises(Spoken):
            reference.generate(
                **given,
                speaker=speaker,
                thinker_max_new_tokens=tokens,
                thinker_do_sample=False,
                thinker_eos_token_id=eos,
                thinker_pad_token_id=eos,
                talker_max_new_tokens=codes,
                talker_do_sample=seed is not None,
            )
    return Generated(**found)


def new_talker(reference, limit=4096, sampling=GREEDY, **settings):
    embeddings = reference.thinker.get_input_embeddings()
    return TalkerContext(reference.talker, embeddings, limit, sampling=sampling, **settings)


def think(context, logits, count, eos=151643):
    """Greedy: (tokens, what forwarding them gave). The last one is not forwarded."""
    tokens, steps = [int(logits.argmax())], []
    while len(tokens) < count and tokens[-1] != eos:
        steps.append(context.step(torch.tensor(tokens[-1:])))
        tokens.append(int(steps[-1].logits.argmax()))
    return tokens, steps


def inputs_of(steps):
    return torch.stack([step.talker_input for step in steps])


def ids_of(steps):
    return torch.tensor([step.position for step in steps]).expand(3, -1)


def speak(talker, inputs, count, *, bos=BOS["Chelsie"], seed=None, ahead=None):
    """Codes up to a stop; the Thinker is up to `ahead` tokens ahead of what is read."""
    talker.begin(bos, inputs[0], seed=seed)
    left, codes = list(inputs[1:]), []
    while len(codes) < count:
        while left and not (talker.ready() and ahead and talker._queue.ahead >= ahead):
            talker.push(left.pop(0))
            if ahead:
                break
        if not left and not talker._queue.closed:
            talker.close()
        if talker._made < count:
            talker.step()
        while talker.pending > (talker._made < count):
            codes.append(talker.take())
            if codes[-1] in talker.stops:
                return codes
    return codes


def assert_same_prompt(ours, theirs):
    assert ours.prompt_length == theirs.prompt_length
    end = ours.prompt_length
    close(ours.cache.keys[:, :, :, :end], theirs.cache.keys[:, :, :, :end])
    close(ours.cache.values[:, :, :, :end], theirs.cache.values[:, :, :, :end])


def assert_states(talker, states):
    """The last code is forwarded by neither."""
    for layer, (keys, values) in enumerate(states):
        length = keys.shape[2]
        close(talker.cache.keys[layer, :, :, :length], keys)
        close(talker.cache.values[layer, :, :, :length], values)
