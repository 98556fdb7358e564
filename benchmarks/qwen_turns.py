"""What benchmarks/qwen_engine.py measures: turns of the engine, its stages, and transformers' own.

A turn: instructions and tools are in the context; 10 s of speech are fed in pieces of 100 ms, at
full speed; the clock starts when the last piece is fed. The reply has 60 tokens and 500 codes,
which are 10 s. Finding the end of speech is not in it, nor the way to the loudspeaker.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from qwen_floors import LAST_TOKENS, bigvgan, dit
from qwen_random import (
    ASSISTANT,
    AUDIO,
    AUDIO_BEGIN,
    AUDIO_END,
    RATE,
    SPEAKER,
    SPEAKER_BOS,
    TURN_END,
    USER,
    speech,
    system_turn,
    words,
)

from omni_agent.media import Audio
from omni_agent.model.qwen.audio_in import SoundBlocks, encode_blocks
from omni_agent.model.qwen.codec_windows import Solver
from omni_agent.model.qwen.gated import GatedTokens
from omni_agent.model.qwen.graphs import SWITCH
from omni_agent.model.qwen.incoming import IncomingSound
from omni_agent.model.qwen.living import LivingContext
from omni_agent.model.qwen.parts import TextPiece
from omni_agent.model.qwen.plan import REPLY_CODES
from omni_agent.model.qwen.sampling import Sampler, SamplingOptions
from omni_agent.model.qwen.speech import Reply, Sounded
from omni_agent.model.qwen.talker import TalkerContext
from omni_agent.model.qwen.thinker import Prefilled, ThinkerContext
from omni_agent.model.qwen.token2wav import _STRETCHES as STRETCHES
from omni_agent.model.qwen.token2wav import _WINDOWS as WINDOWS
from omni_agent.model.qwen.token2wav import SAMPLE_RATE, SAMPLES_PER_CODE, CodecVoice
from omni_agent.model.qwen.tokens import Spelling
from omni_agent.model.qwen.voicing import Voice
from omni_agent.model.tool_gate import ToolGate

SPEECH_SECONDS = 10.0
PIECE = RATE // 10
TOKENS, CODES = 60, 500
REPLY_SECONDS = CODES * SAMPLES_PER_CODE / SAMPLE_RATE
CLOSING = [*TURN_END, *ASSISTANT]
OPENING = [*TURN_END, *USER]
"""Between a reply and what the user says to it."""


class AllWords:
    """In place of a tokenizer: every token is a word."""

    def spelling(self, token: int) -> bytes:
        return b" word"


class Engine:
    """The engine as a session keeps it: contexts and graphs are made once, and used again."""

    def __init__(
        self,
        model: Any,
        *,
        limit: int,
        prompt: int,
        solver: Solver = "rk4",
        tf32: bool = False,
        graphs: bool = True,
    ) -> None:
        self.model = model
        self.device = model.thinker.lm_head.weight.device
        vocab = model.thinker.lm_head.weight.shape[0]
        self._sampler = Sampler(vocab, SamplingOptions(temperature=0), self.device)
        self._sound = speech(SPEECH_SECONDS, seed=1)
        self.prefilled = 0  # tokens that were forwarded, but for those of replies
        with _switched(graphs):
            thinker = ThinkerContext(model.thinker, limit)
            embeddings = model.thinker.get_input_embeddings()
            self.talker = TalkerContext(model.talker, embeddings, limit + REPLY_CODES)
            self.context = LivingContext(thinker, self.talker)
            self.codec = CodecVoice(model.token2wav, solver=solver, tf32=tf32)
            speaker = model.speaker_map[SPEAKER]
            features = self.codec.speaker(speaker["cond"], speaker["ref_mel"])
            self.voice = Voice(SPEAKER, SPEAKER_BOS, features, self.codec)
            self.context.warm_up()
            self.codec.warm_up(features)
        self.read(system_turn(prompt))
        self.start = self.context.length

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def forget(self) -> None:
        """Go back to where only instructions and tools are in the context."""
        self.context.cut(self.start)

    def read(self, tokens: list[int]) -> Prefilled:
        done = self.context.prefill(TextPiece(tokens))
        self.context.catch_up()
        self.prefilled += len(done.token_ids)
        return done

    def hear(self) -> tuple[Prefilled, float]:
        """10 s of speech up to where the reply begins; and when its last piece came."""
        incoming = IncomingSound(self.context.thinker)
        pieces = [
            Audio(self._sound[at : at + PIECE], RATE) for at in range(0, len(self._sound), PIECE)
        ]
        for piece in pieces[:-1]:
            self._note(incoming.feed(piece))
        self.synchronize()
        began = time.perf_counter()
        self._note(incoming.feed(pieces[-1]))
        done = incoming.close(TextPiece(CLOSING))
        self._note(done)
        return done, began

    def _note(self, done: Prefilled | None) -> None:
        if done is not None:
            self.context.note(done)
            self.context.catch_up()
            self.prefilled += len(done.token_ids)

    def reply(self, done: Prefilled, *, aloud: bool, preview: bool = False) -> tuple[Reply, Any]:
        reply = Reply(
            self.context,
            voice=self.voice if aloud else None,
            seed=0,
            preview=preview,
            max_codes=CODES,
        )
        spelt = GatedTokens(Spelling(AllWords()), ToolGate(frozenset()))
        self._sampler.begin()
        return reply, reply.think(done.logits, spelt, self._sampler, stops=(), max_tokens=TOKENS)

    # --- figures, in seconds -------------------------------------------------------------------

    def first_sound(self, *, preview: bool) -> float:
        done, began = self.hear()
        _, pieces = self.reply(done, aloud=True, preview=preview)
        next(piece for piece in pieces if isinstance(piece, Sounded))
        ended = time.perf_counter()  # the samples are on the host
        pieces.close()
        self.forget()
        return ended - began

    def whole_reply(self, *, preview: bool) -> tuple[float, float]:
        """From the first token to the last sample; and how much sound was in hand at the least.

        The latter counts from the first sound on, as if it were played at once: below 0 it stops.
        """
        done, _ = self.hear()
        self.synchronize()
        began = time.perf_counter()
        reply, pieces = self.reply(done, aloud=True, preview=preview)
        given, first, in_hand = 0.0, 0.0, float("inf")
        for piece in pieces:
            if isinstance(piece, Sounded):
                now = time.perf_counter()
                first = first or now
                if given:
                    in_hand = min(in_hand, given - (now - first))
                given += len(piece.samples) / SAMPLE_RATE
        self.synchronize()
        took = time.perf_counter() - began
        if (len(reply.tokens), reply.codes) != (TOKENS, CODES):
            raise RuntimeError(f"the reply had {len(reply.tokens)} tokens and {reply.codes} codes")
        self.forget()
        return took, in_hand

    def token(self) -> float:
        """Of the Thinker, by itself: its step, the choice, and the number's way to the host."""
        done, _ = self.hear()
        self.synchronize()
        began = time.perf_counter()
        _, pieces = self.reply(done, aloud=False)
        for _ in pieces:
            pass
        self.synchronize()
        took = time.perf_counter() - began
        self.forget()
        return took / TOKENS

    def code(self) -> float:
        """Of the Talker, by itself: as with the Thinker."""
        done, _ = self.hear()
        self.synchronize()
        began = time.perf_counter()
        self.talker.begin(SPEAKER_BOS, done.talker_inputs[-1], seed=0)
        self.talker.close()
        for _ in range(CODES - 1):
            self.talker.step()
            self.talker.take()  # the one before
        self.talker.take()
        took = time.perf_counter() - began
        self.talker.cut_to_prompt()
        self.forget()
        return took / CODES

    def later_turn(self, exchanges: int = 3) -> dict[str, float]:
        """A turn after `exchanges` of 10 s of speech and a reply: how much of it is prefilled."""
        for _ in range(exchanges):
            done, _ = self.hear()
            for _ in self.reply(done, aloud=False)[1]:
                pass
            before, self.prefilled = self.context.length, 0
            self.read(OPENING)
        _, began = self.hear()
        self.synchronize()
        seconds = time.perf_counter() - began
        length = self.context.length
        found = {"prefilled": self.prefilled, "new": length - before, "whole": length}
        self.forget()
        return found | {"seconds": seconds}

    # --- stages --------------------------------------------------------------------------------

    def stages(self, prompt: int) -> dict[str, Callable[[], Any]]:
        """What each stage does; `forget` must follow."""
        blocks = SoundBlocks()
        blocks.push(self._sound)
        block = blocks.features(0)
        windows, device = self.codec.windows, self.device
        last = words(LAST_TOKENS, seed=2)
        read = self.context.thinker.prefill(TextPiece(last))
        self.forget()

        def spectrum() -> None:
            heard = SoundBlocks()
            for at in range(0, len(self._sound), PIECE):
                heard.push(self._sound[at : at + PIECE])

        @torch.no_grad()
        def encoder() -> None:
            encode_blocks(self.model.thinker.model.audio_tower, [block])

        def thinker() -> None:
            self.context.thinker.prefill(TextPiece(last))

        def thinker_whole() -> None:
            self.context.thinker.prefill(TextPiece(words(prompt, seed=3)))

        def talker() -> None:
            self.talker.extend(read.talker_inputs, read.positions)

        found: dict[str, Callable[[], Any]] = {
            "log-mel, 10 s in 100 pieces": spectrum,
            "audio encoder, 2 s": encoder,
            f"Thinker reads {prompt} tokens": thinker_whole,
            "Thinker reads the end": thinker,
            "Talker reads the end": talker,
        }
        for count in WINDOWS:
            codes = torch.arange(12 * count, device=device)
            noise = torch.randn(24 * count, 80, device=device)
            found[dit(count)] = lambda c=codes, n=noise: windows.mel(c, n, self.voice.features)
        for frames in STRETCHES:
            mel = torch.randn(frames, 80, device=device) - 4
            found[bigvgan(frames)] = lambda m=mel: windows.render(m)
        return found

    def timed(self, work: Callable[[], Any], times: int) -> float:
        """Median of `times`, after one that is not counted; with the launches, and to the end."""
        took = []
        for _ in range(times + 1):
            self.synchronize()
            began = time.perf_counter()
            work()
            self.synchronize()
            took.append(time.perf_counter() - began)
            self.forget()
        return statistics.median(took[1:])

    # --- transformers --------------------------------------------------------------------------

    def generate(self) -> float:
        """The same turn by transformers' generate, to its first sound: that is, to its end."""
        model = self.model
        extractor = transformers.WhisperFeatureExtractor(feature_size=128, chunk_length=300)
        ids = [*system_turn(self.start), AUDIO_BEGIN, *[AUDIO] * 250, AUDIO_END, *CLOSING]
        self.synchronize()
        began = time.perf_counter()
        heard = extractor(
            self._sound,
            sampling_rate=RATE,
            padding="longest",
            return_attention_mask=True,
            return_tensors="pt",
        )
        given = torch.tensor([ids], device=self.device)
        text, sound = model.generate(
            input_ids=given,
            attention_mask=torch.ones_like(given),
            input_features=heard["input_features"].to(self.device, model.thinker.dtype),
            feature_attention_mask=heard["attention_mask"].to(self.device),
            speaker=SPEAKER,
            thinker_max_new_tokens=TOKENS,
            thinker_do_sample=False,
            talker_max_new_tokens=CODES,
        )
        count = len(sound.cpu())
        took = time.perf_counter() - began
        if (text.shape[1] - len(ids), count) != (TOKENS, CODES * SAMPLES_PER_CODE):
            raise RuntimeError(
                f"generate gave {text.shape[1] - len(ids)} tokens and {count} samples; {TOKENS} "
                f"and {CODES * SAMPLES_PER_CODE} were asked for"
            )
        return took


@contextmanager
def _switched(graphs: bool) -> Iterator[None]:
    """Graphs are recorded, or not, by what is made in here."""
    before = os.environ.get(SWITCH)
    if not graphs:
        os.environ[SWITCH] = "1"
    try:
        yield
    finally:
        if not graphs:
            os.environ.pop(SWITCH)
            if before is not None:
                os.environ[SWITCH] = before
