"""From a function's signature to JSON Schema, and from what a model said back to arguments.

Small models write `"2"` for 2, one value for a list, `null` for "leave it out" and `"Vegan"` for
`"vegan"`; what has only one meaning is put right, everything else is an error in words.
"""

from __future__ import annotations

import difflib
import inspect
import json
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

import docstring_parser
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from omni_agent.errors import ToolDefinitionError, ToolError

_PREFIX = "p_"  # keeps a parameter called `json` or `copy` from hiding a method of BaseModel


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes. `parameters` is a JSON Schema of type object without `$defs`.

    `injected`: the parameters that are no business of a model, by their type.
    """

    description: str
    parameters: dict[str, Any]
    injected: Mapping[type, str]
    is_method: bool
    _model: type[BaseModel]

    def parse(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments for the function; ToolError, in words for the model, if wrong."""
        try:
            raw: dict[str, Any] = json.loads(json.dumps(dict(arguments)))
        except (TypeError, ValueError) as error:
            raise ToolError(f"the arguments {arguments!r} are not JSON") from error
        for _ in range(4):  # a repair may bring the next one to light; four levels are plenty
            try:
                parsed = self._model.model_validate(raw)
            except ValidationError as error:
                if not self._repair(raw, error):
                    raise ToolError(self._in_words(error)) from error
            else:
                return {
                    name.removeprefix(_PREFIX): getattr(parsed, name)
                    for name in parsed.model_fields_set
                }
        raise ToolError(f"the arguments {json.dumps(raw, ensure_ascii=False)} cannot be read")

    def check(self, arguments: Mapping[str, Any]) -> None:
        """ToolError unless the arguments are right as they stand, with nothing to put right."""
        try:
            self._model.model_validate_json(json.dumps(dict(arguments)), strict=True)
        except ValidationError as error:
            raise ToolError(self._in_words(error)) from error
        except TypeError as error:
            raise ToolError(f"{dict(arguments)!r} is not JSON") from error

    def _repair(self, raw: dict[str, Any], error: ValidationError) -> bool:
        """Put right in place what has only one meaning; False if nothing could be."""
        required = self.parameters.get("required", [])
        repaired = False
        for problem in error.errors():
            path, value = problem["loc"], problem.get("input")
            if len(path) == 1 and path[0] not in required and value in (None, "", [], {}):
                repaired |= raw.pop(str(path[0]), _ABSENT) is not _ABSENT
                continue
            better = _better(problem["type"], value, _node_at(self.parameters, path))
            if better is not _ABSENT:
                repaired |= _replace(raw, path, better)
        return repaired

    def _in_words(self, error: ValidationError) -> str:
        known = list(self.parameters["properties"])
        return "; ".join(_problem_in_words(p, known) for p in error.errors()[:5])


def read_signature(
    function: Callable[..., Any],
    *,
    inject: Sequence[type],
    namespace: Mapping[str, Any] | None = None,
) -> Signature:
    """Read what a function takes; parameters of the types `inject` are left out of the schema.

    Raises ToolDefinitionError naming the function and the parameter a model could not fill.
    """
    if not inspect.isroutine(function):
        raise ToolDefinitionError(f"{function!r} is no function or method, so it cannot be a tool")
    where = function.__qualname__
    parameters = list(inspect.signature(function).parameters.values())
    is_method = bool(parameters) and parameters[0].name == "self"
    if is_method:
        parameters = parameters[1:]
    hints = _hints(function, where, namespace)
    doc = docstring_parser.parse(inspect.getdoc(function) or "")
    description = "\n".join(filter(None, [doc.short_description, doc.long_description]))
    if not description:
        raise ToolDefinitionError(
            f"{where} has no docstring; write one, it is all the model knows of the tool"
        )
    said_of = {p.arg_name: " ".join((p.description or "").split()) for p in doc.params}
    if strays := said_of.keys() - {p.name for p in parameters}:
        raise ToolDefinitionError(
            f"{where}: the docstring describes the parameter {sorted(strays)[0]!r}, "
            "which the function does not have"
        )

    injected: dict[type, str] = {}
    fields: dict[str, Any] = {}
    for parameter in parameters:
        _refuse_unfillable(parameter, hints, where)
        annotation = hints[parameter.name]
        if (wanted := next((t for t in inject if _is(annotation, t)), None)) is not None:
            injected[wanted] = parameter.name
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        details: dict[str, Any] = {"alias": parameter.name}
        if said := said_of.get(parameter.name):
            details["description"] = said
        fields[_PREFIX + parameter.name] = (annotation, Field(default, **details))
    model = _model(fields, where, dict(namespace or {}))
    schema = _compact(model.model_json_schema(by_alias=True, schema_generator=_Schema))
    schema.setdefault("properties", {})
    return Signature(description, schema, injected, is_method, model)


class _Schema(GenerateJsonSchema):
    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012


def _hints(
    function: Callable[..., Any], where: str, namespace: Mapping[str, Any] | None
) -> dict[str, Any]:
    module_names = getattr(function, "__globals__", {})
    try:
        return typing.get_type_hints(
            function, globalns=module_names, localns=dict(namespace or {}), include_extras=True
        )
    except (NameError, TypeError, SyntaxError) as error:
        raise ToolDefinitionError(
            f"{where}: an annotation cannot be resolved ({error}); its types must be importable "
            "where the tool is defined"
        ) from error


def _refuse_unfillable(parameter: inspect.Parameter, hints: dict[str, Any], where: str) -> None:
    name = parameter.name
    match parameter.kind:
        case parameter.VAR_POSITIONAL | parameter.VAR_KEYWORD:
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            raise ToolDefinitionError(
                f"{where}: {stars}{name} has no fixed names a model could fill; "
                "name each parameter, or take one list or dict"
            )
        case parameter.POSITIONAL_ONLY:
            raise ToolDefinitionError(
                f"{where}: {name!r} is positional-only, but a model names its arguments; "
                "move it behind the `/`"
            )
    if name not in hints:
        raise ToolDefinitionError(f"{where}: {name!r} has no annotation; say what type it takes")


def _is(annotation: Any, wanted: type) -> bool:
    if get_origin(annotation) in (Union, types.UnionType):
        return any(_is(choice, wanted) for choice in get_args(annotation))
    return inspect.isclass(annotation) and issubclass(annotation, wanted)


def _model(fields: dict[str, Any], where: str, namespace: dict[str, Any]) -> type[BaseModel]:
    config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, validate_by_name=False)
    try:
        model = create_model("arguments", __config__=config, **fields)
        model.model_rebuild(_types_namespace=namespace)  # for dataclasses made inside a function
        model.model_json_schema(schema_generator=_Schema)
    except (PydanticUserError, TypeError) as error:
        name, annotation = _culprit(fields)
        raise ToolDefinitionError(
            f"{where}: {name!r} is annotated {annotation!r}, which a model cannot write as JSON; "
            "use numbers, texts, lists, dicts, enums, dataclasses or pydantic models"
        ) from error
    return model


def _culprit(fields: dict[str, Any]) -> tuple[str, Any]:
    for name, (annotation, _) in fields.items():
        try:
            TypeAdapter(annotation).json_schema()
        except (PydanticUserError, TypeError):
            return name.removeprefix(_PREFIX), annotation
    name, (annotation, _) = next(iter(fields.items()))
    return name.removeprefix(_PREFIX), annotation


def _compact(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema in the fewest tokens: no titles, definitions put in place, no empty choices.

    A type that holds itself becomes a plain object below its first level.
    """
    definitions = schema.pop("$defs", {})

    def walk(node: Any, inside: tuple[str, ...]) -> Any:
        if isinstance(node, list):
            return [walk(item, inside) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            name = node["$ref"].rsplit("/", 1)[-1]
            if name in inside:
                return {"type": "object"}
            return walk({**definitions[name], **_without(node, "$ref")}, (*inside, name))
        if len(node.get("allOf", ())) == 1:
            return walk({**node["allOf"][0], **_without(node, "allOf")}, inside)
        if "default" in node and node["default"] is None:  # leaving it out says the same
            node = _without(node, "default")
            choices = [c for c in node.get("anyOf", ()) if c != {"type": "null"}]
            if len(choices) == 1:
                return walk({**choices[0], **_without(node, "anyOf")}, inside)
        walked: dict[str, Any] = {}
        for key, value in node.items():
            if key == "properties":
                walked[key] = {name: walk(child, inside) for name, child in value.items()}
            elif key in ("enum", "default", "const", "examples", "required"):
                walked[key] = value
            elif key != "title" and (key, value) != ("additionalProperties", False):
                walked[key] = walk(value, inside)
        return walked

    compacted: dict[str, Any] = walk(schema, ())
    return compacted


def _without(node: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in node.items() if k != key}


# --- what a model meant ----------------------------------------------------------------------

_ABSENT: Any = object()


def _better(problem: str, value: Any, node: dict[str, Any] | None) -> Any:
    """What `value` means where it has only one meaning, else _ABSENT."""
    if isinstance(value, str) and problem.endswith("_type") and value.strip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return _ABSENT
    match problem:
        case "list_type" | "set_type" | "frozen_set_type" | "tuple_type":
            return _ABSENT if value is None else [value]
        case "literal_error" | "enum" if isinstance(value, str) and node is not None:
            same = [c for c in _choices(node) if _folded(c) == _folded(value)]
            return same[0] if len(same) == 1 else _ABSENT
        case "string_type" if isinstance(value, bool):
            return json.dumps(value)
    return _ABSENT


def _folded(text: str) -> str:
    return "".join(c for c in text.casefold() if c not in " _-")


def _choices(node: dict[str, Any]) -> Iterator[str]:
    yield from (c for c in [*node.get("enum", ()), node.get("const")] if isinstance(c, str))
    for choice in node.get("anyOf", ()):
        yield from _choices(choice)


def _node_at(schema: dict[str, Any], path: tuple[int | str, ...]) -> dict[str, Any] | None:
    node: Any = schema
    for step in path:
        options = [node, *node.get("anyOf", ())]
        if isinstance(step, int):
            node = next((o["items"] for o in options if "items" in o), None)
        else:
            found = (o["properties"] for o in options if "properties" in o)
            node = next((p[step] for p in found if step in p), node)  # else: a union's tag
        if not isinstance(node, dict):
            return None
    return node


def _replace(raw: Any, path: tuple[int | str, ...], value: Any) -> bool:
    """Set what stands at `path`; steps that are not in the data are a union's tags."""
    spots: list[tuple[Any, int | str]] = []
    here = raw
    for step in path:
        if step in (here if isinstance(here, dict) else range(len(here))):
            spots.append((here, step))
            here = here[step]
            if not isinstance(here, dict | list):
                break
    if not spots:
        return False
    holder, key = spots[-1]
    if holder[key] == value:
        return False
    holder[key] = value
    return True


def _problem_in_words(problem: Any, known: list[str]) -> str:
    name = ".".join(str(step) for step in problem["loc"]) or "the arguments"
    match problem["type"]:
        case "missing":
            return f'the argument "{name}" is missing'
        case "extra_forbidden":
            near = difflib.get_close_matches(name, known, n=1)
            hint = (
                f'did you mean "{near[0]}"?' if near else f"allowed: {', '.join(known) or 'none'}"
            )
            return f'there is no argument "{name}" ({hint})'
    given = json.dumps(problem.get("input"), ensure_ascii=False, default=repr)
    message = problem["msg"]
    message = message[0].lower() + message[1:]
    return f'the argument "{name}" is {given[:80]}, but {message.removeprefix("input ")}'
