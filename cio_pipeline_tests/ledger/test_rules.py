"""The rules of positions and numbers, held against a model by random walks (D5, D6)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import booleans, integers

from cio_pipeline.ledger.open import Ledger, open_ledger
from cio_pipeline.model.errors import LeaseLost, PositionMoved
from cio_pipeline.model.plans import Plan, PlanState, Series
from cio_pipeline.model.registry import Lease
from cio_pipeline_tests.ledger.build import (
    T0,
    claim,
    commit,
    cut,
    draft,
    list_voids,
    manifests,
    new_generation,
    register,
    sealed,
    state,
)

_NAMES = count(1)


@pytest.fixture(scope="module", autouse=True)
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One ledger for all walks; each walk registers a sync of its own."""
    LedgerRules.ledger = open_ledger(f"sqlite:///{tmp_path_factory.mktemp('walks')}/ledger.db")
    yield
    LedgerRules.ledger.close()


@dataclass
class Model:
    """What the ledger must say of one (sync, export)."""

    position: int | None = None
    plan: Plan | None = None
    plan_files: int = 0
    next: int = 1
    generation: int = 1
    plan_generation: int = 1
    delivered: list[int] = field(default_factory=list[int])
    void: list[int] = field(default_factory=list[int])


class LedgerRules(RuleBasedStateMachine):
    """One pair, one current lease and one zombie."""

    ledger: ClassVar[Ledger]

    def __init__(self) -> None:
        super().__init__()
        self.sync_id = f"sync-{next(_NAMES)}"
        self.pair = (self.sync_id, "people")
        register(self.ledger, self.sync_id, exports=["people"])
        self.model = Model()
        self.lease: Lease = claim(self.ledger, self.pair)
        self.zombie: Lease = self.lease
        self.step = 0

    @rule()
    def take_over(self) -> None:
        self.zombie, self.lease = self.lease, claim(self.ledger, self.pair)

    @rule(forward=integers(0, 2))
    def open(self, forward: int) -> None:
        self.step += forward
        wanted = draft(state(self.ledger, self.pair), cut(self.step))
        behind = self.model.position is not None and self.step < self.model.position
        try:
            (plan,) = self.ledger.plans.open(self.lease, [wanted], T0)
        except PositionMoved:
            assert self.model.plan or behind
            return
        assert not self.model.plan
        assert not behind
        self.model.plan, self.model.plan_generation = plan, self.model.generation

    @rule(files=integers(0, 3))
    def seal(self, files: int) -> None:
        plan = self.model.plan
        if plan is None or plan.state is not PlanState.OPEN:
            return
        self.ledger.plans.seal(self.lease, [sealed(plan, files)], T0)
        self.model.plan = replace(plan, state=PlanState.SEALED)
        self.model.plan_files = files
        self.model.next += files

    @precondition(lambda self: self.model.plan is not None)
    @rule()
    def deliver(self) -> None:
        plan = self.model.plan
        assert plan is not None
        try:
            self.ledger.plans.deliver(self.lease, [plan])
        except PositionMoved:
            assert plan.state is PlanState.OPEN
            return
        assert plan.state is not PlanState.OPEN
        self.model.plan = replace(plan, state=PlanState.DELIVERED)

    @precondition(lambda self: self.model.plan is not None)
    @rule()
    def commit(self) -> None:
        plan = self.model.plan
        assert plan is not None
        allowed = (
            plan.state is PlanState.DELIVERED
            and self.model.plan_generation == self.model.generation
        )
        try:
            commit(self.ledger, self.lease, plan)
        except PositionMoved:
            assert not allowed
            return
        assert allowed
        self.model.position = plan.upper.tables["people"].version
        self.model.delivered += self._plan_numbers(plan)
        self.model.plan = None

    @precondition(lambda self: self.model.plan is not None)
    @rule()
    def abandon(self) -> None:
        plan = self.model.plan
        assert plan is not None
        self.ledger.plans.abandon(self.lease, plan, void=True, now=T0)
        self.model.void += self._plan_numbers(plan)
        self.model.plan = None

    @rule(step=integers(0, 12))
    def advance(self, step: int) -> None:
        try:
            self.ledger.plans.advance(self.lease, [self.pair], cut(step), T0)
        except PositionMoved:
            assert self.model.plan
            return
        assert not self.model.plan
        self.model.position = max(step, self.model.position or 0)

    @rule()
    def start_a_generation(self) -> None:
        new_generation(self.ledger, self.sync_id)
        self.model.generation += 1
        self.model.position = None

    @precondition(lambda self: self.zombie is not self.lease)
    @rule(sealing=booleans())
    def act_as_a_zombie(self, sealing: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        try:
            if sealing and self.model.plan:
                self.ledger.plans.seal(self.zombie, [sealed(self.model.plan, 3)], T0)
            else:
                self.ledger.plans.advance(self.zombie, [self.pair], cut(99), T0)
        except LeaseLost:
            return
        raise AssertionError("a zombie got through")

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        known = state(self.ledger, self.pair)
        position = known.position.tables["people"].version if known.position else None
        assert position == self.model.position
        assert known.open_plan == self.model.plan
        assert known.next_sequence == {Series.PLAIN: self.model.next, Series.CHNGS: 1}

    def teardown(self) -> None:
        list_voids(self.ledger, self.sync_id)
        chain = manifests(self.ledger, self.sync_id)
        assert [file.sequence for one in chain for file in one.files] == self.model.delivered
        assert sorted(void.sequence for one in chain for void in one.void) == self.model.void
        assert [one.ordinal for one in chain] == list(range(1, len(chain) + 1))
        pending = self._plan_numbers(self.model.plan) if self.model.plan else []
        used = sorted([*self.model.delivered, *self.model.void, *pending])
        assert used == list(range(1, self.model.next))

    def _plan_numbers(self, plan: Plan) -> list[int]:
        if plan.state is PlanState.OPEN:
            return []
        first = plan.first[Series.PLAIN]
        return list(range(first, first + self.model.plan_files))


TestLedgerRules = LedgerRules.TestCase
TestLedgerRules.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
