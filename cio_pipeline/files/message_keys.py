"""Keys of messages: a JMESPath template over `metadata`, `time` and `data` (M2).

JMESPath is jmespath's; ours are the context, exact numbers, and that no message gets a key by
mistake. Rendering is bounded: see LONGEST_TEMPLATE, MOST_FAN_OUT and LONGEST_TEXT.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import jmespath
from jmespath import exceptions, functions, visitor

from cio_pipeline.files.names import key_problem
from cio_pipeline.files.template_syntax import syntax_problem
from cio_pipeline.files.template_tree import ALL, Node, Path, fan_out, joined, paths
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.json_text import Json, exact_text
from cio_pipeline.model.manifests import FOLDER

LONGEST_TEMPLATE = 2000
"""Characters."""

MOST_FAN_OUT = 1000
"""How many times over a template may take up what it reads; `[@, @] | [@, @]` is four."""

LONGEST_TEXT = 64 * 1024
"""Characters that `join` and `to_string` may give."""

LONGEST_KEY = 768
"""Bytes: with a sync's path before it, the whole is what every store takes."""

LONGEST_NAME = 255
"""Bytes between two slashes; the limit of most file systems."""

MOST_NAMES = 200
"""Azure takes 254, with the sync's path."""

_UNFINISHED = re.compile(r"#[0-9]+$")


class NoKey(ValueError):
    """A message gets no key; the text says why, and holds nothing of the message."""


@dataclass(frozen=True)
class KeyTemplate:
    """A compiled template; `tree` is its syntax tree."""

    text: str
    tree: Node = field(hash=False, repr=False)

    @property
    def reads_data(self) -> bool:
        """Whether it looks at the payload, whose fields are not known beforehand."""
        return any(path[0] in {"data", ALL} for path in paths(self.tree))

    @cached_property
    def reads_time(self) -> bool:
        """Whether it may look at the time."""
        return self._joined is None or any(one[:1] == ("time",) for one in self._joined[1])

    @cached_property
    def _joined(self) -> tuple[str, Sequence[str | Path]] | None:
        return joined(self.tree)

    def render(self, metadata: Mapping[str, str], time: Mapping[str, str], data: Json) -> str:
        """The key of a message with the decoded payload `data`; raises NoKey."""
        context: dict[str, Any] = {"metadata": dict(metadata), "time": dict(time), "data": data}
        return _clean(self._quickly(context) or self._value(context))

    def _quickly(self, context: dict[str, Any]) -> str | None:
        """What JMESPath would give, a tenth as fast; None where it has to be asked."""
        if self._joined is None:
            return None
        separator, parts = self._joined
        found = [one if isinstance(one, str) else _field(context, *one) for one in parts]
        if not all(isinstance(one, str) for one in found):
            return None
        text = separator.join(found)
        return text if len(text) <= LONGEST_TEXT else None

    def _value(self, context: dict[str, Any]) -> Any:
        try:
            return _INTERPRETER.visit(self.tree, context)
        except NoKey:
            raise
        except exceptions.JMESPathTypeError as error:
            kind = _JSON_NAMES.get(error.actual_type, error.actual_type)
            raise NoKey(f"the key template gives {kind} to {error.function_name}()") from None
        except exceptions.ArityError as error:
            raise NoKey(f"the key template: {error}") from None
        except (RecursionError, ValueError, TypeError, OverflowError, ArithmeticError) as error:
            # Its text may hold a value.
            kind = type(error).__name__
            raise NoKey(f"the key template cannot be worked out ({kind})") from None


def compile_template(text: str) -> KeyTemplate:
    """A template, compiled; raises InvalidConfig if it is no JMESPath or could grow without end."""
    if len(text) > LONGEST_TEMPLATE:
        raise InvalidConfig(
            f"The key template has {len(text):,} characters; {LONGEST_TEMPLATE:,} are allowed."
        )
    try:
        compiled: Any = jmespath.compile(text)
        tree: Node = compiled.parsed
        grows = fan_out(tree)
    except exceptions.JMESPathError as error:
        problem = syntax_problem(text, error)
        raise InvalidConfig(f"The key template is no JMESPath: {problem}.", _SEE) from None
    except RecursionError:
        raise InvalidConfig("The key template is nested too deeply.", _SEE) from None
    if grows > MOST_FAN_OUT:
        raise InvalidConfig(
            f"The key template takes up what it reads {grows:,} times over; {MOST_FAN_OUT:,} times "
            "are allowed.",
            "Use fewer lists in one another.",
        )
    return KeyTemplate(text, tree)


def _field(context: dict[str, Any], part: str, name: str) -> Any:
    its = context.get(part)
    return cast("dict[str, Any]", its).get(name) if isinstance(its, dict) else None


_JSON_NAMES = {"NoneType": "null", "str": "string", "int": "number", "float": "number"}

_SEE = "See docs/messages.md and jmespath.org; names with a hyphen are quoted."


def _clean(key: object) -> str:
    """The key as it is, if every store takes it and it is nobody else's."""
    if not isinstance(key, str):
        raise NoKey(f"the key template gives {_kind(key)}, not a string")
    problem = key_problem(key) or _unportable(key)
    if problem:
        raise NoKey(f"the key {problem}")
    if key.split("/")[0].lower() == FOLDER:
        raise NoKey(f"the key lies in {FOLDER}/, which is the manifests'")
    if _UNFINISHED.search(key):
        raise NoKey("the key ends in '#' and a number, as unfinished files do")
    return key


def _unportable(key: str) -> str | None:
    """Why one of the stores could refuse or rewrite a key: a message fares alike in all of them."""
    names = key.split("/")
    rules = (
        (len(key.encode()) > LONGEST_KEY, f"has more than {LONGEST_KEY} bytes"),
        (len(names) > MOST_NAMES, f"has more than {MOST_NAMES} parts"),
        (
            any(len(name.encode()) > LONGEST_NAME for name in names),
            f"has a part of more than {LONGEST_NAME} bytes",
        ),
        (any(name.endswith(".") for name in names), "has a part that ends in a dot"),
    )
    return next((text for broken, text in rules if broken), None)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list) else "an object"


def _bounded(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise NoKey(f"the key template makes a text of more than {LONGEST_TEXT:,} characters")
    return text


class _Functions(functions.Functions):
    """JMESPath's functions, with exact numbers and bounded texts."""

    @functions.signature({"types": []})
    def _func_to_string(self, arg: Json) -> str:
        return _bounded(arg if isinstance(arg, str) else exact_text(arg))

    @functions.signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, array: list[str]) -> str:
        return _bounded(separator.join(array))


def _arguments(signature: Sequence[Mapping[str, Any]]) -> tuple[int, int | None]:
    variadic = bool(signature) and signature[-1].get("variadic", False)
    return len(signature), None if variadic else len(signature)


FUNCTIONS: Mapping[str, tuple[int, int | None]] = {
    name: _arguments(found["signature"]) for name, found in _Functions.FUNCTION_TABLE.items()
}
"""The functions that there are, by name: least and most arguments, None for any number."""


class _Interpreter(visitor.TreeInterpreter):
    """JMESPath's interpreter, whose comparisons of a text with a number give null."""

    def visit_comparator(self, node: Any, value: Any) -> Any:
        try:
            return super().visit_comparator(node, value)
        except TypeError:
            return None


_INTERPRETER: Any = _Interpreter(jmespath.Options(custom_functions=_Functions()))
