"""Choosing the next id on the device the logits are on; nothing is read back.

The order is that of transformers' `generate`: repetition penalty, suppressed ids, temperature,
top-k, top-p, then one draw. Shapes never depend on data, so that a step with its choice can be
recorded as one CUDA graph. The random numbers of a draw are an argument (`noise`): a graph takes
new ones at every replay without knowing of a generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from omni_agent.errors import SettingsError


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How one id is chosen. Raises SettingsError for values that mean nothing.

    `temperature` 0 is greedy: the best id after penalty and suppression. `top_k` 0 and `top_p` 1.0
    keep everything. `suppressed` ids are never chosen.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    suppressed: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise SettingsError(f"temperature must be 0 (greedy) or more, not {self.temperature}.")
        if self.top_k < 0:
            raise SettingsError(f"top_k must be 0 (all) or more, not {self.top_k}.")
        if not 0 < self.top_p <= 1:
            raise SettingsError(f"top_p must be above 0 and at most 1, not {self.top_p}.")
        if not self.repetition_penalty > 0:
            raise SettingsError(
                f"repetition_penalty must be above 0, not {self.repetition_penalty}."
            )

    @property
    def greedy(self) -> bool:
        return self.temperature == 0


class Sampler:
    """Chooses ids for one sequence after another; remembers what the sequence has seen.

    Its tensors keep their addresses for its whole life. Options cannot change: they are constants
    of a recorded graph.
    """

    def __init__(self, vocab: int, options: SamplingOptions, device: torch.device | str) -> None:
        self.options = options
        self.seen = torch.zeros(vocab, dtype=torch.bool, device=device)
        self.noise = torch.ones(1, vocab, device=device)
        self._suppressed = torch.zeros(vocab, dtype=torch.bool)
        self._suppressed[list(options.suppressed)] = True
        self._suppressed = self._suppressed.to(device)
        self._generator = torch.Generator(device)
        self._generator.seed()

    def begin(self, seed: int | None = None, seen: tuple[int, ...] = ()) -> None:
        """A new sequence that has already `seen` these ids. The same seed gives the same draws."""
        self.seen.zero_()
        for token in seen:
            self.seen[token] = True
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(seed)

    def draw_noise(self) -> Tensor:
        """Fresh random numbers in `noise` [1, vocab]; to be called before every choice."""
        if not self.options.greedy:
            self.noise.exponential_(generator=self._generator)
        return self.noise

    def scores(self, logits: Tensor) -> Tensor:
        """Logits [vocab] → scores [vocab] fp32, minus infinity where an id is out of the choice."""
        options = self.options
        scores = logits.float()
        if options.repetition_penalty != 1:
            penalty = options.repetition_penalty
            penalised = torch.where(scores < 0, scores * penalty, scores / penalty)
            scores = torch.where(self.seen, penalised, scores)
        if options.suppressed:
            scores = scores.masked_fill(self._suppressed, -torch.inf)
        if options.greedy:
            return scores
        if options.temperature != 1:
            scores = scores / options.temperature
        if options.top_k or options.top_p < 1:
            scores = _keep_best(scores, options.top_k, options.top_p)
        return scores

    def choose(self, logits: Tensor, noise: Tensor) -> Tensor:
        """Logits [vocab] → an id [], which counts as seen from now on.

        `noise` is what `draw_noise` gave. Logits that are not numbers give an id without meaning:
        whoever reads ids back must look at `is_sound` too.
        """
        scores = self.scores(logits)
        if not self.options.greedy:
            # What torch.multinomial computes for one draw, without its check on the host: the
            # smallest of exponential waiting times wins with the probability of its rate.
            scores = scores.softmax(dim=-1) / noise[0]
        chosen = scores.argmax(dim=-1)
        self.seen.index_fill_(0, chosen.view(1), True)
        return chosen


def is_sound(logits: Tensor) -> Tensor:
    """[] bool: no logit is NaN and the best is finite."""
    return logits.max().isfinite()


def _keep_best(scores: Tensor, top_k: int, top_p: float) -> Tensor:
    """Minus infinity for all but the `top_k` best and, of these, the `top_p` likeliest.

    Ids tied with the k-th best stay. Which of tied ids fall to top-p is up to the sort, whose
    order of equals depends on its input: it must be given what transformers gives it.
    """
    if top_k:
        worst = scores.topk(min(top_k, len(scores))).values[-1]
        scores = scores.masked_fill(scores < worst, -torch.inf)
    if top_p < 1:
        ascending, ids = scores.sort()
        out = ascending.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
        out[-1] = False
        scores = scores.masked_fill(torch.zeros_like(out).scatter(0, ids, out), -torch.inf)
    return scores
