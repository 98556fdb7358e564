from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.memory.words import coverage, is_unspaced, query_terms, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ben's Cafés", ["ben", "s", "cafe"]),
        ("我喜欢北京烤鸭", ["我喜", "喜欢", "欢北", "北京", "京烤", "烤鸭"]),
        ("wifi密码是abc42", ["wifi", "密码", "码是", "abc42"]),
        ("茶", ["茶"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("ﬁsh ①", ["fish", "1"]),
        ("🍜 … !?", []),
    ],
)
def test_text_is_cut_into_terms_whatever_its_script(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_a_question_keeps_its_telling_words_only() -> None:
    assert query_terms("What is the name of my sister's dog? The dog!") == [
        "name",
        "sister",
        "s",
        "dog",
    ]
    assert query_terms("what is it?") == []
    assert query_terms("请问你好") == []


@given(st.text())
def test_any_text_has_terms_that_find_it_again(text: str) -> None:
    wanted = terms(text)
    assert terms(" ".join(wanted)) == terms(" ".join(wanted))
    if wanted and len(text) < 1000:
        assert coverage(wanted, text, dict.fromkeys(wanted, 1.0)) == 1.0


def test_the_script_of_a_text_is_told_by_its_greater_part() -> None:
    assert is_unspaced("我的 wifi 密码是什么？")
    assert not is_unspaced("What does 你好 mean in English?")
    assert not is_unspaced("")
