"""Read one Cooklang file into the text of a recipe (https://cooklang.org/docs/spec/).

cooklang-py finds the ingredients, cookware and timers in a step. What it gets wrong is dealt
with here, each with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from omni_agent.errors import MissingExtra, RecipeError
from omni_agent.messages import Language
from omni_agent.tools.recipes.quantities import parse_amount, parse_duration
from omni_agent.tools.recipes.recipe import Cookware, Ingredient, Step, StepTimer


@dataclass(frozen=True, slots=True)
class CooklangFile:
    """What stands in one file: its front matter as written, its steps, its `>` notes."""

    source: str
    metadata: dict[str, Any]
    steps: tuple[Step, ...]
    notes: tuple[str, ...]


def parse_cooklang(text: str, *, source: str = "<text>") -> CooklangFile:
    """Raises RecipeError naming `source` and the line."""
    _library()  # says which extra is missing, before its YAML is
    metadata, body, first_line = _front_matter(text.removeprefix("\ufeff"), source)
    steps: list[Step] = []
    notes: list[str] = []
    section = ""
    for line, paragraph in _paragraphs(body, first_line):
        if heading := re.fullmatch(r"=+\s*(.*?)\s*=*", paragraph):
            section = heading[1]
        elif paragraph.startswith(">"):
            notes.append(" ".join(re.sub(r"\s*>\s?", " ", paragraph).split()))
        else:
            steps.append(Step(tuple(_step_parts(paragraph, source, line)), section))
    if not steps:
        raise RecipeError(f"{source}: no step below the front matter; write one paragraph a step")
    return CooklangFile(source, metadata, tuple(steps), tuple(notes))


def _front_matter(text: str, source: str) -> tuple[dict[str, Any], str, int]:
    """The YAML between `---` lines, the rest, and the rest's first line number.

    cooklang-py would read it too, but puts a blank after every colon in the whole file ("12:30"
    becomes "12: 30") and gives no line for an error.
    """
    import yaml  # comes with cooklang-py

    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        raise RecipeError(f"{source}, line 1: a recipe begins with `---`, `title: …` and `---`")
    ends = (n for n, line in enumerate(lines[1:], 1) if line.strip() == "---")
    end = next(ends, None)
    if end is None:
        raise RecipeError(f"{source}, line 1: the front matter is not closed by a `---` line")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where it is built
    try:
        metadata = yaml.load("\n".join(lines[1:end]), Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 2
        problem = getattr(error, "problem", None) or error
        raise RecipeError(f"{source}, line {line}: this is no YAML: {problem}") from error
    if not isinstance(metadata, dict):
        raise RecipeError(f"{source}, line 2: the front matter is no list of `key: value` lines")
    return {str(k).lower(): v for k, v in metadata.items()}, "\n".join(lines[end + 1 :]), end + 2


_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_BLOCK_COMMENT = re.compile(r"\[-.*?-]", re.DOTALL)


def _paragraphs(body: str, first_line: int) -> Iterator[tuple[int, str]]:
    """Each paragraph on one line, without comments, with the number of its first line.

    Comments go before the lines are joined: cooklang-py joins first, and a `--` would swallow
    the rest of the step. Headings (`== Sauce ==`) it would take for steps.
    """
    body = _BLOCK_COMMENT.sub(lambda m: "\n" * m[0].count("\n"), body)
    body = _COMMENT.sub("", body)
    start, held = 0, list[str]()
    for number, raw in enumerate([*body.splitlines(), ""], first_line):
        line = raw.strip()
        begins_other = line[:1] in ("=", ">") and line[0] != held[0][0] if held else False
        if held and (not line or begins_other or held[0][0] == "="):
            yield start, _joined(held)
            held = []
        if line:
            start = start if held else number
            held.append(line)
    if held:
        yield start, _joined(held)


def _joined(lines: list[str]) -> str:
    """Lines of one step; Chinese ones meet without a blank."""
    return _CHINESE_JOINT.sub("", " ".join(lines))


_CHINESE_JOINT = re.compile(
    r"(?<=[\u3000-\u9fff\uff00-\uffef]) (?=[\u3000-\u9fff\uff00-\uffef@#~])"
)


def _step_parts(
    paragraph: str, source: str, line: int
) -> Iterator[str | Ingredient | Cookware | StepTimer]:
    where = f"{source}, line {line}"
    if (opened := paragraph.count("{")) != (closed := paragraph.count("}")):
        raise RecipeError(f"{where}: {opened} braces open but {closed} close in this step")
    library = _library()
    for part in library.parse_step(paragraph):
        match part:
            case str():
                yield part.replace("\\", "")
            case library.Timing():
                yield _timer(part.name, part.written, where)
            case library.Cookware():
                yield Cookware(_plain_name(part.name, where))
            case _:
                yield _ingredient(part.name, part.written, part.notes or "", where)


def _ingredient(name: str, quantity: str, note: str, where: str) -> Ingredient:
    name = _plain_name(name, where)
    number, _, unit = (p.strip() for p in quantity.partition("%"))
    if not number:
        return Ingredient(name, None, unit, note)
    try:
        amount = parse_amount(number, unit)
    except ValueError as error:
        raise RecipeError(f"{where}: @{name}: {error}") from error
    if amount is None:
        return Ingredient(name, None, f"{number} {unit}".strip(), note)
    return Ingredient(name, amount, "", note)


def _plain_name(name: str, where: str) -> str:
    """Without the modifiers of Cooklang's extensions: `@&flour`, `@?salt`, `@./sauces/pesto`."""
    plain = re.sub(r"^[&?+\-]+|^\.{1,2}/.*/|^\.{1,2}/", "", name.strip()).split("|")[-1]
    if not plain:
        raise RecipeError(f"{where}: an `@` or `#` without a name; write it as `@name{{…}}`")
    return plain


def _timer(name: str, quantity: str, where: str) -> StepTimer:
    number, _, unit = (p.strip() for p in quantity.partition("%"))
    try:
        amount = parse_amount(number)
        if amount is None:
            raise ValueError(f"{quantity!r} is no duration; write for example ~{{10%minutes}}")
        low, high = (parse_duration(f"{float(v):g} {unit}") for v in (amount.low, amount.high))
    except ValueError as error:
        raise RecipeError(f"{where}: ~{name}: {error}") from error
    return StepTimer(name.strip(), low, high)


# --- the library, bounded --------------------------------------------------------------------

_TOKEN = re.compile(
    r"[@#~][^@#~{}。，；、,;.!?！？\\]*\{[^{}@#~]*\}(\([^()@#~]*\))?"
    r"|[@#~][^\s{}@#~。，；、：！？（）,;:.!?()\\]+"
)
_LONE_SIGN = re.compile(rf"{_TOKEN.pattern}|\\.|[@#~]")


class _Library:
    """cooklang-py's step parser, shown each token's own text only.

    Left to itself it lets a note run to the step's last parenthesis, and a name without braces
    to the next blank, which in Chinese is the end of the sentence. Amounts are kept as `written`:
    its own numbers read "12/3" as 1⅔ and "1/2-1" as ½, and "1/0" breaks it.
    """

    def __init__(self) -> None:
        try:
            import cooklang_py
        except ImportError as error:
            raise MissingExtra("cooklang-py", "compact", needed_for="Reading recipes") from error

        def bounded(kind: type) -> type:
            class Bounded(kind):
                def __init__(
                    self,
                    raw: str,
                    name: str,
                    *,
                    quantity: str | None = None,
                    notes: str | None = None,
                ) -> None:
                    super().__init__(raw, name, notes=notes)
                    self.written = quantity or ""

                @classmethod
                def factory(cls, raw: str) -> Any:
                    token = _TOKEN.match(raw)
                    return super().factory(token[0] if token else raw)

            return Bounded

        self.Timing, self.Cookware = cooklang_py.Timing, cooklang_py.Cookware
        self._step = cooklang_py.Step
        self._prefixes = {sign: bounded(kind) for sign, kind in cooklang_py.PREFIXES.items()}

    def parse_step(self, paragraph: str) -> Iterator[Any]:
        """Its parts in order. A sign that begins no name is plain text, which needs a backslash.

        The library drops a blank between two names ("@salt @pepper"): it is put back here.
        """
        plain = _LONE_SIGN.sub(lambda m: m[0] if len(m[0]) > 1 else f"\\{m[0]}", paragraph)
        at = 0
        for part in self._step(plain, prefixes=self._prefixes):
            raw = part if isinstance(part, str) else part.raw
            found = plain.find(raw, at)
            if found > at:
                yield plain[at:found]
            at = found + len(raw)
            yield part


@cache
def _library() -> _Library:
    return _Library()


def language_of(text: str) -> Language:
    return "zh" if re.search(r"[\u4e00-\u9fff]", text) else "en"
