"""Every verb of the command line, with its parameters as the library holds them."""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from cio_pipeline.cli.app import VERBS, app, loaded

ROOT: Any = get_command(app)


def verbs() -> Iterator[tuple[str, Any]]:
    """The words of each verb that can be called, and groups of verbs, with the command."""
    for name in VERBS:
        yield from _below(name, loaded(name))


def _below(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield words, command
    for name in getattr(command, "commands", {}):
        yield from _below(f"{words} {name}", command.get_command(None, name))


COMMANDS = dict(verbs())
