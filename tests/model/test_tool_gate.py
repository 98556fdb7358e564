import itertools
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent.messages import ToolCall
from omni_agent.model.base import MalformedCall
from omni_agent.model.tool_gate import Found, ToolGate, Words

NAMES = ["find_dish", "next_step", "set_timer"]
CALL = '{"name": "find_dish", "arguments": {"dish": "sushi"}}'
SUSHI = ("find_dish", {"dish": "sushi"})


def through(pieces: list[str], **options: int) -> tuple[str, list[ToolCall | MalformedCall]]:
    gate = ToolGate(NAMES, **options)
    found: list[Found] = []
    for piece in pieces:
        found += gate.push(piece)
    found += gate.finish()
    stream = "".join(pieces)
    assert gate.decided == len(stream)
    for words in (f for f in found if isinstance(f, Words)):
        assert "".join(stream[place] for place in words.at) == words.text
    places = [place for f in found if isinstance(f, Words) for place in f.at]
    assert places == sorted(set(places))
    words = "".join(f.text for f in found if isinstance(f, Words))
    return words, [f for f in found if not isinstance(f, Words)]


def split(text: str) -> tuple[str, list[tuple[str, dict[str, object]] | str]]:
    """What the gate makes of a text that comes character by character."""
    words, found = through(list(text))
    return words, [(f.name, f.arguments) if isinstance(f, ToolCall) else f.problem for f in found]


SPELLINGS = {
    "hermes": f"<tool_call>\n{CALL}\n</tool_call>",
    "closing tag forgotten": f"<tool_call>{CALL}",
    "wrong tag": f"<tool_response>\n{CALL}\n</tool_response>",
    "another wrong tag": f"<tools>{CALL}</tools>",
    "yet another": f"<function_call>{CALL}</function_call>",
    "tag in capitals": f"<TOOL_CALL>{CALL}</TOOL_CALL>",
    "special token behind": f"<tool_call>{CALL}</tool_call><|im_end|>",
    "bare": CALL,
    "array of one": f"[{CALL}]",
    "fenced": f"```json\n{CALL}\n```",
    "fenced without language": f"```\n{CALL}\n```",
    "fenced in a tag": f"<tool_call>\n```json\n{CALL}\n```\n</tool_call>",
    "tagged in a fence": f"```xml\n<tool_call>{CALL}</tool_call>\n```",
    "outer braces doubled": "{" + CALL + "}",
    "all braces doubled": CALL.replace("{", "{{").replace("}", "}}"),
    "one brace too many": CALL + "}",
    "last brace missing": CALL[:-1],
    "last brace missing in a tag": f"<tool_call>{CALL[:-1]}</tool_call>",
    "python's spelling": "{'name': 'find_dish', 'arguments': {'dish': 'sushi'}}",
    "trailing comma": '{"name": "find_dish", "arguments": {"dish": "sushi",},}',
    "keys without quotes": '{name: "find_dish", arguments: {dish: "sushi"}}',
    "parameters": '{"name": "find_dish", "parameters": {"dish": "sushi"}}',
    "args": '{"name": "find_dish", "args": {"dish": "sushi"}}',
    "function": '{"function": "find_dish", "arguments": {"dish": "sushi"}}',
    "openai": f'{{"type": "function", "function": {CALL}}}',
    "wrapped": f'{{"tool_calls": [{CALL}]}}',
    "arguments as text": json.dumps({"name": "find_dish", "arguments": '{"dish": "sushi"}'}),
    "arguments laid flat": '{"name": "find_dish", "dish": "sushi"}',
    "name as key": '{"find_dish": {"dish": "sushi"}}',
    "like python": "find_dish(dish='sushi')",
    "like javascript": 'find_dish({"dish": "sushi"})',
    "name before object": '<tool_call>find_dish\n{"dish": "sushi"}</tool_call>',
    "like python in a tag": '<tool_call>find_dish(dish="sushi")</tool_call>',
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_every_spelling_is_a_call_and_not_a_character_of_it_is_spoken(text: str) -> None:
    assert split(text) == ("", [SUSHI])
    assert split(f"Let me look.\n{text}") == ("Let me look.", [SUSHI])


def test_several_calls_come_in_order_with_their_own_ids() -> None:
    two = '{"name": "next_step"}'
    for text in (
        f"<tool_call>{CALL}</tool_call>\n<tool_call>{two}</tool_call>",
        f"<tool_call>{CALL}\n{two}</tool_call>",
        f"[{CALL}, {two}]",
        f"{CALL}\n{two}",
        f"```json\n{CALL}\n{two}\n```",
    ):
        words, found = through([text])
        assert words == ""
        assert found == [ToolCall("call_1", *SUSHI), ToolCall("call_2", "next_step", {})]
    _, found = through([two], first_id=7)
    assert found == [ToolCall("call_7", "next_step", {})]


def test_words_around_calls_are_spoken() -> None:
    assert split(f"好的。<tool_call>{CALL}</tool_call>马上。") == ("好的。马上。", [SUSHI])
    assert split(f"One. {CALL} Two.") == ("One. Two.", [SUSHI])
    assert split(f"<tool_call>{CALL}\nI am on it.") == ("I am on it.", [SUSHI])


def test_python_words_become_json_values() -> None:
    text = "set_timer(minutes=3, loud=true, name=None, steps=(1, 2))"
    assert split(text) == (
        "",
        [("set_timer", {"minutes": 3, "loud": True, "name": None, "steps": [1, 2]})],
    )


ORDINARY = [
    "Hello, how are you?",
    "a < b and b > c, x<y",
    "a {curly} word, {} and { } and {{x}}",
    "[1] and [a] and [{}] and []",
    'He wrote {"hello" and} left',
    '{"temperature": 5, "unit": "C"} is what it said.',
    '{"name": "Bob", "age": 3}',
    "```python\nprint({'name': 'find_dish', 'arguments': {}})\n```\nDone.",
    '```json\n{"a": 1}\n``` and [1, 2]',
    "I use next_step() for that, and `find_dish(1)`.",
    "Say <b>bold</b> and <tool> and <toolbox>.",
    "  lead, \n\n  trail  \n",
    "find_dishes(1)\nnext step\nset_timer",
    "价格 < 10 欧元，{大约}",
    "{",
    "<",
    "`",
    "",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_passes_unharmed(text: str) -> None:
    assert split(text) == (text, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('<tool_call>{"name": "find_dish", "arguments": {"dish": </tool_call>', "no valid JSON"),
        ('<tool_call>{"name": "find_dish", "arguments": {"dish": "su}}</tool_call>', "no valid"),
        ('<tool_call>{"name": "find_dihs", "arguments": {}}</tool_call>', "is: find_dish"),
        ('{"name": "order", "arguments": {}}', 'no tool "order"'),
        ('{"name": "find_dish", "arguments": [1]}', "must be an object"),
        ("<tool_call></tool_call>", "empty"),
        ("<tool_call>", "empty"),
        ("<tool_call>sushi please</tool_call>", "a call is written"),
        ("find_dish('sushi')", "must be named"),
        ('{"name": "find_d', "broke off"),
        ("<tool_ca", "broke off"),
    ],
)
def test_a_malformed_call_is_not_spoken_and_says_what_is_wrong(text: str, problem: str) -> None:
    words, found = split(text)
    assert words == ""
    assert len(found) == 1
    assert problem in str(found[0])


def test_speech_goes_on_after_a_malformed_call() -> None:
    words, found = split('<tool_call>{"name": "find_dish", "x": "su}}</tool_call> Sorry.')
    assert words == "Sorry."
    assert len(found) == 1


def test_a_result_the_model_makes_up_after_its_call_is_dropped() -> None:
    text = f'<tool_call>{CALL}</tool_call>\n<tool_response>{{"found": 3}}</tool_response>'
    assert split(text) == ("", [SUSHI])


def test_special_tokens_are_never_words() -> None:
    assert split("Hi<|im_end|> there<|endoftext|>") == ("Hi there", [])
    assert split("Hi<|im_e") == ("Hi", [])
    assert split("a <| b |> c") == ("a <| b |> c", [])


def test_a_call_without_end_is_cut_off_and_what_follows_is_not_spoken() -> None:
    endless = '<tool_call>{"name": "find_dish", "arguments": {"dish": "' + "a" * 500
    words, found = through(list(endless + '"}} and words'), max_held=200)
    assert words == ""
    assert isinstance(found[0], MalformedCall)
    assert "longer than 200" in found[0].problem
    plain = '{"data": "' + "a" * 500
    assert through(list(plain), max_held=200) == (plain, [])


def test_ordinary_words_leave_at_once() -> None:
    gate = ToolGate(NAMES)
    assert gate.push("Well") == [Words("Well")]
    assert gate.push(", a <") == [Words(", a")]
    assert gate.push(" b") == [Words(" < b")]


def test_a_held_call_costs_little_time() -> None:
    text = '<tool_call>{"name": "find_dish", "arguments": {"dish": "' + 'ab" ' * 2000
    start = time.perf_counter()
    through([text[i : i + 4] for i in range(0, len(text), 4)])
    assert time.perf_counter() - start < 5


fragments = st.sampled_from(
    [
        *SPELLINGS.values(),
        *ORDINARY,
        '<tool_call>{"name": "find_dish", "arguments": {"dish": "su}}</tool_call>',
        '{"name": "order", "arguments": {}}',
        "<tool_call>",
        "</tool_call>",
        "```",
        "```json\n",
        "<|im_end|>",
        '{"name": "find_d',
        "\n",
        " ",
        "}",
        '"',
        " " * 70,
        "find_dish(",
    ]
)
noise = st.text(alphabet="<{[`|>}]\"':, \n()_atool/\\饭", max_size=12)
streams = st.lists(fragments | noise, max_size=6).map("".join)


def cut(text: str, places: list[int]) -> list[str]:
    marks = [0, *sorted(p % (len(text) + 1) for p in places), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(marks)]


@settings(max_examples=400, deadline=None)
@given(streams, st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from([8192, 60]))
def test_any_cutting_of_a_stream_gives_the_same(text: str, places: list[int], limit: int) -> None:
    whole = through([text], max_held=limit)
    assert through(cut(text, places), max_held=limit) == whole
    assert through(list(text), max_held=limit) == whole


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([text for text in SPELLINGS.values() if text != CALL[:-1]]),
    st.text(alphabet="aé你。!? ", max_size=20),
    st.text(alphabet="aé你。!? ", max_size=20),
)
def test_never_a_character_of_a_call_in_the_words(call: str, before: str, after: str) -> None:
    words, found = through(list(f"{before}\n{call}\n{after}"))
    assert not set(words) - set("aé你。!? \n")
    assert "".join(words.split()) == "".join((before + after).split())
    assert any(isinstance(f, ToolCall) for f in found)


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_call_that_breaks_off_anywhere_is_not_spoken(text: str) -> None:
    for end in range(4, len(text)):
        words, _ = through([text[:end]])
        assert "sushi" not in words
        assert "arg" not in words


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="<{[`"), max_size=200))
def test_text_without_marks_passes_unchanged_and_nothing_but_space_waits(text: str) -> None:
    gate = ToolGate([])
    said = ""
    for i, char in enumerate(text):
        said += "".join(f.text for f in gate.push(char) if isinstance(f, Words))
        assert said.rstrip() == text[: i + 1].rstrip()
    said += "".join(f.text for f in gate.finish() if isinstance(f, Words))
    assert said == text
