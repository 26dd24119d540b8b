"""The screen of `top`: a line of sums, a table of syncs, and what is wrong with the chosen one."""

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any, ClassVar, cast

from rich.filesize import decimal
from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import DataTable, Footer, Static

from cio_pipeline.cli.sync_condition import span
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.checking.overview import Condition, Overview, SyncRow

COLUMNS = (
    *("sync", "owner", "condition", "delivered up to", "lag"),
    *("rows today", "rows/min", "bytes today", "failing", "held back", "run"),
)

FINE = {Condition.WELL, Condition.PAUSED, Condition.DISABLED}
_STYLES = {
    Condition.BREAKER: "bold red",
    Condition.FAILING: "bold red",
    Condition.LATE: "red",
    Condition.HELD_BACK: "yellow",
    Condition.FIRST: "cyan",
    Condition.WELL: "green",
}

_ORDERS: dict[str, Callable[[SyncRow], Any]] = {
    "the worst first": lambda _: 0,
    "lag": lambda one: -(one.lag or float("inf")),
    "rows": lambda one: -one.rows,
    "name": lambda one: one.sync_id,
}


class Top(App[None]):
    """Looks by itself every few seconds; `look` asks the ledger and is called in a thread."""

    CSS = """
    #sums { height: auto; padding: 0 1; }
    #syncs { height: 1fr; }
    #why { height: 4; padding: 0 1; border-top: solid $primary; }
    """
    BINDINGS: ClassVar = [
        Binding("q", "quit", "End"),
        Binding("r", "look", "Look now"),
        Binding("w", "wrong", "Only what is wrong"),
        Binding("s", "sort", "Sort"),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self, look: Callable[[], Overview], every: float, feed: Feed | None = None
    ) -> None:
        super().__init__()
        self._ask, self._every, self._feed = look, every, feed
        self._seen: Overview | None = None
        self._before: Overview | None = None
        self._only_wrong = False
        self._orders = cycle(_ORDERS)
        self._order = next(self._orders)

    def compose(self) -> ComposeResult:
        """The parts from top to bottom."""
        yield Static("Looking at the ledger …", id="sums")
        yield DataTable[Text](id="syncs", cursor_type="row", zebra_stripes=True)
        yield Static("", id="why")
        yield Footer()

    def on_mount(self) -> None:
        """Look now, and from then on by the clock."""
        self._table.add_columns(*COLUMNS)
        self.set_interval(self._every, self.action_look)
        self.action_look()

    @property
    def _table(self) -> DataTable[Text]:
        return cast("DataTable[Text]", self.query_one("#syncs"))

    @work(thread=True, exclusive=True, group="look")
    def action_look(self) -> None:
        """Ask the ledger; what goes wrong stands in the first line until the next look."""
        try:
            found = self._ask()
        except CioError as error:
            self.call_from_thread(self._say, f"{error.message} {error.next_step}", "bold red")
            return
        self.call_from_thread(self._show, found)

    def action_wrong(self) -> None:
        """Show only what is wrong, or all again."""
        self._only_wrong = not self._only_wrong
        self._draw()

    def action_sort(self) -> None:
        """Sort by the next order."""
        self._order = next(self._orders)
        self._draw()

    def on_data_table_row_highlighted(self, _event: DataTable.RowHighlighted) -> None:
        """Tell what is wrong with the sync that the cursor is on."""
        self._tell()

    def _show(self, found: Overview) -> None:
        self._before, self._seen = self._seen, found
        self._draw()

    def _rows(self) -> Sequence[SyncRow]:
        syncs = self._seen.syncs if self._seen else ()
        chosen = [
            one
            for one in syncs
            if (self._feed is None or one.feed == self._feed)
            and not (self._only_wrong and one.condition in FINE)
        ]
        return sorted(chosen, key=_ORDERS[self._order])

    def _draw(self) -> None:
        if self._seen is None:
            return
        seen, table = self._seen, self._table
        at, rows = table.cursor_row, self._rows()
        rates = self._rates(seen)
        table.clear()
        for one in rows:
            table.add_row(*_cells(one, rates.get(one.sync_id)), key=one.sync_id)
        table.move_cursor(row=min(at, max(0, len(rows) - 1)))
        wrong = len(seen.standing.wrong)
        style = "bold red" if wrong else "bold green"
        self._say(_sums(seen, rates, self._order), style)
        self._tell()

    def _rates(self, seen: Overview) -> dict[str, float]:
        """Rows a minute since the look before, by sync."""
        if self._before is None:
            return {}
        minutes = max((seen.at - self._before.at).total_seconds() / 60, 1 / 60)
        known = {one.sync_id: one.rows for one in self._before.syncs}
        return {
            one.sync_id: max(0, one.rows - known.get(one.sync_id, one.rows)) / minutes
            for one in seen.syncs
        }

    def _say(self, text: str, style: str) -> None:
        self.query_one("#sums", Static).update(Text(text, style))

    def _tell(self) -> None:
        rows, at = self._rows(), self._table.cursor_row
        one = rows[at] if at < len(rows) else None
        told = f"{one.sync_id}: {one.why or one.condition.value}" if one else "Nothing to show."
        self.query_one("#why", Static).update(Text(told))


def _cells(one: SyncRow, rate: float | None) -> list[Text]:
    right = "right"
    return [
        Text(one.sync_id),
        Text(one.owner or ""),
        Text(one.condition.value, _STYLES.get(one.condition, "dim")),
        Text(utc(one.until) if one.until else "never"),
        Text(span(one.lag), justify=right),
        Text(f"{one.rows:,}", justify=right),
        Text("" if rate is None else f"{rate:,.0f}", justify=right),
        Text(decimal(one.bytes), justify=right),
        Text(str(one.failing or ""), justify=right),
        Text(f"{one.quarantined:,}" if one.quarantined else "", justify=right),
        Text(one.running),
    ]


def _sums(seen: Overview, rates: dict[str, float], order: str) -> str:
    counts = ", ".join(f"{seen.count(one)} {one}" for one in Condition if seen.count(one))
    rows, size = (sum(getattr(one, name) for one in seen.syncs) for name in ("rows", "bytes"))
    runs = len(seen.standing.running)
    first = f"{len(seen.syncs):,} syncs: {counts or 'none'}; {len(seen.standing.wrong)} wrong"
    rate = f", {sum(rates.values()):,.0f} rows/min" if rates else ""
    second = f"today {rows:,} rows, {decimal(size)}{rate}; {runs} runs now"
    return f"{first}\n{seen.at:%H:%M:%S} UTC, {second}; sorted by {order}"
