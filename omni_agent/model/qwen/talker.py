"""The Talker's living context: codes of speech, made while the Thinker still thinks.

What the Talker reads of a conversation is, for each token, the Thinker's final hidden state plus
its input embedding. Of a reply it reads one token per code: it begins when the Thinker has
forwarded the reply's first token, and before code n it needs token n. When the words are used up
it reads an end mark, and then nothing but padding until it ends its speech.

A trap for whoever compares: from 5.20 on, transformers' generate drops an attention mask without
padding, and its Talker, which takes the mask for the sign of a prompt, then leaves out the marks
that begin a speech and counts plain positions instead of TMRoPE ids. Here it is as in the versions
before, and as in theirs for a padded batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from omni_agent.errors import GenerationError, UsageError
from omni_agent.model.qwen.cache import KVCache
from omni_agent.model.qwen.graphs import WARM_UP, CUDAGraphed, records_graphs
from omni_agent.model.qwen.readback import Readback
from omni_agent.model.qwen.reply_queue import ReplyQueue
from omni_agent.model.qwen.sampling import Sampler, SamplingOptions, is_sound

SOUNDS = 8194
"""Codes from here on have no sound: the DiT has no embedding for them."""

MAX_CODES = 4096
"""In one reply; 82 s of speech. As in transformers."""

CHUNK = 512
"""Tokens that are prefilled in one forward."""

_BROKEN = -1
"""Told in place of a code that was chosen from logits that are no numbers."""


def talker_sampling(
    config: Any,
    *,
    temperature: float = 0.9,
    top_k: int = 40,
    top_p: float = 0.8,
    repetition_penalty: float = 1.05,
) -> SamplingOptions:
    """transformers' own, for a talker_config; of codes without sound only the stops are chosen."""
    silent = set(range(SOUNDS, config.vocab_size)) - stop_codes(config)
    return SamplingOptions(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        repetition_penalty=repetition_penalty,
        suppressed=tuple(sorted(silent)),
    )


def stop_codes(config: Any) -> frozenset[int]:
    """The codes that end a speech, for a talker_config; they have no sound."""
    return frozenset({config.tts_codec_pad_token_id, config.tts_codec_end_token_id})


class TalkerContext:
    """One conversation of up to `limit` positions with a Qwen2_5OmniTalkerForConditionalGeneration.

    The prompt grows by `extend` and stays. A reply is `begin`, then in any order `push` for every
    further token, `close` after the last, `step` for every further code, `take` for its number;
    and at its end, or anywhere before it, `cut_to_prompt`.

    `text_embeddings`: the Thinker's. `static`: step in fixed shapes, recorded as graphs; by
    default where there are graphs. Nothing here waits for the device but `take`.
    """

    def __init__(
        self,
        talker: Any,
        text_embeddings: Any,
        limit: int,
        *,
        sampling: SamplingOptions | None = None,
        static: bool | None = None,
    ) -> None:
        config = talker.config
        weight = talker.codec_head.weight
        device, dtype = weight.device, weight.dtype
        self.device = device
        self.stops = stop_codes(config)
        self.cache = KVCache.of(config, limit, dtype=dtype, device=device)
        self.prompt_length = 0
        self._talker = talker
        self._text_embeddings = text_embeddings
        self._config = config
        self._sampler = Sampler(config.vocab_size, sampling or talker_sampling(config), device)
        self._codes = Readback(device)
        self._highest_id = torch.zeros(limit, dtype=torch.int64, device=device)  # of a token's 3
        self._static = records_graphs(device) if static is None else static
        self._graphs: dict[tuple[str, int], CUDAGraphed[Tensor]] = {}
        self._queue = ReplyQueue(config.embedding_size, dtype=dtype, device=device)
        # What a step reads and moves on, at fixed addresses: the code before, and where the cache
        # and the ids have come to.
        one = partial(torch.zeros, 1, dtype=torch.int64, device=device)
        self._code, self._row, self._id = one(), one(), one()
        self._begun = False
        self._made = 0

    # --- the prompt --------------------------------------------------------------------------

    @torch.no_grad()
    def extend(self, talker_inputs: Tensor, positions: Tensor, *, start: int | None = None) -> None:
        """Read more of the conversation: [n, d] at TMRoPE ids [3, n].

        From `start` on, if that is before the end: what was there is void. Raises ContextFull.
        """
        if self._begun:
            raise UsageError("The Talker is in a reply; cut_to_prompt() ends it.")
        if start is not None:
            self.cut(start)
        count = len(talker_inputs)
        self.cache.need(count)
        self._highest_id[self.prompt_length : self.prompt_length + count] = positions.amax(0)
        try:
            for begin in range(0, count, CHUNK):
                piece = slice(begin, begin + CHUNK)
                mask = self.cache.mask(len(talker_inputs[piece]))
                self._run(talker_inputs[piece], positions[:, piece], mask)
        except BaseException:
            self.cache.cut(self.prompt_length)
            raise
        self.prompt_length = self.cache.length

    def cut(self, length: int) -> None:
        """Forget the prompt from `length` on, and the reply, as if they had never been there."""
        if not 0 <= length <= self.prompt_length:
            raise ValueError(f"a prompt of {self.prompt_length} tokens cannot be cut to {length}")
        self.prompt_length = length
        self.cut_to_prompt()

    def cut_to_prompt(self) -> None:
        """End a reply, or do nothing if there is none; its positions and codes are forgotten."""
        self.cache.cut(self.prompt_length)
        self._codes.clear()
        self._begun = False

    # --- a reply -----------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """Codes that were made and not taken."""
        return len(self._codes)

    def ready(self) -> bool:
        """Whether the next code can be made without waiting for the Thinker."""
        if not self._begun or self._made >= MAX_CODES:
            return False
        return self._queue.closed or self._queue.ahead > 0

    @torch.no_grad()
    def begin(self, bos_token: int, first: Tensor, *, seed: int | None = None) -> None:
        """Begin a reply and make its first code.

        `bos_token`: the speaker's. `first`: [d], hidden state + embedding of the reply's first
        token. Raises ContextFull.
        """
        if self._begun:
            raise UsageError("The Talker is in a reply; cut_to_prompt() ends it.")
        length, config = self.prompt_length, self._config
        self.cache.need(2)
        marks = self._embed(config.tts_codec_pad_token_id, config.tts_codec_start_token_id)
        inputs = torch.stack([self._embed_text(bos_token), first]) + marks
        ids = torch.arange(2, device=self.device)
        if length:
            ids = ids + self._highest_id[length - 1] + 1
        seen = (config.tts_codec_pad_token_id, config.tts_codec_start_token_id)
        self._sampler.begin(seed, (config.tts_codec_mask_token_id, *seen) if length else seen)
        # The ids of the codes go on from the highest there is, which need not be the last.
        highest = torch.cat([self._highest_id[:length], ids]).amax()
        self._begun, self._made = True, 1
        self._queue.begin()
        rows = torch.arange(length, length + 2, device=self.device)
        noise = self._sampler.draw_noise()
        if self._static:
            make = self._recorded(self._make_first, self.cache.window_for(length + 2))
            code = make(inputs, rows, ids, noise)
            self.cache.advance(2)
        else:
            code = self._make_first(inputs, rows, ids, noise)
        self._row.fill_(length + 2)
        self._id.copy_(highest + 1)
        self._codes.send(code)

    @torch.no_grad()
    def push(self, talker_input: Tensor) -> None:
        """Hidden state + embedding, [d], of the reply's next token."""
        self._must_be_in_a_reply()
        self._queue.push(talker_input)

    @torch.no_grad()
    def close(self) -> None:
        """The reply has no more tokens to be spoken."""
        self._must_be_in_a_reply()
        self._queue.push(self._embed_text(self._config.tts_text_end_token_id))
        self._queue.close(self._embed_text(self._config.tts_text_pad_token_id))

    @torch.no_grad()
    def step(self) -> None:
        """Make the next code. Only when `ready`; raises ContextFull."""
        if not self.ready():
            raise UsageError("The next code cannot be made yet, or not any more: see ready().")
        self.cache.need(1)
        noise = self._sampler.draw_noise()
        if self._static:
            window = self.cache.window_for(self.cache.length + 1)
            code = self._recorded(self._make_next, window)(noise)
            self.cache.advance(1)
        else:
            code = self._make_next(noise)
        self._queue.was_read()
        self._made += 1
        self._codes.send(code)

    def take(self) -> int:
        """The oldest code that was not taken; waits until the device has made it.

        To be called one `step` late, so that the device need not wait for the next one: after a
        stop code (`stops`) there is then one code too many, which `cut_to_prompt` forgets. Raises
        GenerationError if the Talker's logits were no numbers.
        """
        if not self.pending:
            raise UsageError("No code was made that was not taken.")
        code = self._codes.take()
        if code == _BROKEN:
            raise GenerationError(
                f"The voice broke down: the Talker's logits are no numbers (code "
                f"{self._made - self.pending - 1} of the reply)."
            )
        return code

    def warm_up(self) -> None:
        """Record all graphs, so that no reply waits for it. Only while there is no prompt."""
        if self.cache.length:
            raise UsageError("A Talker is warmed up before it has a prompt.")
        rows = torch.arange(2, device=self.device)
        first = self._embed(0, 0)
        for window in self.cache.windows if self._static else ():
            for _ in range(WARM_UP + 1):
                noise = self._sampler.draw_noise()
                self._recorded(self._make_first, window)(first, rows, rows, noise)
                self._row.zero_()
                self._recorded(self._make_next, window)(noise)
        self.cache.cut(0)

    def _must_be_in_a_reply(self) -> None:
        if not self._begun:
            raise UsageError("There is no reply; begin() begins one.")

    # --- on the device -----------------------------------------------------------------------

    def _make_first(
        self, inputs: Tensor, rows: Tensor, ids: Tensor, noise: Tensor, *, window: int | None = None
    ) -> Tensor:
        """The two positions that begin a reply, [2, d] at rows [2] and ids [2] → a code [1]."""
        return self._choose(self._forward(inputs, ids.expand(3, -1), rows, window), noise)

    def _make_next(self, noise: Tensor, *, window: int | None = None) -> Tensor:
        """One code [1]. Reads and moves on what is at fixed addresses, and nothing of the host."""
        inputs = self._talker.get_input_embeddings()(self._code) + self._queue.read()  # [1, d]
        hidden = self._forward(inputs, self._id.expand(3, 1), self._row, window)
        self._row.add_(1)
        self._id.add_(1)
        return self._choose(hidden, noise)

    def _choose(self, hidden: Tensor, noise: Tensor) -> Tensor:
        """Hidden states [n, h] → the code [1] to be told; the chosen one is kept for the next."""
        logits = self._talker.codec_head(hidden[-1]).float()
        code = self._sampler.choose(logits, noise)
        self._code.copy_(code)
        return torch.where(is_sound(logits), code, _BROKEN).view(1)

    def _recorded(self, make: Callable[..., Tensor], window: int) -> CUDAGraphed[Tensor]:
        key = make.__name__, window
        if key not in self._graphs:
            self._graphs[key] = CUDAGraphed(partial(make, window=window), self.device)
        return self._graphs[key]

    def _forward(self, inputs: Tensor, ids: Tensor, rows: Tensor, window: int | None) -> Tensor:
        """[n, d] at ids [3, n] → final hidden states [n, h]; keys and values go to the cache.

        With a window they go to `rows` [n], and nothing hangs on the host; else to its end.
        """
        if window is None:
            return self._run(inputs, ids, self.cache.mask(len(inputs)))
        with self.cache.static(rows, window):
            return self._run(inputs, ids, self.cache.static_mask(rows, window))

    def _run(self, inputs: Tensor, ids: Tensor, mask: Tensor | None) -> Tensor:
        hidden: Tensor = self._talker.model(
            inputs_embeds=self._talker.thinker_to_talker_proj(inputs)[None],
            position_ids=ids[:, None],
            attention_mask={"full_attention": mask},
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state
        return hidden[0]

    def _embed(self, *codes: int) -> Tensor:
        weight: Tensor = self._talker.get_input_embeddings().weight
        return torch.stack([weight[code] for code in codes])

    def _embed_text(self, token: int) -> Tensor:
        weight: Tensor = self._text_embeddings.weight
        return weight[token].to(self.cache.keys)
