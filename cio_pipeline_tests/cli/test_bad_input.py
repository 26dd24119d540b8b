"""Bad input to every option of every verb: one sentence of ours, never a traceback or jargon.

Each parameter is found by looking at the commands themselves: a new option is walked, too.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from cio_pipeline.cli.app import main
from cio_pipeline_tests.cli.every_verb import COMMANDS
from cio_pipeline_tests.world import World, during

Said: TypeAlias = Callable[[list[str]], tuple[int, str]]

JARGON = re.compile(
    r"Traceback|pydantic|Input should|valid dictionary|instance of|tuple\[|[Ll]iteral\[|NoneType"
    r"|should match pattern|\^\[|<class|Errno|\w+Error\b(?<! Error)|Expecting value|[Pp]olars"
    r"|[Ss]qlite3?\.|sqlalchemy|object at 0x|codec|embedded null|discriminat|Value error"
    r"|Extra inputs|Field required|validation error|strptime|isoformat"
    r"|\bNone\b|\bTrue\b|\bFalse\b|\{'|\['",
)
HUGE = "x" * 5000
TEXTS = ["", " ", "[red]", "acme-v", "'; DROP", "a\x00b", "ü/../../x", HUGE, "-1"]
TIMES = [
    "",
    "x",
    "2026-13-45",
    "9999-12-31T23:59",
    "0001-01-01",
    "1969-01-01",
    "0",
    "2026-03-01T",
    HUGE,
]
NUMBERS = ["", "x", "1.5", "-1", "0", "9" * 30]
PATHS = [
    "",
    "missing",
    "folder",
    "broken",
    "binary",
    "a\x00b",
    HUGE,
    "/proc/self/mem",
    "/dev/null/x",
]

BASE = {
    "source load": {"table": "people", "files": "people.csv"},
    "source pull": {"table": "calls", "endpoint": "x", "token": "env:TOKEN", "workspace": "1"},
    "sync apply": {"file": "syncs.yaml"},
    "ledger backup": {"file": "folder"},
    "ledger rebuild": {"syncs": "syncs.yaml"},
    "plan abandon": {"sync_id": "acme", "export": "people"},
    "plan": {"window": "2026-03-01T12:00"},
    "export": {"window": "2025-02-01T12:00"},
    "sync key-preview": {"message": "missing"},
    # With a file, no port is opened.
    "metrics": {"file": "metrics.prom"},
}
"""Good values of what has to be given, or such as end a verb before it does much."""

NAMED = {"at", "window", "until"}


def leaves() -> Iterator[tuple[str, Any]]:
    return (
        (verb, one)
        for verb, one in COMMANDS.items()
        if not getattr(one, "commands", None) or verb == "plan"
    )


def bad_values(parameter: Any) -> list[str]:
    kind = str(parameter.type_descriptor.annotation)
    if parameter.name in NAMED:
        return TIMES
    if "int" in kind:
        return NUMBERS
    if "Path" in kind or parameter.name == "message":
        return PATHS
    return TEXTS


def cases() -> Iterator[Any]:
    for verb, command in leaves():
        for one in command.params:
            if getattr(one, "is_flag", False) or one.name in {"help", "context"}:
                continue
            yield pytest.param(verb, one, id=f"{verb} {one.name}")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("home"))
    world.sync("acme")
    world.commit("people", {"internal_customer_id": "ann"}, at=during(0))
    (world.root / "folder").mkdir()
    (world.root / "folder" / "in it").touch()
    (world.root / "broken").write_text("{broken: [")
    (world.root / "binary").write_bytes(bytes(range(256)))
    (world.root / "people.csv").write_text("workspace_id\nx\n")
    (world.root / "syncs.yaml").write_text("syncs: 3")
    return world


@pytest.fixture
def here(home: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(home.root)
    monkeypatch.setenv("CIO_HOME", str(home.root))
    monkeypatch.setenv("TOKEN", "t")
    for name in ("CIO_SOURCE", "CIO_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    return home.root


@pytest.fixture
def said(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """Calls the command line as a process does: its exit code, and all that it says."""

    def call(words: list[str]) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["cio-pipeline", *words])
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO()))
        with pytest.raises(SystemExit) as done:
            main()
        assert isinstance(done.value.code, int)
        out = capsys.readouterr()
        return done.value.code, (out.out + out.err).replace(str(here), "HERE")

    return call


def words_of(verb: str, given: dict[str, str], command: Any) -> list[str]:
    words = verb.split()
    for one in command.params:
        if one.name in given and one.param_type_name == "option":
            words.append(f"{one.opts[0]}={given[one.name]}")
    return [
        *words,
        "--",
        *(
            given[one.name]
            for one in command.params
            if one.name in given and one.param_type_name == "argument"
        ),
    ]


@pytest.mark.parametrize(("verb", "parameter"), [*cases()])
def test_bad_values_of_each_parameter_get_words(said: Said, verb: str, parameter: Any) -> None:
    wrong: list[str] = []
    for value in bad_values(parameter):
        given = {p.name: "acme" for p in COMMANDS[verb].params if p.name == "sync_id"}
        given |= BASE.get(verb, {}) | {parameter.name: value}
        try:
            code, text = said(words_of(verb, given, COMMANDS[verb]))
        except Exception as error:  # noqa: BLE001 - each value is told of
            wrong.append(f"{value[:40]!r}: {error!r}"[:300])
            continue
        if code not in {0, 1, 2} or JARGON.search(text) or len(text) > 3000:
            wrong.append(f"{value[:40]!r}: {text.strip()[:400]}")
        elif code and not re.search(r"Error: [^\n]*|✗|\?", text):
            wrong.append(f"{value[:40]!r}: exit code {code}, and nothing said: {text[:200]}")
    assert not wrong, "\n".join(wrong)


def file_of(fields: str, place: str = "{type: local, path: bucket/b}") -> str:
    return f"syncs:\n  - id: b\n    workspace_id: 2\n    destination: {place}\n    {fields}\n"


FILES = {
    "no mapping": ("- a", 1, "write `syncs:`"),
    "empty": ("", 1, "write `syncs:`"),
    "a text": ("syncs", 1, "write `syncs:`"),
    "syncs is a number": ("syncs: 3", 1, "write a list"),
    "syncs is a mapping": ("syncs: {a: b}", 1, "write a list"),
    "a sync is a text": ("syncs:\n  - a\n", 2, "write a mapping"),
    "no YAML": ("syncs:\n  - a: [", 2, "no YAML"),
    "a date": (file_of("owner: 2026-13-45"), 5, "cannot be read"),
    "exports is a number": (file_of("exports: 3"), 5, "`all` or a list"),
    "exports is a text": (file_of("exports: people"), 5, "`all` or a list"),
    "exports holds a number": (file_of("exports: [people, 3]"), 5, "`all` or a list"),
    "a slip": (file_of("exprots: [people]"), 5, "did you mean `exports`"),
    "a field of another store": (
        file_of("version: 5", "{type: local, path: x, bucket: x}"),
        4,
        "there is no such field here: it is one of a destination of type s3",
    ),
    "a field of the destination": (
        file_of("path: x"),
        5,
        "one of a destination of type local or of a destination of type s3 or of",
    ),
    "a field of the sync": (
        file_of("version: 5", "{type: local, path: x, cadence: 1h}"),
        4,
        "there is no such field here: it is one of a sync",
    ),
    "a version": (file_of("version: 6"), 5, "write 4 or 5"),
    "a feed": (file_of("feed: data"), 5, "'data-out'"),
    "a cadence": (file_of("cadence: 5m"), 5, "'15m'"),
    "a stem": (file_of("stems: {people: 'a b'}"), 5, "lower-case"),
    "stems": (file_of("stems: 3"), 5, "mapping"),
    "days": (file_of("files_expire_after: 3"), 5, "text"),
    "days without a unit": (file_of("files_expire_after: '3'"), 5, "`30d`"),
    "a flag": (file_of("manifest: maybe"), 5, "true or false"),
    "no destination": ("syncs:\n  - id: b\n    workspace_id: 2\n", 2, "is missing"),
    "no type": (file_of("version: 5", "{path: x}"), 4, "`type` is missing"),
    "a type": (file_of("version: 5", "{type: ftp, path: x}"), 4, "'local', 's3', 'azure'"),
    "a role": (file_of("version: 5", "{type: s3, bucket: abc, role_arn: x}"), 4, "arn:aws"),
    "proc": (file_of("version: 5", "{type: local, path: /proc/1/root}"), 4, "no files"),
    "an id": ("syncs:\n  - workspace_id: 2\n    id: A b\n", 3, "lower-case"),
    "a workspace": ("syncs:\n  - id: b\n    workspace_id: x\n", 3, "whole number"),
    "a control character": ("syncs:\n  - id: \x01\n", 2, "does not allow"),
}


@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("verb", ["sync apply ", "ledger rebuild --syncs="])
def test_d11_each_mistake_in_a_sync_file_has_its_line_and_what_to_write(
    said: Said, here: Path, verb: str, case: str
) -> None:
    text, line, words = FILES[case]
    (here / "syncs.yaml").write_text(text)
    code, told = said([*f"{verb}syncs.yaml".split()])
    assert code == 1
    assert words in told
    assert re.search(rf"\bline {line}\b", told), told
    assert not JARGON.search(told), told


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("plan abandon acme peple", "people"),
        ("plan abandon acmee people", "acme"),
        ("sync pause acme --export peple", "people"),
        ("sync show acmee", "acme"),
        ("verify acmee", "acme"),
        ("source load peple people.csv", "people"),
        ("exprt", "export"),
        ("sync shw acme", "show"),
        ("plan --windw x", "window"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(said: Said, words: str, meant: str) -> None:
    code, told = said(words.split())
    assert code in {1, 2}
    assert re.search(rf"Did you mean '?(--)?{meant}|options: --{meant}", told), told


@pytest.mark.parametrize("verb", ["pause", "resume", "disable", "upgrade"])
def test_d7_nothing_is_done_before_what_was_done_already(said: Said, verb: str) -> None:
    code, told = said(["sync", verb, "acme", "--at", "2020-01-01"])
    assert code == 1
    assert "was last changed at 2026-03-01 12:00 UTC" in told
    code, told = said(["sync", verb, "acme", "--at", "2099-01-01"])
    assert code == 1
    assert "lies in the future" in told


def test_a_window_that_does_not_end_is_told(said: Said) -> None:
    assert "No window begins" in said(["plan", "--window", "9999-12-31T23:59"])[1]


WRITERS = {
    "ledger backup {}": True,
    "report --out {}": False,
    "metrics --file {}": True,
    "warehouse load bucket/acme --into {}": True,
}
"""Verbs that write a file, and whether they would put one in the place of a pipe."""


@pytest.mark.parametrize(
    ("words", "place"),
    [(words, place) for words in WRITERS for place in ("/sys/new", "broken/new")]
    + [(words, "pipe") for words, instead in WRITERS.items() if instead],
)
def test_o8_a_place_that_cannot_be_written_is_named_and_stays_as_it_is(
    said: Said, here: Path, words: str, place: str
) -> None:
    if not (here / "pipe").exists():
        os.mkfifo(here / "pipe")
    code, told = said(words.format(place).split())
    assert code == 1
    assert re.search(rf"Error: [^\n]*{place.rpartition('/')[2]}\b|'broken'|'/sys'", told), told
    assert re.search("cannot be w|is there already|no f(older|ile)|is a file", told), told
    assert not JARGON.search(told), told
    assert "File exists" not in told
    assert (here / "pipe").is_fifo()


SETTINGS = {
    "CIO_HOME": "",
    "CIO_SOURCE": "delta:",
    "CIO_LEDGER": "sqlite:///",
    "CIO_SOURCE_NAMES": "",
}


@pytest.mark.parametrize(
    ("name", "words"),
    [("CIO_HOME", "demo")]
    + [
        (name, words)
        for name in SETTINGS
        for words in ("source init", "sync list", "export --now", "status")
    ],
)
@pytest.mark.parametrize("place", ["/sys/new", "broken/new"])
def test_o8_no_verb_breaks_off_in_a_home_that_cannot_be_written(
    said: Said, monkeypatch: pytest.MonkeyPatch, words: str, name: str, place: str
) -> None:
    monkeypatch.setenv(name, f"{SETTINGS[name]}{place}")
    if name == "CIO_SOURCE_NAMES":
        monkeypatch.setenv("CIO_SOURCE", "postgresql://localhost:1/x")
    code, told = said(words.split())
    assert code in {0, 1}
    assert not JARGON.search(told), told
