"""Names of export files as values (D5), and where they lie (D9): rendering and parsing are inverse.

A name's tail, from the version on, has no `v` but the version's own. So the last `_v<x>_` of a
name is always the version, and every stem that `check_stem` allows parses back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from cio_pipeline.model.errors import InvalidConfig, InvalidKey
from cio_pipeline.model.plans import Series

LARGEST = 2**63 - 1
"""The largest workspace id and sequence: both are int64 wherever readers store them."""

_NUMBER = "[1-9][0-9]{0,18}"
_STEM = re.compile(r"[a-z][a-z0-9_]{0,63}")
_VERSION_WORD = re.compile(r"_v[0-9]+(_|$)")
_NAME = re.compile(
    rf"(?P<stem>{_STEM.pattern})_v(?P<version>{_NUMBER})_(?P<chngs>chngs_)?"
    rf"(?P<workspace>{_NUMBER})_(?P<sequence>{_NUMBER})(_(?P<part>{_NUMBER}))?\.parquet"
)


@dataclass(frozen=True)
class FileName:
    """The name of one file. `part` is the second number of an initial metrics file, else None."""

    stem: str
    version: int
    series: Series
    workspace_id: int
    sequence: int
    part: int | None = None


def check_stem(stem: str) -> None:
    """Raise InvalidConfig for a stem that readers could not tell from another's (D5).

    A `_v5` inside a stem is refused: a reader's pattern `people_v5_*` would also match the files
    of the stem `people_v5_old`.
    """
    if not _STEM.fullmatch(stem):
        raise InvalidConfig(
            f"'{stem}' is no file stem.",
            "Use up to 64 lower-case letters, digits and underscores, a letter first.",
        )
    if _VERSION_WORD.search(stem):
        raise InvalidConfig(
            f"The file stem '{stem}' holds a version of its own.",
            "Leave `_v` and a number out of it; the contract's version is added to every name.",
        )


def check_stems(stems: Mapping[str, str]) -> None:
    """Raise InvalidConfig if a stem (by export) is invalid or two exports share one (D5)."""
    owners: dict[str, str] = {}
    for export, stem in stems.items():
        check_stem(stem)
        other = owners.setdefault(stem, export)
        if other != export:
            raise InvalidConfig(
                f"The exports {other} and {export} have the same file stem '{stem}'.",
                "Give each a stem of its own under `stems`.",
            )


def render_name(name: FileName) -> str:
    """The file's name, the inverse of parse; raises InvalidKey if it could not be parsed back."""
    chngs = name.series is Series.CHNGS
    series = "chngs_" if chngs else ""
    part = "" if name.part is None else f"_{name.part}"
    text = f"{name.stem}_v{name.version}_{series}{name.workspace_id}_{name.sequence}{part}.parquet"
    numbers = (
        name.version,
        name.workspace_id,
        name.sequence,
        1 if name.part is None else name.part,
    )
    if min(numbers) < 1 or max(numbers) > LARGEST or (chngs and part) or not _is_stem(name.stem):
        raise InvalidKey(f"'{text}' does not name what it should.", _REPORT)
    return text


@lru_cache(maxsize=256)
def _is_stem(text: str) -> bool:
    return _STEM.fullmatch(text) is not None and _VERSION_WORD.search(text) is None


def parse_name(text: str) -> FileName:
    """A name from its text, without folders; raises InvalidKey for anything but an export file."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise InvalidKey(f"'{text}' is not the name of an export file.", _FORMS)
    version, workspace, sequence = (int(match[g]) for g in ("version", "workspace", "sequence"))
    part = int(match["part"]) if match["part"] else None
    if max(version, workspace, sequence, part or 0) > LARGEST:
        raise InvalidKey(f"A number in '{text}' is larger than an int64.", _FORMS)
    if match["chngs"] and part:
        raise InvalidKey(f"'{text}' has two sequences, which chngs files never have.", _FORMS)
    if _VERSION_WORD.search(match["stem"]):
        raise InvalidKey(f"The stem in '{text}' holds a version of its own.", _FORMS)
    series = Series.CHNGS if match["chngs"] else Series.PLAIN
    return FileName(match["stem"], version, series, workspace, sequence, part)


def render_key(name: FileName, day: date | None) -> str:
    """A file's key: flat, or in its stem's folder of the `day` that its window ended (D9)."""
    text = render_name(name)
    return text if day is None else f"{_folder(name, day)}/{text}"


def parse_key(key: str) -> tuple[FileName, date | None]:
    """The name and the day of a key, the inverse of render_key; raises InvalidKey."""
    folder, slash, text = key.rpartition("/")
    name = parse_name(text)
    day = _day(folder)
    if slash and (day is None or folder != _folder(name, day)):
        raise InvalidKey(f"'{folder}' is no folder for '{text}'.", _DATED)
    return name, day


def _folder(name: FileName, day: date) -> str:
    return f"{name.stem}/dt={day.isoformat()}"


def _day(folder: str) -> date | None:
    try:
        return date.fromisoformat(folder.rpartition("/dt=")[2])
    except ValueError:
        return None


_DATED = "The form is <stem>/dt=YYYY-MM-DD/, with the stem of the file."
_FORMS = "The form is <stem>_v<x>[_chngs]_<workspace>_<sequence>[_<part>].parquet."
_REPORT = "This is a bug: please report it."


LONGEST = 1024
"""Bytes of UTF-8; the limit of S3 and Azure."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def key_problem(key: str) -> str | None:
    """Why a store could refuse, rewrite or misread a key; None if it is clean."""
    parts = key.split("/")
    rules = (
        (not key, "is empty"),
        ("" in parts, "has a leading, trailing or double slash"),
        ("." in parts or ".." in parts, "has a '.' or '..' in it"),
        (_CONTROL.search(key) is not None, "has a control character in it"),
        ("\\" in key, "has a backslash in it"),
        (len(key.encode(errors="replace")) > LONGEST, f"has more than {LONGEST} bytes"),
    )
    return next((text for broken, text in rules if broken), None)


def check_key(key: str) -> str:
    """The key as it is; raises InvalidKey if a store could refuse, rewrite or misread it (D8)."""
    problem = key_problem(key)
    if problem:
        raise InvalidKey(f"{key[:80]!r} is no valid key: it {problem}.", "Give it a plain path.")
    return key


def shown(key: str) -> str:
    """A key for people, whatever is in it: what cannot be printed is escaped."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in key
    )
