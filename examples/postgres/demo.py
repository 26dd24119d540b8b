#!/usr/bin/env python3
"""`make demo-postgres`: Sakila in a PostgreSQL server, sent while writers go on, and proven.

    demo.py [SAKILA]

SAKILA is the dump sakila-mv-data.sql, or a folder with customer.csv, rental.csv and payment.csv;
without it some rows are made up. The server is a private one in a temporary folder, gone at the
end. Each step is a command that can be typed as well. Run it from the repository's root.
"""

import io
import os
import re
import secrets
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from psycopg.sql import SQL, Identifier, Literal

from cio_pipeline_tests.postgres import running_cluster
from examples.sakila.map_sakila import NULLS, rows
from examples.sakila.run import DATA, cio, tell

HERE = Path("examples/postgres")
HOME = Path(".cio/postgres")
"""Where syncs.yaml looks, too."""
WINDOWS = 5
"""How many are sent after the first one, while writers go on."""
SECRET = re.compile("(//[^:@]*):[^@]*@")
"""User and password in a URL."""
TABLES = ("customer", "rental", "payment")

Row = Mapping[str, Any]


def main(sakila: Path | None) -> None:
    """Do all steps, telling each."""
    if sakila and not sakila.exists():
        sys.exit(f"{sakila} is not there. The data is public:\n  curl --remote-name {DATA}")
    shutil.rmtree(HOME, ignore_errors=True)
    with running_cluster() as server:
        url = server.url("sakila")
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE sakila")
        fill(url, tables_of(sakila) if sakila else made_up())
        export(CIO_HOME=str(HOME), CIO_SOURCE_NAMES=f"{HERE}/names.yaml", CIO_SOURCE=url)
        cio("source install --apply")
        export(**reader(url))
        cio("source status")
        cio(f"sync apply {HERE}/syncs.yaml")
        with writers(url):
            for _ in range(1 + WINDOWS):
                cio("export --now")
        cio("export --now")
        cio("verify")
        compare(url)


def export(**variables: str) -> None:
    """Set variables of the environment, and show those that hold no secret."""
    os.environ |= variables
    for name, value in variables.items():
        if "PASSWORD" not in name or value.startswith("env:"):
            shown = SECRET.sub(r"\1@", value)
            tell(f"export {name}={shown}")


def fill(url: str, tables: Mapping[str, Iterable[Row]]) -> None:
    """Make the tables, and copy rows into them."""
    tell(f"psql sakila --file {HERE}/schema.sql  # and rows")
    with psycopg.connect(url) as connection:
        connection.execute((HERE / "schema.sql").read_bytes())
        for table, of_table in tables.items():
            first, *others = of_table
            names = SQL(", ").join(map(Identifier, first))
            into = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table), names)
            with connection.cursor().copy(into) as copy:
                for row in (first, *others):
                    copy.write_row(list(row.values()))


def tables_of(sakila: Path) -> dict[str, Iterable[Row]]:
    """Sakila's rows, as its dump or its CSV files have them."""
    return {
        table: (
            {name: None if cell in NULLS else cell for name, cell in row.items()}
            for row in rows(sakila, table)
        )
        for table in TABLES
    }


def made_up() -> dict[str, Iterable[Row]]:
    """A shop with 100 customers who paid three times each."""
    day = "2006-02-14 22:04:36"
    people: list[Row] = [
        {"customer_id": n, "first_name": f"Person {n}", "email": f"{n}@sakila.example"}
        | {"active": int(n % 40 > 0), "create_date": day, "last_update": day}
        for n in range(1, 101)
    ]
    rented: list[Row] = [
        {"rental_id": n, "rental_date": day, "customer_id": n % 100 + 1} for n in range(300)
    ]
    paid: list[Row] = [
        {"payment_id": one["rental_id"], "rental_id": one["rental_id"], "amount": "4.99"}
        | {"customer_id": one["customer_id"], "payment_date": day}
        for one in rented
    ]
    return dict(zip(TABLES, (people, rented, paid), strict=True))


def reader(url: str) -> dict[str, str]:
    """Make the role that may read, as `source role` prints it; how to be it from now on."""
    password = secrets.token_urlsafe()
    with redirect_stdout(io.StringIO()) as printed:
        cio("source role cio_reader")
    told, _, script = printed.getvalue().partition("\n")
    tell(f"{told.removeprefix('$ ')} | psql sakila")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(script.encode())
        connection.execute(SQL("ALTER ROLE cio_reader PASSWORD {}").format(Literal(password)))
    where = url.partition("@")[2]
    return {
        "CIO_SOURCE": f"postgresql://cio_reader@{where}",
        "CIO_SOURCE_PASSWORD": "env:READER_PASSWORD",
        "READER_PASSWORD": password,
    }


@contextmanager
def writers(url: str) -> Iterator[None]:
    """Two who write meanwhile: small transactions, and long ones that end in any order."""
    numbers, stop = count(1_000_000), threading.Event()
    with ThreadPoolExecutor() as threads:
        running = [threads.submit(one, url, numbers, stop) for one in (small_ones, long_ones)]
        try:
            yield
        finally:
            stop.set()
    for one in running:
        one.result()


PAY = """
    INSERT INTO payment (payment_id, customer_id, amount, payment_date)
    SELECT %s, customer_id, 2.99, now() FROM customer ORDER BY random() LIMIT 1
"""
MOVE = """
    UPDATE customer SET email = %s || '@moved.example', last_update = clock_timestamp()
    WHERE customer_id = (SELECT customer_id FROM customer ORDER BY random() LIMIT 1)
"""


def small_ones(url: str, numbers: Iterator[int], stop: threading.Event) -> None:
    """A payment, and a new address for somebody, a few times a second."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        while not stop.wait(0.1):
            connection.execute(PAY, [next(numbers)])
            connection.execute(MOVE, [str(next(numbers))])


def long_ones(url: str, numbers: Iterator[int], stop: threading.Event) -> None:
    """Payments that are committed some seconds after they were made; each third one is not."""
    with psycopg.connect(url) as connection:
        while not stop.is_set():
            number = next(numbers)
            connection.execute(PAY, [number])
            stop.wait(3)
            if number % 3:
                connection.commit()
            else:
                connection.rollback()


def compare(url: str) -> None:
    """What a reader holds is what stands in the database, once."""
    with psycopg.connect(url) as connection:
        paid = connection.execute("SELECT payment_id::text FROM payment").fetchall()
        mail = connection.execute(
            "SELECT customer_id::text, email FROM customer WHERE NOT suppressed"
        ).fetchall()
    with duckdb.connect() as db:
        sent = db.execute(SENT).fetchall()
        held = db.execute(NEWEST).fetchall()
    if sorted(sent) != sorted(paid) or sorted(held) != sorted(mail):
        sys.exit("The files hold other rows than PostgreSQL.")
    told = f"{len(paid)} payments, {len(mail)} customers"
    print(f"✓ {told}: the files hold what PostgreSQL holds, each once")  # noqa: T201


SENT = f"SELECT event_id FROM '{HOME}/bucket/events_v5_*.parquet'"  # noqa: S608 - our own folder
NEWEST = f"""
    SELECT customer_id, email_addr FROM '{HOME}/bucket/people_v5_*.parquet'
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY updated_at DESC) = 1
        AND NOT suppressed
"""  # noqa: S608 - the same


if __name__ == "__main__":
    for elsewhere in ("CIO_LEDGER", "DAGSTER_HOME"):
        os.environ.pop(elsewhere, None)
    main(Path(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] else None)
