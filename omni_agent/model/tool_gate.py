"""Splits a stream of text into words to speak and tool calls; neither leaks into the other.

Models are asked for `<tool_call>{"name": …, "arguments": …}</tool_call>`; small ones also write
other tags, bare or fenced JSON, doubled braces, Python's spelling of a dict, or `name(a=1)`.
What may still become a call is held back, everything else passes at once. Each decision depends
only on the text so far and never on how it was cut into pieces.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field

from omni_agent.messages import ToolCall
from omni_agent.model import call_marks as marks
from omni_agent.model.base import MalformedCall
from omni_agent.model.call_spellings import (
    Problem,
    SpeltCall,
    looks_like_call,
    read_calls,
    read_function_style,
)

logger = logging.getLogger("omni_agent.model")


@dataclass(frozen=True, slots=True)
class Words:
    """Text to speak. `at`: for each of its characters, which one of the stream it is."""

    text: str
    at: tuple[int, ...] = field(default=(), compare=False)

    def __add__(self, other: Words) -> Words:
        return Words(self.text + other.text, self.at + other.at)


Found = Words | ToolCall | MalformedCall


class ToolGate:
    """One reply's way from text to `Words`, `ToolCall` and `MalformedCall`.

    Calls are numbered "call_1", "call_2" … from `first_id` on; `next_id` is where it stands.
    A call of more than `max_held` characters is malformed, and nothing behind it is spoken.
    White space before a call is dropped, special tokens like `<|im_end|>` too.
    """

    def __init__(self, names: Collection[str], *, first_id: int = 1, max_held: int = 8192) -> None:
        self.next_id = first_id
        self._names = frozenset(names)
        self._max_held = max_held
        self._held = ""  # not yet decided
        self._at = 0  # where in the stream that begins
        self._space = Words("")  # white space, spoken only if words follow
        self._tag: str | None = None  # the call tag that is open
        self._tag_used = False  # something was found in it
        self._fence_open = False  # a fence whose call was taken, so that its end goes too
        self._in_code = False
        self._line_start = True
        self._after_call = False
        self._spoken = False
        self._lost = False

    def push(self, piece: str) -> list[Found]:
        """Take in more text; gives what is decided by now."""
        if self._lost:
            self._at += len(piece)
            return []
        self._held += piece
        return self._drain(final=False)

    def finish(self) -> list[Found]:
        """The stream is over; gives what was still held back."""
        found = self._drain(final=True)
        if self._space.text and not self._after_call:
            found.append(self._space)
        self._space = Words("")
        return found

    @property
    def decided(self) -> int:
        """So many characters of the stream are decided: given out as `Words`, or never to be."""
        return self._space.at[0] if self._space.at else self._at

    @property
    def in_call(self) -> bool:
        """Whether the text so far ends in a call, or behind one."""
        return self._tag is not None or self._after_call

    def _drain(self, *, final: bool) -> list[Found]:
        found: list[Found] = []
        while self._held:
            step = self._inside_tag(final) if self._tag else self._outside(final)
            if step is None:
                break
            for item in step:
                if isinstance(item, Words) and found and isinstance(found[-1], Words):
                    found[-1] += item
                else:
                    found.append(item)
        if final and self._tag and not self._tag_used and not self._lost:
            found += self._malformed("", "the call is empty")
        return found

    # A step takes something off the head of `_held`; None: more text is needed to know what.

    def _outside(self, final: bool) -> list[Found] | None:
        text = self._held
        if text[0].isspace():
            return self._take_space()
        if text[0] == "<":
            return self._angle(final)
        if text[0] == "`":
            return self._fence(final)
        if self._in_code:
            return self._speak(marks.run_length(marks.CODE, text))
        if self._after_call and not self._space.text and text[0] in "}],;":
            return self._drop(1)  # one bracket too many, or what separates two calls
        if text[0] in "{[":
            return self._bare_value(final)
        if self._line_start and (name := marks.NAME.match(text)):
            return self._function_style(name[0], final)
        return self._speak(marks.run_length(marks.PLAIN, text))

    def _angle(self, final: bool) -> list[Found] | None:
        text = self._held
        if token := marks.TOKEN.match(text):
            return self._drop(token.end())
        if tag := marks.TAG.match(text):
            self._drop(tag.end())
            if not tag[1]:
                self._tag, self._tag_used = tag[2].lower(), False
                self._space = Words("")
            return []
        if not marks.begun(text):
            return self._speak(1)
        if not final:
            return None
        if text.lower().startswith(("<tool", "<func", "</tool", "</func")):
            return self._malformed(text, "the call broke off", length=len(text))
        return self._drop(len(text)) if marks.TOKEN_CUT.match(text) else self._speak(len(text))

    def _fence(self, final: bool) -> list[Found] | None:
        text = self._held
        if not text.startswith("```"):
            if not final and len(text) < 3 and text == "`" * len(text):
                return None
            return self._speak(marks.run_length(marks.TICKS, text))
        if self._in_code:
            self._in_code = False
            return self._speak(3)
        fence = marks.FENCE.match(text)
        if not final and marks.FENCE_BEGUN.match(text):
            return None
        if self._fence_open and (fence is None or not fence[1]):
            self._fence_open = False
            return self._drop(3)
        if fence is not None and fence[1].lower() in marks.CALL_FENCES:
            inside = text[fence.end() :]
            if marks.VALUE.match(inside):
                return self._bare_value(final, skip=fence.end())
            if marks.TAG.match(inside) or marks.is_function_style(inside, self._names):
                self._fence_open = True
                return self._drop(fence.end())
            if not final and (
                marks.VALUE_BEGUN.match(inside)
                or marks.tag_begun(inside)
                or any(f"{name}(".startswith(inside) for name in self._names)
            ):
                return None
        self._in_code = True
        return self._speak(3)

    def _bare_value(self, final: bool, skip: int = 0) -> list[Found] | None:
        """An object or array that may be a call; `skip` characters of a fence stand before it."""
        value = self._held[skip:]
        if not marks.VALUE.match(value):
            if not marks.VALUE_BEGUN.match(value):
                return self._speak(1)
            if not final:
                return None
            if looks_like_call(value, self._names, cut=True):
                return self._malformed(value, "the call broke off", length=len(self._held))
            return self._speak(len(self._held))
        end = marks.value_end(value)
        if self._too_long(end.at, end.known, final):
            raw = value[: self._max_held]
            if looks_like_call(raw, self._names):
                return self._lose(raw)
            self._in_code = self._in_code or skip > 0
            return self._speak(skip + len(raw))
        if not end.known and not final:
            return None
        raw = value[: end.at]
        calls = read_calls(raw + end.closers, self._names)
        if not calls and not end.known and looks_like_call(raw, self._names, cut=True):
            calls = [Problem("the call broke off")]
        if not calls:
            self._in_code = self._in_code or skip > 0
            return self._speak(skip + end.at)
        self._fence_open = self._fence_open or skip > 0
        self._drop(skip + end.at)
        return self._found(calls, raw)

    def _function_style(self, name: str, final: bool) -> list[Found] | None:
        text = self._held
        if not marks.is_function_style(text, self._names):
            might = len(name) == len(text) and any(n.startswith(name) for n in self._names)
            return None if might and not final else self._speak(len(name))
        end = marks.value_end(text[len(name) :])
        at = len(name) + end.at
        if self._too_long(at, end.known, final):
            return self._lose(text)
        if not end.known and not final:
            return None
        inside = (text[:at] + end.closers)[len(name) + 1 : -1]
        self._drop(at)
        return self._found(read_function_style(name, inside, self._names), text[:at])

    def _inside_tag(self, final: bool) -> list[Found] | None:
        self._drop(len(self._held) - len(self._held.lstrip(" \t\r\n,;")))
        text = self._held
        if not text:
            return []
        if tag := marks.TAG.match(text):
            self._drop(tag.end())
            if not tag[1]:
                return []  # opened twice, or the first was never closed
            self._tag = None
            return [] if self._tag_used else self._malformed("", "the call is empty")
        if token := marks.TOKEN.match(text):
            return self._drop(token.end())
        if text[0] in "{[":
            return self._tagged_value(final)
        if fence := marks.FENCE.match(text):
            return None if fence.end() == len(text) and not final else self._drop(fence.end())
        if self._tag_used and text[0] in "}]":
            return self._drop(1)
        if not final and marks.begun(text):
            return None
        if self._tag_used:  # words: the closing tag was forgotten
            self._tag = None
            return []
        end = marks.TAG_OR_TOKEN.search(text)
        at = end.start() if end else len(text)
        if self._too_long(at, end is not None, final):
            return self._lose(text)
        if end is None and not final:
            return None
        raw = text[:at]
        self._drop(max(at, 1))
        if named := marks.NAMED.match(raw):
            inside = named[2] or named[3]
            return self._found(read_function_style(named[1], inside, self._names), raw)
        return self._found([Problem('a call is written {"name": …, "arguments": {…}}')], raw)

    def _tagged_value(self, final: bool) -> list[Found] | None:
        text = self._held
        end = marks.value_end(text, in_tag=True)
        if self._too_long(end.at, end.known, final):
            return self._lose(text)
        if not end.known and not final:
            return None
        raw = text[: end.at]
        self._drop(end.at)
        return self._found(read_calls(raw + end.closers, self._names, tagged=True) or [], raw)

    def _found(self, calls: list[SpeltCall | Problem], raw: str) -> list[Found]:
        made_up = self._tag == "tool_response" and self._after_call
        if made_up and not any(isinstance(call, SpeltCall) for call in calls):
            logger.info("dropped a tool's result that the model made up: %r", raw)
            self._tag_used = True
            return []
        found: list[Found] = []
        for call in calls:
            match call:
                case SpeltCall(name, arguments):
                    found.append(ToolCall(f"call_{self.next_id}", name, arguments))
                    self.next_id += 1
                case Problem(text):
                    found.append(MalformedCall(raw, text))
        self._space = Words("")
        self._after_call = self._line_start = self._tag_used = True
        return found

    def _malformed(self, raw: str, problem: str, *, length: int = 0) -> list[Found]:
        self._drop(length)
        return self._found([Problem(problem)], raw)

    def _too_long(self, at: int, known: bool, final: bool) -> bool:
        # An unknown end may still be a mark that began before the limit.
        return at > self._max_held + (0 if known or final else marks.LONGEST_MARK)

    def _lose(self, text: str) -> list[Found]:
        self._take(len(self._held))
        self._lost = True
        problem = Problem(f"the call is longer than {self._max_held} characters")
        return self._found([problem], text[: self._max_held])

    def _drop(self, length: int) -> list[Found]:
        self._take(length)
        return []

    def _take_space(self) -> list[Found]:
        room = marks.SPACE_LIMIT - len(self._space.text)
        space = self._take(min(room, marks.run_length(marks.SPACE, self._held)))
        self._space += space
        self._line_start = self._line_start or "\n" in space.text
        return self._speak(0) if len(self._space.text) == marks.SPACE_LIMIT else []

    def _speak(self, length: int) -> list[Found]:
        space = Words("") if self._after_call and not self._spoken else self._space
        words, self._space = space + self._take(length), Words("")
        if length:
            self._spoken, self._after_call, self._line_start = True, False, False
        return [words] if words.text else []

    def _take(self, length: int) -> Words:
        text, self._held = self._held[:length], self._held[length:]
        taken = Words(text, tuple(range(self._at, self._at + len(text))))
        self._at += len(text)
        return taken
