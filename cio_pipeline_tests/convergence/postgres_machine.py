"""Random histories on PostgreSQL, with transactions that stay open while windows are run."""

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline_tests.convergence.history import History
from cio_pipeline_tests.convergence.machine import SEEDS, SOME, Convergence
from cio_pipeline_tests.convergence.meaning import APPENDED
from cio_pipeline_tests.convergence.postgres import PostgresCommits
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.sources.postgres.databases import Made, drop, new_database


class OnPostgres(Convergence):
    """See the module; each history has a database of its own in the `cluster`."""

    cluster: Cluster

    def history_of(self, scope: Sequence[str]) -> History:
        self.made = Made(new_database(self.cluster), SOURCE_TABLES)
        return History(self.root, scope, self.store(), self.made)

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            if hasattr(self, "made"):
                self.source.close()
                self.made.source.server.close()
                drop(self.cluster, self.made.url)

    @property
    def source(self) -> PostgresCommits:
        assert isinstance(self.history.source, PostgresCommits)
        return self.history.source

    @property
    def appended(self) -> list[str]:
        return [table for table in self.history.feed.source.tables if table in APPENDED]

    @precondition(lambda self: bool(self.appended))
    @rule(which=SOME, seed=SEEDS)
    def a_transaction_begins(self, which: int, seed: int) -> None:
        tables = self.appended
        self.source.begin(tables[which % len(tables)], seed, self.at(0))

    @precondition(lambda self: bool(self.source.waiting))
    @rule(which=SOME, how=st.sampled_from(["commit", "commit", "prepare", "undo"]))
    def a_transaction_ends(self, which: int, how: str) -> None:
        self.source.end(which, how, self.at(0))
