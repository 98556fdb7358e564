"""Which names people say, of whom, and what is no name."""

from __future__ import annotations

import pytest

from omni_agent.presence.names_said import names_said


def said(text: str) -> list[tuple[str, str]]:
    return [(one.name, one.kind) for one in names_said(text)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hi, I'm Anna.", "Anna"),
        ("I am Ben and I like tea.", "Ben"),
        ("I’m Zoë, nice to meet you", "Zoë"),
        ("I'm Jean-Luc.", "Jean-Luc"),
        ("Anna here.", "Anna"),
        ("This is Anna speaking.", "Anna"),
        ("我是小明。", "小明"),
        ("我是张伟，很高兴认识你", "张伟"),
    ],
)
def test_people_say_who_they_are(text: str, name: str) -> None:
    assert said(text) == [(name, "own")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Call me Dr. Smith", "Smith"),
        ("My name is Anna Maria Lopez and I cook", "Anna Maria Lopez"),
        ("my name is anna", "Anna"),
        ("Just call me June.", "June"),
        ("I'm called Ludwig van Beethoven", "Ludwig van Beethoven"),
        ("call me 🦄", "🦄"),
        ("我叫小明", "小明"),
        ("我的名字叫李小龙", "李小龙"),
        ("叫我阿强吧", "阿强"),
    ],
)
def test_people_say_what_to_call_them(text: str, name: str) -> None:
    assert said(text) == [(name, "called")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("This is my brother Ben.", "Ben"),
        ("Meet my friend Zoë!", "Zoë"),
        ("I'd like you to meet our neighbour, Carl.", "Carl"),
        ("这是我哥哥大明。", "大明"),
        ("这位是王芳。", "王芳"),
    ],
)
def test_people_introduce_each_other(text: str, name: str) -> None:
    assert said(text) == [(name, "other")]


@pytest.mark.parametrize(
    "text",
    [
        "Anna, can you pass the salt?",
        "What do you think, Anna?",
        "Thanks, Anna.",
        "Okay, Anna, let us begin.",
    ],
)
def test_people_speak_to_each_other_by_name(text: str) -> None:
    assert said(text) == [("Anna", "addressed")]


def test_chinese_is_addressed_too() -> None:
    assert said("小明，你能帮我吗？") == [("小明", "addressed")]


@pytest.mark.parametrize(
    "text",
    [
        "I'm hungry", "I'm Italian.", "I'm Hungry", "I'm in Paris", "I'm Anna's brother",
        "call me later", "Call me back tomorrow", "call me ../../etc/passwd", "I'm Vegan, sorry",
        "i'm anna", "That's Ben's house", "I'm Monday's child", "I'm not sure", "I'm OK",
        "我是老师", "我是中国人", "我很饿", "我是素食者", "这是什么？", "我叫了外卖", "叫我一声",
        "I am so tired", "It's Paris, isn't it?", "", "😀😀😀", "Sure, why not?",
    ],
)  # fmt: skip
def test_what_is_no_name_is_taken_for_none(text: str) -> None:
    assert said(text) == []


def test_who_says_two_names_says_both() -> None:
    assert said("I am Ben, and this is my brother Carl.") == [("Ben", "own"), ("Carl", "other")]
    assert said("我叫李小龙，这是我妹妹小红") == [("李小龙", "called"), ("小红", "other")]


def test_a_name_may_be_denied() -> None:
    assert said("I'm not Anna, I'm Berta.") == [("Anna", "not"), ("Berta", "own")]
    assert said("我不是小明") == [("小明", "not")]


def test_a_book_read_aloud_is_not_read_to_its_end() -> None:
    assert said("la " * 5000 + "I'm Anna.") == []
