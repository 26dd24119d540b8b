"""Files that people write in YAML: what they hold, and in which line."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import yaml

from cio_pipeline.model.errors import InvalidConfig


@dataclass(frozen=True)
class YamlText:
    """A file's text and what it holds.

    `what` is how it is called, `form` what to write if it holds something else altogether.
    """

    what: str
    form: str
    text: str
    content: Any

    @property
    def document(self) -> yaml.Node | None:
        """Its parts with their lines; None if it is empty."""
        return _UniqueKeys(self.text).get_single_node()


def read_yaml(text: str, what: str, form: str) -> YamlText:
    """A YAML text; raises InvalidConfig for what is none, or has a key twice."""
    try:
        return YamlText(what, form, text, yaml.load(text, _UniqueKeys))  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise InvalidConfig(f"The {what} is no YAML: {_where(error, text)}.") from error
    except RecursionError:
        raise InvalidConfig(
            f"The {what} is nested so deeply that it cannot be read.", "See docs/sync-file.md."
        ) from None


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, not a silent choice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the base's signature
        keys = Counter(str(key.value) for key, _ in node.value)
        twice = [key for key, count in keys.items() if count > 1]
        if twice:
            raise yaml.MarkedYAMLError(
                problem=f"the key '{twice[0]}' stands twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)

    def construct_object(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - the same
        try:
            return super().construct_object(node, deep)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        except ValueError:
            raise yaml.MarkedYAMLError(
                problem="a date or number that cannot be read", problem_mark=node.start_mark
            ) from None


def _where(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        told = error.problem or "not readable"
        if error.context == "while scanning an alias" or told.startswith("found undefined alias"):
            told = "text that begins with `*` has to stand in quotes"
        return f"{told} in line {error.problem_mark.line + 1}"
    at = getattr(error, "position", 0)
    return f"a character that YAML does not allow in line {text.count(chr(10), 0, at) + 1}"
