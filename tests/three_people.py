"""The headline call: three people tell twelve things, then twelve things are asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STATEMENTS: Sequence[tuple[str, str]] = (
    ("Anna", "Hello everybody, I'm Anna, and I am so glad that we are all here together."),
    ("Ben", "Good evening, my name is Ben. I came straight from work, it was a long day."),
    ("Carla", "Hi there, I'm Carla. I am the one who lives right across the street."),
    ("Anna", "For our holiday this summer we are flying to Lisbon with the children."),
    ("Ben", "I am allergic to peanuts, so please be careful with the dessert."),
    ("Carla", "My dog is called Biscuit, and he is eleven years old by now."),
    ("Ben", "My train to Hamburg leaves at seven in the morning on Friday."),
    ("Anna", "I work as a nurse in the children's hospital near the river."),
    ("Carla", "My birthday is in October, and I would love a new bicycle."),
    ("Anna", "I left the spare key for the garden under the blue flower pot."),
    ("Ben", "My favourite film is Casablanca, I have seen it nine times."),
    ("Carla", "I can't stand mushrooms, but I really love a good potato soup."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """`wants`: words of the answer, one of each group; `not_wanted`: of which none may be in it."""

    who: str
    text: str
    wants: Sequence[Sequence[str]]
    not_wanted: Sequence[str] = ()


QUESTIONS: Sequence[Question] = (
    Question("Ben", "What did Anna say about the holiday?", [["anna"], ["lisbon"]]),
    Question("Carla", "What did Ben say about peanuts?", [["ben"], ["allergic"]]),
    Question("Anna", "What did Carla say about her dog?", [["carla"], ["biscuit"]]),
    Question("Ben", "What did the woman on the left say about the key?",
             [["anna"], ["flower"], ["pot"]]),
    Question("Anna", "What did the woman on the right say about her birthday?",
             [["carla"], ["october"]]),
    Question("Carla", "What did the man in the middle say about his train?",
             [["ben"], ["seven", "7"]]),
    Question("Ben", "What does Anna do for a living? What did she say about her work?",
             [["nurse"]]),
    Question("Anna", "What did Ben say about his favourite film?", [["ben"], ["casablanca"]]),
    Question("Ben", "Who said something about mushrooms?", [["carla"], ["mushrooms"]], ["anna"]),
    Question("Carla", "Who is here with us?", [["anna"], ["ben"], ["carla"]]),
    Question("Anna", "Who wears glasses?", [["ben"]], ["anna", "carla"]),
    Question("Ben", "What did I say about the dessert?", [["ben"], ["peanut"]]),
)  # fmt: skip


def is_right(question: Question, answer: str) -> bool:
    said = answer.casefold()
    wanted = all(any(word in said for word in words) for words in question.wants)
    return wanted and not any(word in said for word in question.not_wanted)


def answered(turns: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What was answered to each question, of turns as (heard, reply): ears may split a question."""
    found: dict[str, str] = {}
    for heard, reply in turns:
        words = set(heard.casefold().strip(" ?.").split())

        def alike(question: Question, words: set[str] = words) -> float:
            asked = set(question.text.casefold().replace("?", "").split())
            return len(words & asked) / max(1, len(words))

        best = max(QUESTIONS, key=alike)
        if alike(best) >= 0.6:
            found[best.text] = f"{found.get(best.text, '')} {reply}".strip()
    return found
