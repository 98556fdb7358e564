"""A reply becomes clauses while it is being written, the same ones however it arrives."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent.model.compact.clauses import ClauseSplitter


def clauses(*pieces: str) -> list[str]:
    splitter = ClauseSplitter()
    done = [c for piece in pieces for c in splitter.push(piece)] + splitter.finish()
    return [c.text for c in done]


REPLIES = [
    "Sure! I can help with that. First, chop the onions, then fry them in 2.5 dl of oil, e.g. "
    "olive oil, until golden. See https://a.com/x?y=1, OK? Dr. Smith says No. 5 is best. No. Wait.",
    "好的！我们先切洋葱，然后用2.5升水煮十分钟。“接下来”，加盐、胡椒和酱油，再搅拌均匀。"
    "去 Savoy 吃吧!",
    "1. Chop.\n2. Fry **slowly**...\n\n- It opens at 18:30 – or 9 a.m. on Sundays (I think).",
    "so this one goes on and on with no mark in it at all and never takes a breath until it ends",
]
TEXTS = st.one_of(
    st.sampled_from(REPLIES),
    st.text(st.sampled_from("abI e.g,.!?:;–—\n 3。，好的“”)*/ no Dr"), max_size=120),
    st.text(max_size=60),
)


@settings(deadline=None)  # other work on the machine is no failure
@given(TEXTS, st.lists(st.integers(0, 220), max_size=12))
def test_any_split_of_the_stream_gives_the_same_clauses_and_loses_nothing(text, cuts):
    edges = [0, *sorted(min(c, len(text)) for c in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    assert clauses(*pieces) == clauses(text)
    assert "".join(clauses(*pieces)) == text


@settings(deadline=None)  # other work on the machine is no failure
@given(TEXTS)
def test_each_clause_says_how_far_into_the_reply_it_reaches(text):
    splitter = ClauseSplitter()
    done = splitter.push(text) + splitter.finish()
    position = 0
    for clause in done:
        position += len(clause.text)
        assert clause.text_upto == position


@pytest.mark.parametrize(
    ("reply", "first"),
    [
        ("Sure! I can help you with that today.", "Sure!"),
        ("Okay, the next step is to fry them.", "Okay, "),
        ("好的，我们先切洋葱。", "好的，"),
        ("Yes: it is open.", "Yes: "),
        ("You can cook the onions slowly in the butter now", "You can cook the onions slowly "),
    ],
)
def test_the_first_clause_is_as_short_as_sounds_natural(reply, first):
    assert clauses(reply)[0] == first


def test_the_first_clause_is_out_the_moment_its_mark_is_written():
    assert [c.text for c in ClauseSplitter().push("Sure!")] == ["Sure!"]


def test_a_reply_without_punctuation_is_spoken_before_it_ends():
    words = " ".join(["word"] * 60)
    assert len(clauses(words)[0].split()) <= 9
    assert all(len(c) < 300 for c in clauses(words))


def test_later_clauses_are_longer():
    reply = "Well, " + "take a pan, add oil, heat it, and wait, " * 6
    sizes = [len(c) for c in clauses(reply)]
    assert sizes[0] == 6
    assert min(sizes[3:-1]) >= 60


@pytest.mark.parametrize(
    "whole",
    [
        "about 3.5 liters",
        "with Dr. Smith",
        "some e.g. olive oil",
        "until 18:30 today",
        "on https://a.com/b?c=1!d today",
        "at No. 5 Main Street",
        "by J. Smith",
        "for 1,200 people",
        "at example.com today",
    ],
)
def test_it_never_cuts_inside(whole):
    reply = f"This is a long enough beginning of a sentence {whole} and it goes on. Then it ends."
    done = clauses("Well, ", reply)
    assert any(whole.split(" ", 1)[1] in c for c in done), done
    assert not any(c.rstrip().endswith(("Dr.", "e.g.", "No.", "J.")) for c in done)


def test_no_clause_is_punctuation_alone():
    assert clauses("!!! ... Sure?! Yes.") == ["!!! ... Sure?", "! Yes."]


def test_a_number_ends_a_sentence_and_a_doubtful_word_may():
    assert (
        clauses("Fine. ", "The table costs exactly 5. Take it.")[1] == "The table costs exactly 5. "
    )
    assert clauses("Fine. ", "It closes late, at 9 p.m. Come early.")[1].endswith("p.m. ")


def test_a_reply_of_a_hundred_thousand_letters_is_cut_and_quick():
    assert max(map(len, clauses("x" * 100_000))) <= 600
