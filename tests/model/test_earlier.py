"""An earlier conversation in messages: what of it can have been, and what is refused."""

import numpy as np
import pytest

from omni_agent.errors import SettingsError
from omni_agent.media import Audio
from omni_agent.messages import Context, Message, Text, ToolCall, ToolResult
from omni_agent.model.earlier import EarlierTurn, Step, earlier_turns, last_call, newest

SOUND = Audio(np.zeros(160, np.float32), 16_000)


def user(*texts: str) -> Message:
    return Message("user", tuple(map(Text, texts)))


def assistant(*parts: str | ToolCall) -> Message:
    return Message("assistant", tuple(Text(p) if isinstance(p, str) else p for p in parts))


def call(number: int) -> ToolCall:
    return ToolCall(f"call_{number}", "look", {"n": number})


def back(number: int) -> ToolResult:
    return ToolResult(f"call_{number}", "look", f"seen {number}")


def tool(*numbers: int) -> Message:
    return Message("tool", tuple(map(back, numbers)))


def test_a_turn_is_what_was_asked_the_calls_with_their_results_and_the_answer() -> None:
    turns = earlier_turns(
        [
            user("Look."),
            assistant("Let me see.", call(1), call(2)),
            tool(2),
            tool(1),
            assistant("Two things."),
            Message("user", (Text("And"), SOUND, Context("It is late."))),
            assistant("Good night."),
        ]
    )
    assert turns == [
        EarlierTurn(
            [Text("Look.")],
            [
                Step("Let me see.", [call(1), call(2)], [back(2), back(1)]),
                Step("Two things."),
            ],
        ),
        EarlierTurn([Text("And"), SOUND, Context("It is late.")], [Step("Good night.")]),
    ]
    assert last_call(turns) == 2


def test_an_assistant_may_begin_and_go_on_and_say_nothing() -> None:
    turns = earlier_turns(
        [
            assistant("Hello."),
            user("What"),
            assistant(""),
            user("time is it?"),
            assistant("Late."),
            assistant("Your", "timer."),
        ]
    )
    assert turns == [
        EarlierTurn([], [Step("Hello.")]),
        EarlierTurn([Text("What"), Text("time is it?")], [Step("Late.")]),
        EarlierTurn([], [Step("Your timer.")]),
    ]


def test_calls_that_never_came_back_are_left_out_unless_they_come_last() -> None:
    turns = earlier_turns(
        [
            user("a"),
            assistant(call(1)),
            user("b"),
            assistant("So.", call(2)),
            user("c"),
            assistant(call(3), call(4)),
            tool(4),
            user("d"),
            assistant(call(5)),
        ]
    )
    assert turns == [
        EarlierTurn([Text("a"), Text("b")], [Step("So.")]),
        EarlierTurn([Text("c")], [Step("", [call(4)], [back(4)])]),
        EarlierTurn([Text("d")], [Step("", [call(5)])]),
    ]


def test_what_the_user_said_last_is_not_answered_yet() -> None:
    assert not earlier_turns([user("a"), assistant("b"), user("c")])[-1].steps
    last = earlier_turns([user("a"), assistant(call(1), call(2)), tool(1)])[-1]
    assert last.steps == [Step("", [call(1)], [back(1)])]
    assert not last.is_answered


@pytest.mark.parametrize(
    ("history", "problem"),
    [
        ([tool(1)], r"history\[0\] is what 'look' gave back to the call 'call_1'"),
        ([user("a"), assistant(call(1)), tool(1), tool(1)], r"history\[3\].*its result already"),
        ([assistant(call(1)), user("b"), tool(1)], r"history\[2\]"),
        ([Message("user", (call(1),))], "a ToolCall of the user"),
        ([Message("user", (back(1),))], "a ToolResult of the user"),
        ([Message("assistant", (Context("c"),))], "a Context of the assistant"),
        ([Message("assistant", (SOUND,))], "sound without words"),
        ([Message("tool", (Text("c"),))], "a Text of a tool"),
        ([Message("system", (Text("c"),))], "role 'system'"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_have_been_is_refused(history: list[Message], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        earlier_turns(history)


def test_the_sound_of_words_that_were_said_is_left_out() -> None:
    assert earlier_turns([Message("assistant", (SOUND, Text("Hi.")))]) == [
        EarlierTurn([], [Step("Hi.")])
    ]


def test_the_newest_turns_are_kept_that_fit() -> None:
    turns = earlier_turns([part for n in range(5) for part in (user("12345"), assistant("678"))])
    assert newest(turns, 30, len) == turns[-3:]
    assert newest(turns, 1, len) == turns[-1:]
    assert newest([], 1, len) == []
