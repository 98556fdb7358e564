"""The language model: a GGUF file, run by llama.cpp's server inside this process.

Every conversation owns a slot, that is a KV cache of its own. A prompt's fixed beginning is
prefilled once, saved to disk, and restored at the next start in milliseconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import secrets
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from omni_agent.errors import ContextFull, GenerationError, MissingExtra, ModelLoadError
from omni_agent.events import Usage

logger = logging.getLogger("omni_agent.model")

PREFILL_BLOCK = 32
"""Tokens per prefill step: larger is a little faster, smaller lets a cancel land sooner."""

KEPT_STATES = 12
"""Saved prompts on disk (tens of megabytes each); the least recently used go first."""

ALTERNATIVES = 12
"""How many tokens `first_token` tells the probability of."""

Progress = Callable[[int, int], None]
"""Told (tokens done, tokens in all) while a prompt is prefilled."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The end of a completion."""

    reason: Literal["done", "length"]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen; `grammar` in llguidance's language bounds what can be said."""

    temperature: float = 0.0
    seed: int | None = None
    grammar: str | None = None


GREEDY = Sampling()


@dataclass(frozen=True, slots=True)
class FirstToken:
    """`text` is empty where the answer would end at once. `likely`: token → probability."""

    text: str
    likely: dict[str, float]
    usage: Usage


class Thinker:
    """A loaded language model that serves several conversations at once.

    `context_tokens` is what one conversation can hold; `states` is the folder of saved prompts.
    """

    def __init__(
        self, path: Path, *, states: Path, threads: int, context_tokens: int = 4096, slots: int = 4
    ) -> None:
        try:
            import xllamacpp
        except ImportError as error:
            raise MissingExtra("xllamacpp", "compact", needed_for="the compact model") from error
        if not path.is_file():
            raise ModelLoadError(f"the thinker's file {path} is missing")
        states.mkdir(parents=True, exist_ok=True)
        # The server also listens on a loopback port (only its slot files need it): nobody else
        # on this machine may use it, hence the key.
        key = secrets.token_urlsafe(24)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = context_tokens * slots
        params.n_parallel = slots
        params.kv_unified = True
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.n_batch = params.n_ubatch = PREFILL_BLOCK
        params.cpuparams.poll = params.cpuparams_batch.poll = (
            0  # idle threads leave the cores to ears and voice
        )
        # On CPUs its kernel takes a tenth longer to read a turn that follows a long prompt.
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.cache_ram_mib = 0
        params.slot_save_path = f"{states}/"
        params.endpoint_slots = True
        params.api_keys = [key]
        params.verbosity = -1
        try:
            self._server = xllamacpp.Server(params)
        except Exception as error:
            raise ModelLoadError(f"llama.cpp cannot load {path}: {error}") from error
        self.context_tokens = context_tokens
        self._http = httpx.Client(
            base_url=self._server.listening_address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=60,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._states = states
        self._fingerprint = f"{path.name}:{path.stat().st_size}:{context_tokens}:v2"
        self._workers = ThreadPoolExecutor(slots, thread_name_prefix="thinker")
        self._owners: dict[int, str] = {}  # slot → conversation, least recently used first
        self._fixed: dict[str, list[int]] = {}  # prompts' beginnings → their tokens
        self._slots = slots
        self._lock = threading.Lock()

    async def complete(
        self,
        prompt: str,
        *,
        slot: int,
        max_tokens: int,
        sampling: Sampling = GREEDY,
        on_progress: Progress | None = None,
    ) -> AsyncGenerator[str | Completed, None]:
        """Stream pieces of text, then `Completed`. Closing the iterator stops the work.

        Raises ContextFull if the prompt does not fit, GenerationError if llama.cpp fails.
        """
        body = self._body(prompt, slot, max_tokens, sampling)
        reason: Literal["done", "length"] = "done"
        async with aclosing(self._chunks(body)) as chunks:
            async for chunk in chunks:
                if (progress := chunk.get("prompt_progress")) and on_progress:
                    on_progress(progress["processed"], progress["total"])
                for choice in chunk["choices"]:
                    if choice["text"]:
                        yield choice["text"]
                    if choice["finish_reason"] == "length":
                        reason = "length"
                if usage := _usage(chunk):
                    yield Completed(reason, usage)

    async def prefill(self, prompt: str, *, slot: int, on_progress: Progress | None = None) -> None:
        """Take `prompt` into the slot's KV cache."""
        pieces = self.complete(prompt, slot=slot, max_tokens=0, on_progress=on_progress)
        async with aclosing(pieces):
            async for _ in pieces:
                pass

    async def first_token(
        self, prompt: str, *, slot: int, sampling: Sampling, alternatives: int = ALTERNATIVES
    ) -> FirstToken:
        """The token that the answer would begin with, and what else it might have been."""
        body = self._body(prompt, slot, 1, sampling) | {"n_probs": alternatives}
        text, likely, usage = "", {}, Usage()
        async with aclosing(self._chunks(body)) as chunks:
            async for chunk in chunks:
                for choice in chunk["choices"]:
                    text += choice["text"]
                    for token in (choice.get("logprobs") or {"content": []})["content"]:
                        for other in token["top_logprobs"]:
                            likely[other["token"]] = math.exp(other["logprob"])
                usage = _usage(chunk) or usage
        return FirstToken(text, likely, usage)

    async def open_slot(
        self, owner: str, fixed: str, *, on_progress: Progress | None = None
    ) -> int:
        """The slot of conversation `owner`, with at least `fixed` (the prompt's beginning) in it.

        Where more conversations are open than there are slots, the one that was silent for the
        longest gives its slot up; it is prefilled again when it goes on.
        """
        with self._lock:
            slot = next((s for s, o in self._owners.items() if o == owner), None)
            mine = slot is not None
            if slot is None:
                free = [s for s in range(self._slots) if s not in self._owners]
                slot = free[0] if free else next(iter(self._owners))
            self._owners.pop(slot, None)
            self._owners[slot] = owner
        if not mine:
            await self._restore_or_prefill(slot, fixed, on_progress)
        return slot

    def release(self, owner: str) -> None:
        """The conversation is over; its slot is free."""
        with self._lock:
            for slot in [s for s, o in self._owners.items() if o == owner]:
                del self._owners[slot]

    def close(self) -> None:
        self._http.close()
        self._workers.shutdown(wait=True, cancel_futures=True)
        del self._server

    def _body(self, prompt: str, slot: int, max_tokens: int, sampling: Sampling) -> dict[str, Any]:
        return {
            "prompt": self._spelt(prompt),
            "id_slot": slot,
            "n_predict": max_tokens,
            "temperature": sampling.temperature,
            "seed": -1 if sampling.seed is None else sampling.seed,
            "cache_prompt": True,
            "stream": True,
            "return_progress": True,  # a chunk per prefilled block, so that a cancel lands there
            **({} if sampling.grammar is None else {"grammar": sampling.grammar}),
        }

    def _spelt(self, prompt: str) -> str | list[int | str]:
        """The prompt with its fixed beginning as tokens: splitting that anew takes 12 ms."""
        for fixed, tokens in self._fixed.items():
            if prompt.startswith(fixed):
                return [*tokens, prompt[len(fixed) :]] if len(prompt) > len(fixed) else [*tokens]
        return prompt

    async def _chunks(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """What llama.cpp streams, carried from its worker thread into this event loop."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[dict[str, Any] | BaseException | None] = asyncio.Queue()
        stopped = threading.Event()
        most = self.context_tokens

        def deliver(item: dict[str, Any] | BaseException | None) -> bool:
            if not stopped.is_set():
                loop.call_soon_threadsafe(queue.put_nowait, item)
            return stopped.is_set()  # True tells llama.cpp to stop

        def work() -> None:
            try:
                self._server.handle_completions(body, deliver)
            except Exception as error:
                deliver(error)
            else:
                deliver(None)

        self._workers.submit(work)
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, BaseException):
                    raise GenerationError(f"the thinker broke down: {item}") from item
                if problem := item.get("error"):
                    if problem.get("type") == "exceed_context_size_error":
                        raise ContextFull(
                            f"the prompt has {problem['n_prompt_tokens']} tokens; "
                            f"{problem['n_ctx']} fit into the model's context"
                        )
                    raise GenerationError(f"the thinker refused: {problem['message']}")
                # Told before the first block is prefilled. llama.cpp itself would let one
                # conversation take the room of all.
                if (tokens := item.get("prompt_progress", {}).get("total", 0)) > most:
                    raise ContextFull(
                        f"the conversation has {tokens} tokens; the model's context takes {most}"
                    )
                yield item
        finally:
            stopped.set()

    async def _restore_or_prefill(
        self, slot: int, fixed: str, on_progress: Progress | None
    ) -> None:
        if fixed not in self._fixed:
            self._fixed[fixed] = await asyncio.to_thread(self._split, fixed)
        digest = hashlib.sha256(f"{self._fingerprint}\0{fixed}".encode()).hexdigest()[:24]
        file = self._states / f"{digest}.kv"
        if file.exists():
            try:
                await asyncio.to_thread(self._slot_file, slot, "restore", file.name)
            except GenerationError as error:
                logger.warning("a saved prompt cannot be used and is made again: %s", error)
                file.unlink(missing_ok=True)
            else:
                file.touch()
                return
        await self.prefill(fixed, slot=slot, on_progress=on_progress)
        # Written under another name first: a process killed here leaves no half of a state.
        partial = f"{digest}.{secrets.token_hex(4)}.part"
        await asyncio.to_thread(self._slot_file, slot, "save", partial)
        (self._states / partial).replace(file)
        kept = sorted(self._states.glob("*.kv"), key=lambda f: f.stat().st_mtime, reverse=True)
        for old in kept[KEPT_STATES:]:
            old.unlink(missing_ok=True)

    def _split(self, text: str) -> list[int]:
        reply = self._http.post(
            "/tokenize", json={"content": text, "add_special": True, "parse_special": True}
        )
        if reply.is_error:
            raise GenerationError(f"cannot split a prompt into tokens: {reply.text}")
        return list(reply.json()["tokens"])

    def _slot_file(self, slot: int, action: Literal["save", "restore"], name: str) -> None:
        reply = self._http.post(f"/slots/{slot}?action={action}", json={"filename": name})
        if reply.is_error:
            raise GenerationError(f"cannot {action} the prompt state {name}: {reply.text}")


def _usage(chunk: dict[str, Any]) -> Usage | None:
    told = chunk.get("usage")
    if not told:
        return None
    cached = told["prompt_tokens_details"]["cached_tokens"]
    return Usage(told["prompt_tokens"], cached, told["completion_tokens"])
