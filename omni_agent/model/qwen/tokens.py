"""The conversation as tokens: the checkpoint's ChatML, with tools, given out piece by piece.

The published chat template knows no tools. They stand in the system turn in the Hermes form the
Qwen2.5 models were taught; calls and results stand in the turns as they do there.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from omni_agent.errors import ModelLoadError
from omni_agent.messages import ToolCall, ToolResult, ToolSpec

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Qwen2_5OmniConfig

Role = Literal["system", "user", "assistant"]

PERSONA = (
    "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of "
    "perceiving auditory and visual inputs, as well as generating text and speech."
)
"""The models were trained with it as the first sentence; their makers ask that it stands there."""

_TOOLS = """\
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{signatures}
</tools>

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""

_MARKS = ("tool_call", "tool_response", "tools")


@dataclass(frozen=True, slots=True)
class Specials:
    """Token ids that mean something. `audio`, `image` and `video` stand for one feature each."""

    turn_begin: int
    turn_end: int
    end_of_text: int
    audio: int
    audio_begin: int
    audio_end: int
    image: int
    video: int
    vision_begin: int
    vision_end: int


class ChatTokens:
    """Turns of a conversation as token ids of one checkpoint's tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, config: Qwen2_5OmniConfig) -> None:
        self._tokenizer = tokenizer
        self.specials = _specials(tokenizer, config)
        marks = [f"<{slash}{name}>" for name in _MARKS for slash in ("", "/")]
        forgeable = sorted({*tokenizer.get_added_vocab(), *marks}, key=len, reverse=True)
        self._forgeable = re.compile("|".join(map(re.escape, forgeable)))
        self._spellings: list[bytes] | None = None

    def encode(self, text: str) -> list[int]:
        """Marks in `text` become their tokens: not for what others wrote."""
        return self._tokenizer.encode(text, add_special_tokens=False)

    def harmless(self, text: str) -> str:
        """`text` without the means to end its turn, to pose as media or to forge a call."""
        return self._forgeable.sub(lambda mark: "‹" + mark[0][1:], text)

    # --- turns -------------------------------------------------------------------------------

    def turn(self, role: Role) -> Turn:
        """A turn to be filled."""
        return Turn(self, role)

    def system(self, instructions: str, tools: Sequence[ToolSpec] = ()) -> list[int]:
        """The whole first turn: the persona, then `instructions`, then the tools."""
        parts = [PERSONA, instructions.strip()]
        if tools:
            signatures = "\n".join(map(_signature, tools))
            parts.append(_TOOLS.format(signatures=signatures))
        return self.whole_turn("system", "\n\n".join(part for part in parts if part))

    def whole_turn(self, role: Role, text: str) -> list[int]:
        """A turn of nothing but text. Marks in it become their tokens."""
        return self.encode(f"<|im_start|>{role}\n{text}<|im_end|>\n")

    def results(self, results: Sequence[ToolResult]) -> list[int]:
        """The user turn that brings what tools gave back."""
        told = (
            f"<tool_response>\n{self.harmless(result.content)}\n</tool_response>"
            for result in results
        )
        return self.whole_turn("user", "\n".join(told))

    def called(self, calls: Sequence[ToolCall], words: str = "") -> list[int]:
        """An assistant turn that lies in the past: words, then calls, if there were any."""
        said = [self.harmless(words)] if words else []
        for call in calls:
            said.append(f"<tool_call>\n{self.harmless(spell_call(call))}\n</tool_call>")
        return self.whole_turn("assistant", "\n".join(said))

    @property
    def reply_begin(self) -> list[int]:
        """Ask for the assistant's turn: the next token is the model's."""
        return self.encode("<|im_start|>assistant\n")

    @property
    def turn_end(self) -> list[int]:
        """Closes a turn. A reply's own end token is never forwarded, so this follows it too."""
        return self.encode("<|im_end|>\n")

    # --- back to text ------------------------------------------------------------------------

    def spelling(self, token: int) -> bytes:
        """The UTF-8 of one token, which may be a part of a character; b"" for special tokens."""
        if self._spellings is None:
            self._spellings = _spellings(self._tokenizer)
        return self._spellings[token] if token < len(self._spellings) else b""


class Turn:
    """One turn, given out in pieces whose sum is the turn tokenised at once.

    Words may join with those before them into one token, so text is held back until a mark, which
    never joins, or the end follows it.
    """

    def __init__(self, tokens: ChatTokens, role: Role) -> None:
        self._tokens = tokens
        self._opening = f"<|im_start|>{role}\n"
        self._words = ""

    def text(self, words: str) -> None:
        """Add what somebody wrote; marks in it are broken, also where two pieces make one."""
        self._words += words

    def mark(self, token: int) -> list[int]:
        """What was held back, and a special token: the beginning or the end of media."""
        held = self._release()
        return [*(self._tokens.encode(held) if held else ()), token]

    def end(self) -> list[int]:
        """The rest of the turn."""
        return self._tokens.encode(self._release() + "<|im_end|>\n")

    def _release(self) -> str:
        held = self._opening + self._tokens.harmless(self._words)
        self._opening = self._words = ""
        return held


class Spelling:
    """Tokens to text as they come; half a character waits for its other half."""

    def __init__(self, tokens: ChatTokens) -> None:
        self._tokens = tokens
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        return self._decoder.decode(self._tokens.spelling(token))

    @property
    def is_inside(self) -> bool:
        """Whether the last token ended in the middle of a character."""
        return bool(self._decoder.getstate()[0])

    def finish(self) -> str:
        """What is left: "�" where the last character was never completed."""
        return self._decoder.decode(b"", final=True)


def spell_call(call: ToolCall) -> str:
    return json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)


def _signature(spec: ToolSpec) -> str:
    function = {
        "name": spec.name,
        "description": spec.description,
        "parameters": spec.parameters,
    }
    return json.dumps({"type": "function", "function": function}, ensure_ascii=False)


def _specials(tokenizer: PreTrainedTokenizerBase, config: Qwen2_5OmniConfig) -> Specials:
    """Raises ModelLoadError where the tokenizer and the configuration are not of one model."""
    thinker: Any = config.thinker_config
    added = tokenizer.get_added_vocab()
    stated = {
        "<|AUDIO|>": thinker.audio_token_index,
        "<|audio_bos|>": thinker.audio_start_token_id,
        "<|audio_eos|>": thinker.audio_end_token_id,
        "<|IMAGE|>": thinker.image_token_index,
        "<|VIDEO|>": thinker.video_token_index,
    }
    needed = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|vision_bos|>", "<|vision_eos|>")
    for token in (*stated, *needed):
        if token not in added:
            raise ModelLoadError(f"the tokenizer has no token {token}: it is not Qwen2.5-Omni's")
        if token in stated and added[token] != stated[token]:
            raise ModelLoadError(
                f"{token} is {added[token]} in the tokenizer and {stated[token]} in the "
                "configuration: they are not of one model"
            )
    return Specials(
        turn_begin=added["<|im_start|>"],
        turn_end=added["<|im_end|>"],
        end_of_text=added["<|endoftext|>"],
        audio=added["<|AUDIO|>"],
        audio_begin=added["<|audio_bos|>"],
        audio_end=added["<|audio_eos|>"],
        image=added["<|IMAGE|>"],
        video=added["<|VIDEO|>"],
        vision_begin=added["<|vision_bos|>"],
        vision_end=added["<|vision_eos|>"],
    )


def _spellings(tokenizer: PreTrainedTokenizerBase) -> list[bytes]:
    """Byte-level BPE writes every byte as one printable letter (GPT-2's table)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {chr(byte): byte for byte in plain}
    table |= {chr(256 + n): byte for n, byte in enumerate(others)}
    added = tokenizer.added_tokens_decoder
    spelt = [b""] * (1 + max(tokenizer.get_vocab().values()))
    for token, number in tokenizer.get_vocab().items():
        if number not in added:
            spelt[number] = bytes(table[char] for char in token)
        elif not added[number].special:
            spelt[number] = token.encode()
    return spelt
