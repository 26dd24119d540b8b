"""D6: changes are exact while writers keep transactions open and commit in any order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from threading import Event, Thread
from typing import Any

import polars as pl
import psycopg
import pytest
from psycopg.errors import LockNotAvailable, UniqueViolation

from cio_pipeline.model.changeset import CHANGE, NEW
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline_tests.sources.postgres.databases import Made
from cio_pipeline_tests.sources.postgres.test_positions import changed, state
from cio_pipeline_tests.sources.things import NOTES
from cio_pipeline_tests.waiting import PATIENCE, until

CHANGE_IS_NEW = pl.col(CHANGE) == NEW
State = dict[str, str | None]
KEYS = "abcdefgh"


@dataclass
class Writers:
    """Sessions that take turns, each with a transaction of its own open, or none."""

    made: Made
    chance: Random
    sessions: list[psycopg.Connection[Any]] = field(init=False)
    prepared: list[str] = field(default_factory=list)
    written: int = 0

    def __post_init__(self) -> None:
        self.sessions = [self.made.connect(autocommit=False) for _ in range(4)]
        for one in self.sessions:
            one.execute("SET lock_timeout = '5ms'")
            one.commit()

    def step(self) -> None:
        """One session does something; what another one has locked is left."""
        session = self.chance.choice(self.sessions)
        done = self.chance.choice(
            [self.put, self.put, self.put, self.put, self.remove, self.savepoint, self.end]
        )
        try:
            with session.transaction():
                done(session)
        except (LockNotAvailable, UniqueViolation):
            pass
        self.close(session)

    def close(self, session: psycopg.Connection[Any]) -> None:
        """Rarely, so that transactions outlive positions."""
        match self.chance.choice(["open", "open", "open", "commit", "commit", "undo", "prepare"]):
            case "commit":
                session.commit()
            case "undo":
                session.rollback()
            case "prepare":
                self.prepare(session)
            case _:
                pass
        if self.prepared and self.chance.random() < 0.3:
            self.finish(self.prepared.pop(self.chance.randrange(len(self.prepared))))

    def put(self, session: psycopg.Connection[Any]) -> None:
        self.written += 1
        session.execute(
            "INSERT INTO things VALUES (1, %s, %s) "
            "ON CONFLICT (workspace_id, key) DO UPDATE SET value = EXCLUDED.value",
            [self.chance.choice(KEYS), str(self.written)],
        )

    def remove(self, session: psycopg.Connection[Any]) -> None:
        session.execute("DELETE FROM things WHERE key = %s", [self.chance.choice(KEYS)])

    def savepoint(self, session: psycopg.Connection[Any]) -> None:
        """Several changes of rows, of which some are taken back."""
        self.put(session)
        with session.transaction(force_rollback=self.chance.random() < 0.5):
            self.put(session)
            self.remove(session)
        self.put(session)

    def end(self, session: psycopg.Connection[Any]) -> None:
        """An identity of a row becomes another one."""
        session.execute(
            "UPDATE things SET key = key || '+' WHERE key = %s AND length(key) < 3",
            [self.chance.choice(KEYS)],
        )

    def prepare(self, session: psycopg.Connection[Any]) -> None:
        self.written += 1
        name = f"p{self.written}-{id(self)}"
        session.execute("SELECT pg_current_xact_id()")
        session.execute(f"PREPARE TRANSACTION '{name}'".encode())
        session.rollback()
        self.prepared.append(name)

    def finish(self, name: str) -> None:
        verb = self.chance.choice(["COMMIT", "COMMIT", "ROLLBACK"])
        self.made.do(f"{verb} PREPARED '{name}'")

    def stop(self) -> None:
        while self.prepared:
            self.finish(self.prepared.pop())
        for one in self.sessions:
            one.commit()
            one.close()


def there(made: Made) -> State:
    """What everybody sees."""
    return dict(made.ask("SELECT key, value FROM things"))


def difference(before: State, now: State) -> dict[str, tuple[str, str | None]]:
    found = {key: ("deleted", before[key]) for key in before.keys() - now.keys()}
    found |= {key: ("new", now[key]) for key in now.keys() - before.keys()}
    same = before.keys() & now.keys()
    return found | {k: ("changed", now[k]) for k in same if before[k] != now[k]}


@pytest.mark.parametrize("seed", range(4))
def test_d6_any_two_positions_differ_by_what_was_committed_between_them(
    base: Made, seed: int
) -> None:
    writers = Writers(base, Random(seed))  # noqa: S311 - no secret
    taken: list[tuple[TableCut, State]] = []
    after: Cut | None = None
    for _ in range(12):
        for _ in range(writers.chance.randrange(12)):
            writers.step()
        after = base.cut(after)
        taken.append((after.tables["things"], there(base)))
    writers.stop()
    base.do("VACUUM FREEZE things", "VACUUM FREEZE cio.earlier_things")
    taken.append((base.cut(after).tables["things"], there(base)))

    assert len({cut for cut, _ in taken}) > 6
    for number, (cut, held) in enumerate(taken):
        assert state(base, cut) == held
        for lower, before in writers.chance.sample(taken[:number], min(number, 3)):
            assert changed(base, lower, cut) == difference(before, held)


def test_d6_a_cursor_of_timestamps_loses_rows_where_positions_do_not(base: Made) -> None:
    chance = Random(1)  # noqa: S311 - no secret
    sessions = [base.connect(autocommit=False) for _ in range(4)]
    cursor, by_cursor, by_position = "-infinity", list[str](), list[str]()
    lower = base.cut().tables["notes"]

    def read() -> None:
        nonlocal cursor, lower
        rows = base.ask(f"SELECT key, at::text FROM notes WHERE at > '{cursor}' ORDER BY at")  # noqa: S608
        by_cursor.extend(key for key, _ in rows)
        cursor = rows[-1][1] if rows else cursor
        upper = base.cut().tables["notes"]
        found = base.source.changes(NOTES, lower, upper).select("key", CHANGE).collect()
        by_position.extend(key for key, what in found.iter_rows() if what == "new")
        lower = upper

    for number in range(120):
        session = chance.choice(sessions)
        session.execute(
            "INSERT INTO notes (workspace_id, key, at) VALUES (1, %s, clock_timestamp())",
            [str(number)],
        )
        if chance.random() < 0.3:
            chance.choice(sessions).commit()
        if number % 10 == 0:
            read()
    for one in sessions:
        one.commit()
        one.close()
    read()

    written = {str(number) for number in range(120)}
    assert sorted(by_position) == sorted(written)
    assert len(set(by_cursor)) < len(written)


def test_d6_nothing_is_lost_or_doubled_while_others_write(base: Made) -> None:
    """Writers in threads of their own; each window's changes are applied to the last one's."""
    after, done = base.cut(), Event()
    threads = [Thread(target=_write(base, number, done)) for number in range(4)]
    for one in threads:
        one.start()
    known: State = {}
    notes: list[str] = []
    for number in range(16):
        if number == 15:
            until("notes", PATIENCE, lambda: base.ask("SELECT count(*) FROM notes") > [(100,)])
            done.set()
            for one in threads:
                one.join()
        upper = base.cut(after)
        _apply(known, changed(base, after.tables["things"], upper.tables["things"]))
        found = base.source.changes(NOTES, after.tables["notes"], upper.tables["notes"])
        notes += found.filter(CHANGE_IS_NEW).collect()["key"].to_list()
        after = upper
    assert known == there(base)
    assert sorted(notes) == sorted(key for (key,) in base.ask("SELECT key FROM notes"))
    assert len(notes) > 100


def _apply(known: State, changes: dict[str, tuple[str, str | None]]) -> None:
    for key, (what, value) in changes.items():
        assert (what == "new") == (key not in known)
        if what == "deleted":
            del known[key]
        else:
            known[key] = value


def _write(base: Made, number: int, done: Event) -> Callable[[], None]:
    def work() -> None:
        chance = Random(number)  # noqa: S311 - no secret
        with base.connect(autocommit=False) as session:
            count = 0
            while not done.is_set():
                for _ in range(chance.randrange(1, 6)):
                    count += 1
                    session.execute(
                        "INSERT INTO notes (workspace_id, key) VALUES (1, %s)",
                        [f"{number}-{count}"],
                    )
                    key = f"{number}{chance.choice(KEYS)}"
                    session.execute(
                        "INSERT INTO things VALUES (1, %s, %s) ON CONFLICT (workspace_id, key) "
                        "DO UPDATE SET value = EXCLUDED.value",
                        [key, str(count)],
                    )
                    if chance.random() < 0.2:
                        session.execute("DELETE FROM things WHERE key = %s", [key])
                done.wait(chance.random() / 50)
                session.rollback() if chance.random() < 0.2 else session.commit()

    return work
