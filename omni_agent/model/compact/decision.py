"""Words or a call, and of which tool: the Thinker and the router vote.

Each label (a tool, or talk) gets a score, a weighted sum of logarithms of probabilities: of the
router's, of the Thinker's first token beginning a call or words, and of the tool's name being
how the Thinker would go on with a call. The highest score wins. The weights were fitted on
utterances that stand in no prompt and that the router had not seen, and on the half of
benchmarks/utterances.toml that may be tuned on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from omni_agent.model.compact.router import NO_TOOL

ROUTED, BEGUN, NAMED = 1.0, 0.25, 0.5
"""What the three votes weigh: the router's, that on the first token, that on the name."""
EAGER = 1.0
"""Added to every tool: a small model is shy of calling."""
LEAST = 0.002
"""No vote counts for less than this probability: none may decide alone."""

CALL_FROM = 0.22
"""Without a router: from this probability of a call on, it is one."""


def decide(
    routed: Mapping[str, float], call: float, named: Mapping[str, float] | None = None
) -> str | None:
    """The tool to call, or None for words.

    `routed`: label → probability, by the router. `call`: that of a call, by the Thinker's first
    token. `named`: tool → that of its name, by the Thinker; left out, it is taken to be certain.
    """
    scores = {
        tool: EAGER
        + BEGUN * _log(call)
        + ROUTED * _log(likely)
        + (NAMED * _log(named.get(tool, 0.0)) if named is not None else 0.0)
        for tool, likely in routed.items()
        if tool != NO_TOOL
    }
    best = max(scores, key=lambda tool: scores[tool])
    words = BEGUN * _log(1 - call) + ROUTED * _log(routed[NO_TOOL])
    return best if scores[best] > words else None


def likely_names(tools: Mapping[str, object], likely: Mapping[str, float]) -> dict[str, float]:
    """Tool → the probability of the token its name begins with."""
    return {
        tool: max((p for token, p in likely.items() if token and tool.startswith(token)), default=0)
        for tool in tools
    }


def probability_of_call(likely: Mapping[str, float]) -> float:
    """How likely an answer that may begin with these tokens is a call."""
    return sum(p for token, p in likely.items() if token.lstrip().startswith("{"))


def _log(probability: float) -> float:
    return math.log(max(LEAST, probability))
