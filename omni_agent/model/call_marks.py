"""Where calls begin and end in text: tags, tokens, fences, brackets.

A pattern `…_BEGUN` matches what more text may turn into the thing itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

_TAG_NAMES = (
    "tool_call",
    "tool_calls",
    "tool_response",
    "tools",
    "function_call",
    "function_calls",
)
TAGS = [f"<{slash}{name}>" for slash in ("", "/") for name in _TAG_NAMES]
TAG = re.compile(rf"<(/?)({'|'.join(_TAG_NAMES)})>", re.IGNORECASE)
TOKEN = re.compile(r"<\|[^<>|\s]{1,40}\|>")
TOKEN_BEGUN = re.compile(r"<\|?\Z|<\|[^<>|\s]{0,40}\|?\Z")
TOKEN_CUT = re.compile(r"<\|\w")
TAG_OR_TOKEN = re.compile(f"{TAG.pattern}|{TOKEN.pattern}", re.IGNORECASE)

_KEY = r"""(?:"[^"\n\\]{1,64}"|'[^'\n\\]{1,64}'|name|function|tool)\s{0,8}"""
_KEY_BEGUN = r"""(?:"[^"\n\\]{0,64}|'[^'\n\\]{0,64}|[a-z]{0,7})"""
VALUE = re.compile(r"(?:\[\s{0,32})?\{{1,3}\s{0,32}" + _KEY + ":")
VALUE_BEGUN = re.compile(
    r"\[\s{0,32}\Z|(?:\[\s{0,32})?\{{1,3}\s{0,32}(?:" + _KEY + "|" + _KEY_BEGUN + r")?\Z"
)
_MARK = re.compile(r"""["'{}\[\]()<\\]""")
NAMED = re.compile(r"\s*([\w-]+)\s*(?::?\s*(\{.*\})|\((.*)\))\s*\Z", re.DOTALL)

FENCE = re.compile(r"```([\w+#-]{0,20})(?![\w+#-])\s{0,32}")
FENCE_BEGUN = re.compile(r"`{1,2}\Z|```[\w+#-]{0,20}\s{0,32}\Z")
CALL_FENCES = {"", "json", "json5", "jsonc", "xml", "tool", "tool_call", "tool_calls", "tool_code"}

SPACE = re.compile(r"\s+")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
PLAIN = re.compile(r"[^\s<{\[`]+(?: +[^\s<{\[`]+)*")
CODE = re.compile(r"[^\s`<]+")
TICKS = re.compile(r"`+")
SPACE_LIMIT = 64
LONGEST_MARK = 48


def tag_begun(text: str) -> bool:
    return any(tag.startswith(text.lower()) for tag in TAGS)


def begun(text: str) -> bool:
    """Whether the whole text is the beginning of a tag, a token or a fence."""
    return bool(tag_begun(text) or TOKEN_BEGUN.match(text) or FENCE_BEGUN.match(text))


def is_function_style(text: str, names: Collection[str]) -> bool:
    """Whether the text begins like `name(` with a known name."""
    name = NAME.match(text)
    return name is not None and name[0] in names and text[name.end() :][:1] == "("


def run_length(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return match.end() if match else 1


@dataclass(frozen=True, slots=True)
class ValueEnd:
    """Where a value ends, and the brackets that were forgotten. `known`: whatever may follow."""

    at: int
    closers: str
    known: bool
    in_string: bool = False


def value_end(text: str, *, in_tag: bool = False) -> ValueEnd:
    """Find the end of the bracketed value at the head of `text`.

    It ends with its last bracket, or before a `<`, which JSON has only in strings. Between call
    tags a closing tag ends it even there: a forgotten quote is likelier than a tag as argument.
    """
    closers: list[str] = []
    quote = ""
    at = 0
    while mark := _MARK.search(text, at):
        at = mark.end()
        match mark[0]:
            case "\\":
                at += 1
            case "<" if not quote or (in_tag and TAG.match(text, mark.start())):
                return ValueEnd(mark.start(), "".join(reversed(closers)), True, bool(quote))
            case '"' | "'" as sign:
                if not quote:
                    quote = sign
                elif quote == sign:
                    quote = ""
            case "{" | "[" | "(" as opener if not quote:
                closers.append({"{": "}", "[": "]", "(": ")"}[opener])
            case "}" | "]" | ")" if not quote:
                closers.pop()
                if not closers:
                    return ValueEnd(at, "", True)
    return ValueEnd(len(text), "".join(reversed(closers)), False, bool(quote))
