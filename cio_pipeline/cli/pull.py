"""`cio-pipeline source pull`: calls from an HTTP endpoint (docs/calls.md)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Annotated, Literal

import typer
from rich.console import Console

from cio_pipeline.cli.loading import show_left_out
from cio_pipeline.cli.output import console, print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.destinations.secrets import secret_of
from cio_pipeline.model.errors import CioError, InvalidConfig
from cio_pipeline.settings import settings
from cio_pipeline.sources.call_pages import Endpoint, Page
from cio_pipeline.sources.call_pages import pull as pull_pages
from cio_pipeline.sources.json_lines import BadLine
from cio_pipeline.sources.page_fetch import RetryRules
from cio_pipeline.wiring import now, source_place

TOLD_EVERY = 10.0
"""Seconds between two lines of progress where standard error is no terminal."""


def pull(
    table: Annotated[Literal["calls"], typer.Argument(help="What is pulled: `calls`.")],
    endpoint: Annotated[str, typer.Option(help="URL that gives pages of NDJSON.")],
    token: Annotated[
        str, typer.Option(help="Reference to the bearer token: env:NAME or file:/path.")
    ],
    workspace: Annotated[int, typer.Option(min=1, help="Whose calls they are.")],
    cursor: Annotated[
        str | None, typer.Option(help="Begin here, not where the last pull ended.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Pull calls from an endpoint until there is no more; a later pull goes on from there.

    Each page is one commit, with the cursor of the next in it: a pull that dies loses and doubles
    nothing. Lines that cannot be understood are told and left out.
    """
    if not token.startswith(("env:", "file:")):
        raise InvalidConfig(
            "The token is no reference.", "Put it into a variable or file: env:NAME, file:/path."
        )
    uri, options = source_place(settings())
    place = Endpoint(endpoint, secret_of(token))
    terminal = console(stderr=True)
    patience = RetryRules(say=lambda text: terminal.print(text, soft_wrap=True))
    pages = pull_pages(place, workspace, uri, now(), options, cursor=cursor, patience=patience)
    done = _followed(pages, terminal)
    if as_json:
        told = [asdict(line) for line in done.bad]
        counts = {"pages": done.pages, "rows": done.rows, "known": done.known}
        print_json({"table": table, **counts, "cursor": done.cursor, "left_out": told})
        return
    print_table("Pulled", ("table", "pages", "rows"), [(table, done.pages, done.rows)])
    if done.known:
        typer.echo(f"{done.known:,} more were there already.")
    show_left_out(done.bad)


@dataclass
class _Pulled:
    """What a pull came to so far."""

    pages: int = 0
    rows: int = 0
    known: int = 0
    cursor: str | None = None
    bad: list[BadLine] = field(default_factory=list[BadLine])

    def add(self, page: Page) -> None:
        self.pages += 1
        self.rows += page.rows
        self.known += page.known
        self.cursor = page.cursor
        self.bad += page.bad

    def __str__(self) -> str:
        return f"{self.pages:,} page(s) with {self.rows:,} call(s)"


def _followed(pages: Iterator[Page], terminal: Console) -> _Pulled:
    """All pages, told on standard error as they come; before an error, what was stored."""
    done = _Pulled()
    told = monotonic()
    try:
        with terminal.status("Pulling calls …") as status:
            for page in pages:
                done.add(page)
                status.update(f"Pulled {done} …")
                if not terminal.is_terminal and monotonic() - told >= TOLD_EVERY:
                    terminal.print(f"Pulled {done} …")
                    told = monotonic()
    except CioError:
        terminal.print(f"{done} were stored before.")
        show_left_out(done.bad)
        raise
    return done
