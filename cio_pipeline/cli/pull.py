"""`cio-pipeline source pull`: calls from an HTTP endpoint (docs/calls.md)."""

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from cio_pipeline.cli.output import print_json, print_table
from cio_pipeline.cli.parameters import AsJson
from cio_pipeline.cli.raw_lines import show_left_out
from cio_pipeline.destinations.secrets import resolve
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.settings import settings
from cio_pipeline.sources.call_pages import Endpoint
from cio_pipeline.sources.call_pages import pull as pull_pages
from cio_pipeline.sources.open import source_uri, storage_options
from cio_pipeline.wiring import now


def pull(  # noqa: PLR0917 - typer takes options as parameters
    table: Annotated[Literal["calls"], typer.Argument(help="What is pulled: `calls`.")],
    endpoint: Annotated[str, typer.Option(help="URL that gives pages of NDJSON.")],
    token: Annotated[
        str, typer.Option(help="Reference to the bearer token: env:NAME or file:/path.")
    ],
    workspace: Annotated[int, typer.Option(min=1, help="Whose calls they are.")],
    cursor: Annotated[
        str | None, typer.Option(help="Begin here, not where the last pull ended.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - typer's way to declare a flag
) -> None:
    """Pull calls from an endpoint until there is no more; a later pull goes on from there.

    Each page is one commit, with the cursor of the next in it: a pull that dies loses and doubles
    nothing. Lines that cannot be understood are told and left out.
    """
    if not token.startswith(("env:", "file:")):
        raise InvalidConfig(
            "The token is no reference.", "Put it into a variable or file: env:NAME, file:/path."
        )
    found = settings()
    uri = source_uri(found.source)
    options = storage_options(uri, found.storage_options)
    place = Endpoint(endpoint, resolve(token))
    pages = list(pull_pages(place, workspace, uri, now(), options, cursor=cursor))
    bad = [line for page in pages for line in page.bad]
    rows = sum(page.rows for page in pages)
    if as_json:
        told = [asdict(line) for line in bad]
        at = pages[-1].cursor if pages else None
        print_json(
            {"table": table, "pages": len(pages), "rows": rows, "cursor": at, "left_out": told}
        )
        return
    print_table("Pulled", ("table", "pages", "rows"), [(table, len(pages), rows)])
    show_left_out(bad)
