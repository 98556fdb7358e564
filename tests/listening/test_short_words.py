"""What a few words mean for who has the floor."""

import pytest

from omni_agent.listening import asked_by
from omni_agent.listening.short_words import meaning, trails_off


@pytest.mark.parametrize(
    "text",
    ["Stop", "no no no", "Okay, stop.", "Yeah, wait.", "好的，等一下。", "别说了！", "What?"],
)
def test_words_that_cut_in(text):
    assert meaning(text) == "cuts in"


@pytest.mark.parametrize(
    "text", ["yeah yeah", "Oh, okay.", "I see, I see.", "Mm-hmm, right.", "好的好的。", "嗯，对。"]
)
def test_words_that_only_follow(text):
    assert meaning(text) == "follows"


@pytest.mark.parametrize("text", ["", "...", "Thank you.", "Mushrooms", "蘑菇"])
def test_words_that_leave_it_open(text):
    assert meaning(text) == "unclear"


@pytest.mark.parametrize(
    "text",
    [
        "I would like a soup with",
        "So, um,",
        "Set a timer for.",
        "I have eggs, tomatoes and",
        "If I leave out the butter.",
        "It was good. When I was here last year,",
        "我想找一家",
        "烤箱现在是",
        "嗯，那个，",
        "如果明天下雨。",
        "蒜炒好以后",
    ],
)
def test_what_nobody_would_end_with(text):
    assert trails_off(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would like a soup.",
        "When is the museum open?",
        "If I leave out the butter, will it rise?",
        "What is it for, exactly?",
        "我想找一家川菜馆。",
        "如果明天下雨，我们可以去哪里？",
        "麻婆豆腐怎么做？",
    ],
)
def test_what_may_well_be_the_end(text):
    assert not trails_off(text)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("", None),
        ("The bread is ready.", "statement"),
        ("The bread is ready. Shall I go on?", "question"),
        ("面包好了。要继续吗？", "question"),
        ("你要几个人的份量呢", "question"),
        ("Chop the onions. Take your time!", "time"),
        ("Tell me when you are done, or shall I wait?", "time"),
        ("先切洋葱，切好了告诉我。", "time"),
        ("不急，慢慢来。", "time"),
    ],
)
def test_what_the_agent_asks_of_the_user(text, asked):
    assert asked_by(text) == asked
