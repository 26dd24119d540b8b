"""`cio-pipeline sync key-preview`: the key that a message would get (M2)."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import typer

from cio_pipeline.cli.context import services
from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.contracts.message_envelope import DEFAULT_KEY_TEMPLATE
from cio_pipeline.files.message_keys import KeyTemplate, compile_template
from cio_pipeline.files.message_objects import NoObject, as_object, read_message
from cio_pipeline.files.template_check import check_template
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.json_text import NotJson, fields
from cio_pipeline.sources.json_lines import BadLine
from cio_pipeline.sources.message_lines import MessageLines
from cio_pipeline.wiring import now


@dataclass(frozen=True)
class PreviewedKey:
    """What a message would become: a key with metadata, or why not."""

    message: str
    key: str | None
    metadata: dict[str, str]
    problem: str | None


def key_preview(
    sync_id: Annotated[str | None, typer.Argument(help="Id of a messages sync.")] = None,
    message: Annotated[
        str, typer.Option(help="File with messages, one a line or a single one; - is stdin.")
    ] = "-",
    template: Annotated[
        str | None, typer.Option(help="Try this template instead of the sync's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the keys that messages would get, their objects' metadata, and the template's warnings.

    Nothing is sent. Without a sync and a template, the default template is used.
    """
    text = template or _template_of(sync_id)
    warnings, compiled = check_template(text), compile_template(text)
    found = _previewed(compiled, *_read(message))
    if as_json:
        keys = [asdict(one) for one in found]
        print_json({"template": text, "warnings": warnings, "messages": keys})
    else:
        for warning in warnings:
            typer.echo(f"Warning: {warning}.", err=True)
        rows = [(one.message, one.key or f"none: {one.problem}", one.metadata) for one in found]
        print_table(f"Keys by {text}", ("message", "key", "metadata"), rows, "no message was given")
    if any(one.key is None for one in found):
        raise typer.Exit(1)


def _template_of(sync_id: str | None) -> str:
    if sync_id is None:
        return DEFAULT_KEY_TEMPLATE
    sync = services().ledger.registry.get(sync_id).sync
    if "key_template" not in sync.feed.facts.options:
        raise InvalidConfig(
            f"Sync '{sync_id}' is of the feed {sync.feed}; only messages have key templates."
        )
    return sync.key_template or DEFAULT_KEY_TEMPLATE


def _read(name: str) -> tuple[list[dict[str, Any]], list[BadLine]]:
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise InvalidConfig(f"{name} cannot be read: {error.strerror}.") from error
    lines = MessageLines(0, now())
    told = "stdin" if name == "-" else Path(name).name
    rows = list(lines.rows_of(told, BytesIO(_on_one_line(content))))
    return rows, lines.bad


def _on_one_line(content: bytes) -> bytes:
    """A single message may be spread over lines: between its parts, they are only space."""
    try:
        fields(content.decode())
    except (NotJson, UnicodeDecodeError):
        return content
    return content.replace(b"\r", b" ").replace(b"\n", b" ")


def _previewed(
    template: KeyTemplate, rows: Iterable[Mapping[str, Any]], left_out: Iterable[BadLine]
) -> list[PreviewedKey]:
    found: list[PreviewedKey] = []
    for row in rows:
        id_, timestamp = row["message_id"], row["timestamp"]
        try:
            one = as_object(read_message(id_, timestamp, row["metadata"], row["payload"]), template)
            found.append(PreviewedKey(id_, one.key, dict(one.metadata), None))
        except NoObject as error:
            found.append(PreviewedKey(id_, None, {}, str(error)))
    bad = [PreviewedKey(f"line {one.line}", None, {}, one.reason) for one in left_out]
    return [*found, *bad]
