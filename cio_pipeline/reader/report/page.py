"""The page: one HTML file with its data, pictures and the library that draws them; no network."""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any

from cio_pipeline.extras import needs
from cio_pipeline.reader.report.charts import charts
from cio_pipeline.reader.report.facts import Facts, Rows

_TITLES: Mapping[str, tuple[str, str]] = {
    "volume": ("Rows per window", "The last windows, oldest first; the scale is logarithmic."),
    "lag": ("Minutes until delivered", "From a window's end to the manifest that lists it."),
    "sizes": ("Files", "All that the manifests list, by export."),
    "funnel": ("What became of messages", "Opened and clicked by people, each delivery once."),
    "acts": ("Who opened and clicked", "Every open and click, as far as the feed tells."),
    "coverage": ("Who can be matched", "People who are there, with an id or an email address."),
}


def page(all_facts: Sequence[Facts], at: datetime) -> str:
    """The whole page. Raises InvalidConfig if the libraries that draw are not installed."""
    drawn = {
        f"{number}-{name}": spec
        for number, one in enumerate(all_facts)
        for name, spec in charts(one).items()
    }
    sections = "".join(_feed(number, one) for number, one in enumerate(all_facts))
    own = files("cio_pipeline.reader.report")
    parts = {
        "@made@": f"{at:%Y-%m-%d %H:%M} UTC",
        "@feeds@": sections or "<p>No feed has delivered anything yet.</p>",
        "@style@": (own / "page.css").read_text("utf-8"),
        "@specs@": json.dumps(drawn, default=str).replace("<", "\\u003c"),
        # It takes seconds to put together.
        "@vega@": _in_script(needs("vl_convert").javascript_bundle()) if drawn else "",
        "@script@": (own / "page.js").read_text("utf-8"),
    }
    text = (own / "page.html").read_text("utf-8")
    # All at once: what the data says may look like a mark.
    return re.sub("|".join(parts), lambda found: parts[found.group()], text)


def _in_script(code: str) -> str:
    """What ends a script would end it in the middle of a string, too."""
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _feed(number: int, facts: Facts) -> str:
    until = f"{facts.until:%Y-%m-%d %H:%M}" if facts.until else "none"
    tiles = {
        "last window (UTC)": until,
        "manifests": f"{facts.manifests:,}",
        "files": f"{facts.files:,}",
        "rows": f"{facts.rows:,}",
        "bytes": f"{facts.bytes:,}",
    }
    shown = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in tiles.items()
    )
    cards = "".join(
        _card(f"{number}-{name}", name, title, told, getattr(facts, name))
        for name, (title, told) in _TITLES.items()
        if getattr(facts, name)
    )
    return (
        f"<section data-feed='{html.escape(facts.name)}'><h2>{html.escape(facts.name)}</h2>"
        f"<p class='place'>{html.escape(facts.place)}</p><dl>{shown}</dl>{_unread(facts)}"
        f"<div class='cards'>{cards}{_held(facts)}</div></section>"
    )


def _unread(facts: Facts) -> str:
    told = f"{facts.unread} So what became of messages cannot be told."
    return f"<p class='unread'>{html.escape(told)}</p>" if facts.unread else ""


def _card(key: str, name: str, title: str, told: str, rows: Rows) -> str:
    return (
        f"<article data-card='{name}'><h3>{title}</h3><p>{told}</p>"
        f"<div class='chart' id='chart-{key}' role='img' aria-label='{title}'></div>"
        f"<details><summary>As a table</summary>{_table(list(rows[0]), (r.values() for r in rows))}"
        "</details></article>"
    )


def _held(facts: Facts) -> str:
    rows = [(one.export, one.reason, one.rows) for one in facts.held]
    shown = _table(["export", "reason", "rows"], rows) if rows else "<p class='none'>None.</p>"
    told = "<p>Rows that broke the contract and wait to be mended.</p>"
    return f"<article data-card='held'><h3>Held back</h3>{told}{shown}</article>"


def _table(head: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    heads = "".join(f"<th>{html.escape(one)}</th>" for one in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div class='wide'>{table}</div>"


def _cell(value: Any) -> str:
    match value:
        case datetime():
            return f"<td>{value:%Y-%m-%d %H:%M}</td>"
        case int() | float():
            return f"<td class='number'>{value:,}</td>"
        case _:
            return f"<td>{html.escape(str(value))}</td>"
