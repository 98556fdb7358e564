"""All recipes at hand: those that come with the package, and the user's own folders."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from omni_agent.errors import RecipeError
from omni_agent.messages import Language
from omni_agent.tools.recipes.cooklang import CooklangFile, language_of, parse_cooklang
from omni_agent.tools.recipes.quantities import parse_duration
from omni_agent.tools.recipes.recipe import ALLERGENS, Recipe, RecipeText

logger = logging.getLogger("omni_agent.tools")

BUILTIN = Path(__file__).with_name("library_files")


class RecipeLibrary(Mapping[str, Recipe]):
    """Recipes by id. `problems`: the files that could not be read; the other recipes are there."""

    def __init__(self, recipes: Iterable[Recipe], problems: Iterable[RecipeError] = ()) -> None:
        self._recipes = {recipe.id: recipe for recipe in recipes}
        self.problems = tuple(problems)

    @classmethod
    def load(cls, *folders: Path | str, builtin: bool = True) -> RecipeLibrary:
        """Read every `.cook` file of the folders and of their folders.

        `<id>.en.cook` and `<id>.zh.cook` are one recipe in two languages; `<id>.cook` tells its
        language by its title. A later folder's recipe replaces an earlier one of the same id.
        Raises RecipeError for a folder that is not there; a broken file is put into `problems`.
        """
        recipes: list[Recipe] = []
        problems: list[RecipeError] = []
        for folder in [*([BUILTIN] if builtin else []), *map(Path, folders)]:
            if not folder.is_dir():
                raise RecipeError(f"{folder}: there is no such folder of recipes")
            for id, files in _files_by_id(folder).items():
                try:
                    recipes.append(_read_recipe(id, files))
                except RecipeError as problem:
                    logger.warning("a recipe is left out: %s", problem)
                    problems.append(problem)
        return cls(recipes, problems)

    def __getitem__(self, id: str) -> Recipe:
        return self._recipes[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._recipes)

    def __len__(self) -> int:
        return len(self._recipes)


def _files_by_id(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.cook")):
        found.setdefault(path.name.split(".")[0], []).append(path)
    return found


def _read_recipe(id: str, paths: list[Path]) -> Recipe:
    files: dict[Language, CooklangFile] = {}
    for path in paths:
        file = _read_file(path)
        language = _language(path, file)
        if language in files:
            raise RecipeError(
                f"{path}: there is already a recipe {id!r} in {language!r}, "
                f"{files[language].source}; give one of them another name"
            )
        files[language] = file
    first = next(iter(files.values()))
    for file in files.values():
        if len(file.steps) != len(first.steps):
            raise RecipeError(
                f"{file.source}: {len(file.steps)} steps, but {first.source} has "
                f"{len(first.steps)}; both languages need the same steps"
            )
    texts = {language: _text(language, file) for language, file in files.items()}
    card = _Card(first)
    prep, cook = card.minutes("prep"), card.minutes("cook")
    return Recipe(
        id=id,
        servings=card.servings(),
        minutes=card.minutes("time") or (prep or 0) + (cook or 0),
        texts=texts,
        prep_minutes=prep,
        cook_minutes=cook,
        course=card.words("course").lower(),
        tags=frozenset(t.lower() for f in files.values() for t in _Card(f).list_of("tags")),
        diet=frozenset(d.lower().replace(" ", "-") for d in card.list_of("diet")),
        allergens=card.allergens(),
    )


def _read_file(path: Path) -> CooklangFile:
    try:
        return parse_cooklang(path.read_text(encoding="utf-8"), source=str(path))
    except UnicodeDecodeError as error:
        problem = f"{path}: no UTF-8 text at byte {error.start}; save it as UTF-8"
        raise RecipeError(problem) from error
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error


def _language(path: Path, file: CooklangFile) -> Language:
    parts = path.name.split(".")
    stated = file.metadata.get("language") or (parts[1] if len(parts) == 3 else "")
    return str(stated or language_of(_Card(file).words("title") or path.stem)).lower()[:2]


def _text(language: Language, file: CooklangFile) -> RecipeText:
    card = _Card(file)
    title = card.words("title")
    if not title:
        raise RecipeError(f"{file.source}, line 2: the front matter has no `title:`")
    aliases = tuple(card.list_of("aliases"))
    return RecipeText(language, title, file.steps, aliases, card.words("origin"), file.notes)


class _Card:
    """The front matter of one file, read with errors that name the file and the key."""

    def __init__(self, file: CooklangFile) -> None:
        self._values: dict[str, Any] = file.metadata
        self._source = file.source

    def words(self, key: str) -> str:
        value = self._values.get(key)
        return "" if value is None else str(value).strip()

    def list_of(self, key: str) -> list[str]:
        """`[a, b]`, `a, b` or one word."""
        match self._values.get(key):
            case None:
                return []
            case list(items):
                return [str(i).strip() for i in items if i is not None]
            case str(text):
                return [t.strip() for t in text.replace("，", ",").split(",") if t.strip()]
            case other:
                raise RecipeError(f"{self._source}: `{key}: {other!r}` should be a list of words")

    def servings(self) -> int:
        """The first number of "4", "4-6", "4 people"; "serves" and "yield" are read too."""
        key = next((k for k in ("servings", "serves", "yield") if k in self._values), "servings")
        value = self.words(key)
        digits = value[: len(value) - len(value.lstrip("0123456789"))]
        if not digits or not 1 <= int(digits) <= 1000:
            raise RecipeError(f"{self._source}: `{key}: {value}` should be how many it feeds")
        return int(digits)

    def minutes(self, key: str) -> int | None:
        spelt = {"prep": "prep time", "cook": "cook time", "time": "time required"}[key]
        value = self._values.get(key, self._values.get(spelt))
        if value is None:
            return None
        try:
            return round(parse_duration(value if isinstance(value, int) else str(value)) / 60)
        except ValueError as error:
            raise RecipeError(f"{self._source}: `{key}:` {error}") from error

    def allergens(self) -> frozenset[str]:
        named = frozenset(a.lower() for a in self.list_of("allergens"))
        if unknown := named - set(ALLERGENS):
            raise RecipeError(
                f"{self._source}: unknown allergens {', '.join(sorted(unknown))}; "
                f"known are {', '.join(ALLERGENS)}"
            )
        return named
