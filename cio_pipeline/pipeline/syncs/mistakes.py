"""What is wrong with a sync file, in words: the line, the sync, the field, and what to write.

Values are never repeated, since one may be a pasted secret.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import yaml
from pydantic import ValidationError

from cio_pipeline.model.alerts import AlertsFile, Route
from cio_pipeline.model.data_contract import DataContract, EventTerms, ExportTerms
from cio_pipeline.model.destinations import AzureDestination, LocalDestination, S3Destination
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.syncs.yaml_text import YamlText

Loc: TypeAlias = tuple[int | str, ...]

_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "string_type": "write text; put numbers and times in quotes",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "tuple_type": "write a list",
    "list_type": "write a list",
    "dict_type": "write a mapping, like `name: value`",
    "model_type": "write a mapping, like `name: value`",
    "model_attributes_type": "write a mapping, like `name: value`",
    "enum": "write {expected}",
    "literal_error": "write {expected}",
    "union_tag_invalid": "`type` is {expected_tags}",
    "union_tag_not_found": "`type` is missing; write 'local', 's3' or 'azure'",
    "greater_than_equal": "write {ge} or more",
    "less_than": "is too large",
    "less_than_equal": "write {le} or less",
    "too_short": "name at least {min_length}",
    "string_too_short": "is too short; it has {min_length} characters or more",
    "string_too_long": "is too long; it has at most {max_length} characters",
}
"""By the library's kind of mistake."""

_FORMS: Mapping[str, str] = {
    "id": "lower-case letters, digits and hyphens, at most 64, a letter or digit at both ends",
    "stems": "a stem has lower-case letters, digits and underscores, and begins with a letter",
    **dict.fromkeys(
        (
            "files_expire_after",
            "expire_delivered_after",
            "expire_acknowledged_after",
            "acknowledge_within",
        ),
        "write days like `30d`",
    ),
    "region": "write it like eu-central-1",
    "role_arn": "write it like arn:aws:iam::123456789012:role/name",
    "external_id": "it has letters, digits and _+=,.@:/- only",
}
"""By field: what its text looks like."""

_MODELS = (
    (Sync, "a sync"),
    (LocalDestination, "a destination of type local"),
    (S3Destination, "a destination of type s3"),
    (AzureDestination, "a destination of type azure"),
    (DataContract, "a data contract"),
    (ExportTerms, "an export in a data contract"),
    (EventTerms, "an event in a data contract"),
    (AlertsFile, "a file of alerts"),
    (Route, "a route of alerts"),
)
"""What has fields, and what a reader calls it."""

_FIELDS = [name for model, _ in _MODELS for name in model.model_fields]


def in_lines(error: ValidationError, file: YamlText) -> str:
    """All mistakes, a line each, in the order of the file's lines."""
    found = error.errors(include_input=False, include_url=False)
    places = [item["loc"] for item in found]
    own = [item for item in found if not _counts_the_good(item, places)]
    return listed(file, [(item["loc"], _words(item, file.form)) for item in own])


def _counts_the_good(item: Mapping[str, Any], places: Iterable[Loc]) -> bool:
    """Whether a list is too short since the library counts its parts without mistakes only."""
    loc = item["loc"]
    return item["type"] == "too_short" and any(
        len(one) > len(loc) and one[: len(loc)] == loc for one in places
    )


def listed(file: YamlText, mistakes: Iterable[tuple[Loc, str]], concerning: str = "") -> str:
    """The same of mistakes that are told in words, each with its place in the file."""
    document = file.document
    lines = sorted(
        {(_line(document, loc), f"{_place(loc, file.content)}: {text}") for loc, text in mistakes}
    )
    head = f"The {file.what} is not valid{f' {concerning}' if concerning else ''}:"
    return "\n".join([head, *(f"  line {line}, {text}" for line, text in lines)])


def _words(item: Mapping[str, Any], form: str) -> str:
    loc, kind = item["loc"], item["type"]
    if not loc:
        return item["msg"].removeprefix("Value error, ") if kind == "value_error" else form
    if any(_is_choice(part) for part in loc):
        return "write `all` or a list of names"
    if kind == "extra_forbidden":
        return _unknown(str(loc[-1]))
    if kind == "string_pattern_mismatch":
        return next((_FORMS[part] for part in reversed(loc) if part in _FORMS), "is no such name")
    if kind in _WORDS:
        return _WORDS[kind].format(**item.get("ctx", {}))
    return item["msg"].removeprefix("Value error, ")


def _unknown(field: str) -> str:
    owners = [what for model, what in _MODELS if field in model.model_fields]
    if owners:
        return f"there is no such field here: it is one of {' or of '.join(owners)}"
    close = difflib.get_close_matches(field, _FIELDS, 1)
    return f"there is no such field{f'; did you mean `{close[0]}`?' if close else ''}"


_KEY = "[key]"
"""What the library calls the name of a field that may be named freely."""


def _is_choice(part: int | str) -> bool:
    """Whether a part is the library's name for one of several types that a field may have."""
    return isinstance(part, str) and part.startswith(("literal[", "tuple["))


def _place(loc: Loc, content: object) -> str:
    named = [str(part) for part in loc if not _is_choice(part) and part != _KEY]
    if len(loc) > 1 and loc[0] == "syncs" and isinstance(content, dict):
        try:
            named[:2] = [f"sync '{content['syncs'][loc[1]]['id']}'"]
        except (KeyError, TypeError, IndexError):
            named[:2] = [f"sync number {int(loc[1]) + 1}"]
    return ", ".join(named) or "the file"


def _line(document: yaml.Node | None, loc: Sequence[int | str]) -> int:
    """The line of the last part of a place that the file has, from 1."""
    line = 1 if document is None else document.start_mark.line + 1
    for part in loc:
        for key, value in _parts(document):
            if key[1] == part:
                line, document = key[0], value
                break
    return line


def _parts(node: yaml.Node | None) -> Iterator[tuple[tuple[int, int | str], yaml.Node]]:
    """The parts of a list or mapping: line and name of each, with what stands there."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (key.start_mark.line + 1, str(key.value)), value
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield (value.start_mark.line + 1, number), value
