"""The pictures of a page, as Vega-Lite. Colours that both a light and a dark page bear."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from cio_pipeline.extras import needs
from cio_pipeline.reader.report.facts import STEPS, Facts, Rows

Spec = Mapping[str, Any]

_COLOURS = ("#3b82c4", "#d9822b", "#2f9e77", "#c2528b", "#8a6fd1", "#8c8c8c")
_OTHERS = "others"
_SINGLY = 30
"""So many windows have a point each."""

_HEIGHT, _STEP = 220, 26
"""Pixels of a picture, and of a bar that lies in one."""

_CLOCK = (
    "utcFormat(datum.value, utchours(datum.value) + utcminutes(datum.value) ? '%H:%M' : '%b %-d')"
)
_SHORT = "format(datum.value, '~s')"
"""Labels in Vega's own words: an axis would say 09 AM, and 0k of nothing."""


def charts(facts: Facts) -> dict[str, Spec]:
    """A picture for each table that has rows, by the table's name."""
    drawn: Mapping[str, tuple[Rows, Callable[[Rows], Any]]] = {
        "volume": (facts.volume, _volume),
        "lag": (facts.lag, _lag),
        "sizes": (facts.sizes, _sizes),
        "funnel": (facts.funnel, _funnel),
        "acts": (facts.acts, _acts),
        "coverage": (facts.coverage, _coverage),
    }
    return {name: _spec(draw(rows)) for name, (rows, draw) in drawn.items() if rows}


def _spec(chart: Any) -> Spec:
    """A bar that lies takes the same room everywhere; whatever stands fills the picture."""
    lies = chart.encoding.y.to_dict().get("type") == "nominal"
    height = {"step": _STEP} if lies else _HEIGHT
    return chart.properties(width="container", height=height).to_dict()


def _chart(rows: Rows) -> Any:
    alt = needs("altair")
    return alt.Chart(alt.Data(values=[_plain(row) for row in rows]))


def _plain(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A window is a time to the axis, and a text to who points at it: both in UTC."""
    if "window" not in row:
        return row
    window = row["window"]
    return {**row, "window": window.isoformat(), "at": f"{window:%Y-%m-%d %H:%M}"}


def _windows(alt: Any) -> Any:
    axis = alt.Axis(tickCount=4, grid=False, labelOverlap=True, labelExpr=_CLOCK)
    return alt.X("window:T", title=None, scale=alt.Scale(type="utc"), axis=axis)


def _numbers(alt: Any) -> Any:
    return alt.Axis(labelExpr=_SHORT, tickCount=4)


def _points(rows: Rows) -> bool:
    """Of a whole day, points would hide the line."""
    return len({row["window"] for row in rows}) <= _SINGLY


def _at(alt: Any) -> Any:
    return alt.Tooltip("at:N", title="window")


def _colour(alt: Any, column: str, names: list[str]) -> Any:
    scale = alt.Scale(domain=names, range=list(_COLOURS[: len(names)]))
    return alt.Color(f"{column}:N", scale=scale, title=None, legend=alt.Legend(orient="bottom"))


def _volume(rows: Rows) -> Any:
    """Rows a window, those of the largest exports in colours of their own.

    Lines, since bars that stand on one another mean nothing on a logarithmic scale.
    """
    alt = needs("altair")
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["export"]] += row["rows"]
    largest = [name for name, _ in sums.most_common(len(_COLOURS) - 1)]
    named = [
        {**row, "shown": row["export"] if row["export"] in largest else _OTHERS} for row in rows
    ]
    names = [*largest, *([_OTHERS] if len(sums) > len(largest) else [])]
    # The steps that this scale chooses itself all lie at its upper end.
    tens = alt.Axis(values=[0, *(10**n for n in range(13))], labelExpr=_SHORT, labelOverlap=True)
    return (
        _chart(named)
        .mark_line(point=_points(rows))
        .encode(
            x=_windows(alt),
            y=alt.Y("sum(rows):Q", title="rows", scale=alt.Scale(type="symlog"), axis=tens),
            color=_colour(alt, "shown", names),
            tooltip=[_at(alt), "shown:N", "sum(rows):Q"],
        )
    )


def _lag(rows: Rows) -> Any:
    alt = needs("altair")
    return (
        _chart(rows)
        .mark_line(point={"color": _COLOURS[0]} if _points(rows) else False, color=_COLOURS[0])
        .encode(
            x=_windows(alt),
            y=alt.Y("minutes:Q", title="minutes"),
            tooltip=[_at(alt), "minutes:Q"],
        )
    )


def _sizes(rows: Rows) -> Any:
    alt = needs("altair")
    return (
        _chart(rows)
        .mark_bar(color=_COLOURS[0])
        .encode(
            y=alt.Y("export:N", title=None, sort="-x"),
            x=alt.X("bytes:Q", title="bytes", axis=_numbers(alt)),
            tooltip=["export:N", "files:Q", "rows:Q", "bytes:Q", "largest:Q"],
        )
    )


def _funnel(rows: Rows) -> Any:
    alt = needs("altair")
    channels = list(dict.fromkeys(row["channel"] for row in rows))
    return (
        _chart(rows)
        .mark_bar()
        .encode(
            y=alt.Y("step:N", title=None, sort=list(STEPS)),
            x=alt.X("sum(deliveries):Q", title="deliveries", axis=_numbers(alt)),
            color=_colour(alt, "channel", channels),
            tooltip=["channel:N", "step:N", "deliveries:Q"],
        )
    )


def _acts(rows: Rows) -> Any:
    alt = needs("altair")
    return (
        _chart(rows)
        .mark_bar()
        .encode(
            y=alt.Y("act:N", title=None, sort=["opened", "clicked"]),
            x=alt.X("sum(times):Q", title="times", axis=_numbers(alt)),
            color=_colour(alt, "by", ["people", "proxies", "prefetching", "machines"]),
            tooltip=["act:N", "by:N", "times:Q"],
        )
    )


def _coverage(rows: Rows) -> Any:
    alt = needs("altair")
    return (
        _chart(rows)
        .transform_calculate(share="datum.people / datum.of")
        .mark_bar(color=_COLOURS[2])
        .encode(
            y=alt.Y("known:N", title=None),
            x=alt.X(
                "share:Q",
                title="of people",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[0, 1]),
            ),
            tooltip=["known:N", "people:Q", "of:Q"],
        )
    )
