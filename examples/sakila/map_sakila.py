#!/usr/bin/env python3
"""Turn the Sakila sample database into files for `cio-pipeline source load`.

    map_sakila.py SAKILA OUT

SAKILA is the dump sakila-mv-data.sql, or a folder with customer.csv, rental.csv and payment.csv.
OUT gets a folder for each commit and `load.sh`, which loads them at made-up times of 2026. Only the
standard library is needed: copy this file and change it to map a database of your own.

customer → a person (suppressed where `active` is 0) and an attribute for each column;
rental, payment → an event for each row, with all other columns as properties.

A dump knows one moment only. So that there is something to follow, rental days are spread over
commits, the last customers join one by one, and `changed_attributes` invents what happens later.
"""

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

Row = dict[str, str]

WORKSPACE = 1
HISTORY = {-2: datetime(2026, 1, 20, 9, 5), -1: datetime(2026, 2, 15, 9, 5)}  # noqa: DTZ001 - UTC
FIRST = datetime(2026, 3, 2, 9, 5)  # noqa: DTZ001 - UTC, as `--at` takes it
"""Time of commit 0, in the window of the first export; each later commit has its own window."""

WINDOWS = 20
OLDEST_DAYS, OLDER_DAYS = 8, 16
"""Rental days of the commits -2 and -1; the rest up to the last WINDOWS days are commit 0."""

JOINED_BEFORE = 580
"""Customers with a larger or this number join one by one, in commit 1, 2, …"""

NUMBERS = {
    "active",
    "address_id",
    "amount",
    "customer_id",
    "inventory_id",
    "payment_id",
    "rental_id",
    "staff_id",
    "store_id",
}
NULLS = {"", "NULL", "\\N"}

DUMPED = {
    "customer": "customer_id store_id first_name last_name email address_id active create_date "
    "last_update",
    "rental": "rental_id rental_date inventory_id customer_id return_date staff_id last_update",
    "payment": "payment_id customer_id staff_id rental_id amount payment_date last_update",
}
"""The columns of the tables in a dump, which does not name them."""

PREFERENCES = '{"genres":["Sci-Fi","Comédie"],"budget":4.50}'
STORY: tuple[tuple[int, int, int, str, str | None], ...] = (
    (5, 100, 3, "preferences", PREFERENCES),
    (6, 50, 7, "active", "0"),
    (8, 60, 13, "email", '"customer#@sakila.example"'),
    (11, 50, 13, "active", "0"),
    (14, 200, 3, "preferences", None),
)
"""In a commit, every n-th customer from the m-th on gets an attribute's value (# is the number)."""

MOVES = 40
"""In commit k, customers k, k + 40, k + 80, … get another address."""

RETURNS = {(16, 16), (16, 57)}
"""(commit, customer) of those who become active again."""


@dataclass
class Person:
    """A customer as the platform sees it; `attributes` are JSON texts, None once removed."""

    number: int
    attributes: dict[str, str | None]
    added: str
    updated: str

    @property
    def suppressed(self) -> bool:
        """Whether the customer is inactive."""
        return self.attributes["active"] == "0"


def main(sakila: Path, out: Path) -> None:
    """Write the files of all commits, and the script that loads them."""
    customers = [person(row) for row in rows(sakila, "customer")]
    rentals = list(rows(sakila, "rental"))
    payments = list(rows(sakila, "payment"))
    days = sorted({row["rental_date"][:10] for row in rentals})
    events = {
        "rentals": by_commit(rentals, "rental_date", days),
        "payments": by_commit(payments, "payment_date", days),
    }
    script = ["#!/bin/sh", "# Written by map_sakila.py: one line is one commit.", "set -e"]
    present: list[Person] = []
    for number in sorted({*HISTORY, *range(WINDOWS + 1)}):
        at = commit_time(number)
        place = out / f"{at:%Y-%m-%d-%H%M}"
        place.mkdir(parents=True, exist_ok=True)
        touched = [(one, news) for one in present if (news := change(one, number, at))]
        joined = [one for one in customers if joins_in(one.number) == number]
        present += joined
        touched += [(one, one.attributes) for one in joined]
        if touched:
            write_csv(place / "people.csv", (people_row(one) for one, _ in touched))
            write_csv(place / "attributes.csv", attribute_rows(touched))
            script.append(load("people", [place / "people.csv"], at))
            script.append(load("attributes", [place / "attributes.csv"], at))
        files = [place / f"{kind}.ndjson" for kind in events]
        for (kind, found), file in zip(events.items(), files, strict=True):
            write_ndjson(file, (event_row(kind[:-1], row, at) for row in found[number]))
        script.append(load("events", files, at))
    (out / "load.sh").write_text("\n".join([*script, ""]), encoding="utf-8")
    print(f"{len(script) - 3} commits in {out}/load.sh")  # noqa: T201 - the script's output


def commit_time(number: int) -> datetime:
    """When a commit takes place."""
    return HISTORY.get(number) or FIRST + number * timedelta(minutes=15)


def joins_in(customer: int) -> int:
    """The commit that brings a customer."""
    return -2 if customer < JOINED_BEFORE else customer - JOINED_BEFORE + 1


def changed_attributes(one: Person, number: int) -> dict[str, str | None]:
    """What a commit changes of a person. Nothing happens to the suppressed but their return."""
    key, changed = one.number, dict[str, str | None]()
    if one.suppressed:
        # Who comes back is a new profile: everything is said again.
        return {**one.attributes, "active": "1"} if (number, key) in RETURNS else {}
    if key % MOVES == number:
        changed["address_id"] = str(int(one.attributes["address_id"] or 0) + 1000)
    for commit, every, start, name, value in STORY:
        if number == commit and key % every == start:
            changed[name] = value and value.replace("#", str(key))
    return changed


def change(one: Person, number: int, at: datetime) -> dict[str, str | None]:
    """Change a person; the attributes that are written, none if nothing happened."""
    changed = changed_attributes(one, number)
    if changed:
        one.updated = f"{at:%Y-%m-%d %H:%M:%S}"
        changed["last_update"] = json.dumps(one.updated)
        one.attributes |= changed
    return changed


def person(row: Row) -> Person:
    """A customer as the dump has it."""
    attributes: dict[str, str | None] = {name: json_text(name, row[name]) for name in row}
    return Person(int(row["customer_id"]), attributes, row["create_date"], row["last_update"])


def people_row(one: Person) -> Row:
    """The person's row in the table people."""
    email = json.loads(one.attributes["email"] or '""')
    return {
        "workspace_id": str(WORKSPACE),
        "internal_customer_id": cio_id(one.number),
        "id": str(one.number),
        "email": email,
        "added_at": one.added,
        "id_changed_at": one.added,
        "updated_at": one.updated,
        "deleted": "false",
        "suppressed": "true" if one.suppressed else "false",
    }


def attribute_rows(touched: Iterable[tuple[Person, Mapping[str, str | None]]]) -> Iterator[Row]:
    """Rows of the table attributes; an empty value is a removed attribute."""
    for one, attributes in touched:
        for name, value in attributes.items():
            yield {
                "workspace_id": str(WORKSPACE),
                "internal_customer_id": cio_id(one.number),
                "attribute_name": name,
                "attribute_value": value or "",
                "timestamp": one.updated,
            }


def event_row(name: str, row: Row, at: datetime) -> dict[str, object]:
    """A row of the table events; `properties` keep each number as the CSV has it."""
    date = f"{name}_date"
    others = (column for column in row if column not in {"customer_id", date})
    properties = ",".join(f"{json.dumps(one)}:{json_text(one, row[one])}" for one in others)
    return {
        "workspace_id": WORKSPACE,
        "event_id": f"{name}-{row[f'{name}_id']}",
        "internal_customer_id": cio_id(int(row["customer_id"])),
        "name": name,
        "type": "event",
        "properties": f"{{{properties}}}",
        "timestamp": row[date],
        "processed_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "sources": ["Sakila"],
    }


def by_commit(found: Iterable[Row], date: str, days: list[str]) -> dict[int, list[Row]]:
    """Rows by the commit of their day; those of customers who join later wait for them."""
    commits = {day: commit_of_day(at, len(days)) for at, day in enumerate(days)}
    sorted_in: dict[int, list[Row]] = defaultdict(list)
    for row in found:
        number = max(commits[row[date][:10]], joins_in(int(row["customer_id"])))
        sorted_in[number].append(row)
    return sorted_in


def commit_of_day(at: int, days: int) -> int:
    """The commit of the rental day at a position."""
    if at < OLDEST_DAYS:
        return -2
    return -1 if at < OLDER_DAYS else max(0, at - (days - WINDOWS) + 1)


def json_text(column: str, cell: str) -> str:
    """A cell as JSON text; numbers keep every digit."""
    if cell in NULLS:
        return "null"
    return cell if column in NUMBERS else json.dumps(cell)


def cio_id(customer: int) -> str:
    """The person's id within the platform."""
    return f"cio_{customer:04d}"


def rows(sakila: Path, table: str) -> Iterator[Row]:
    """The rows of a table, all text, from its CSV file or from the dump."""
    if sakila.is_dir():
        with (sakila / f"{table}.csv").open(encoding="utf-8", newline="") as lines:
            yield from csv.DictReader(lines)
    else:
        with sakila.open(encoding="utf-8") as lines:
            yield from dumped(lines, table)


def dumped(lines: Iterable[str], table: str) -> Iterator[Row]:
    """The rows of a table in a dump of MySQL that has one row a line."""
    columns, within = DUMPED[table].split(), False
    begins = f"INSERT INTO {table} VALUES "  # noqa: S608 - read, not run
    for line in lines:
        if line.startswith("INSERT INTO "):
            within = line.startswith(begins)
        row = line.removeprefix(begins).rstrip()
        if within and row.startswith("(") and row[-2:] in {"),", ");"}:
            cells = csv.reader([row[1:-2]], quotechar="'", escapechar="\\")
            yield dict(zip(columns, next(cells), strict=True))


def write_csv(file: Path, found: Iterable[Row]) -> None:
    """Write rows that all have the columns of the first."""
    all_rows = list(found)
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, all_rows[0])
        writer.writeheader()
        writer.writerows(all_rows)


def write_ndjson(file: Path, found: Iterable[dict[str, object]]) -> None:
    """Write one JSON object a line."""
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in found)
    file.write_text("".join(lines), encoding="utf-8")


def load(table: str, files: Iterable[Path], at: datetime) -> str:
    """The command that commits files to a table."""
    names = " ".join(str(file) for file in files)
    return f"cio-pipeline source load {table} {names} --at {at:%Y-%m-%dT%H:%M}"


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - the script and its two arguments
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
