"""D10: `manifest: off` keeps manifests in the ledger only; turned on again, the bucket gets all."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from cio_pipeline.cli.verify import as_text, targets, verify_target
from cio_pipeline.ledger.manifests import SMALL
from cio_pipeline.ledger.schema import manifests as stored
from cio_pipeline.model.manifests import manifest_key
from cio_pipeline.pipeline.committing.commit import commit_window, with_work
from cio_pipeline.verification.report import ProblemKind, VerifyReport
from cio_pipeline.verification.verify import verify
from cio_pipeline_tests.cli.test_verify_command import printed
from cio_pipeline_tests.world import World, during, window


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def send(world: World, number: int) -> None:
    """A new person in a window, and the window's run."""
    person: dict[str, Any] = {"workspace_id": 1, "internal_customer_id": f"p{number}"}
    world.commit("people", person, at=during(number))
    world.run(number, "people")


def verified(world: World) -> VerifyReport:
    (target,) = targets(world.services, ["a"])
    return verify_target(target, deep=True)


def waiting(world: World) -> list[int]:
    return [ordinal for _, ordinal, _ in world.ledger.manifests.unput(["a"])]


def test_d10_a_sync_without_manifests_is_proven_by_the_ledgers(world: World) -> None:
    world.sync(manifest=False)
    assert "nothing delivered yet" in printed(as_text("a", verified(world)))
    for number in range(2):
        send(world, number)
    assert world.manifests() == []

    report = verified(world)

    assert (report.ok, report.complete_up_to, report.from_ledger) == (True, 2, True)
    assert report.files == len(world.names()) > 0
    assert not report.warnings
    assert "complete up to manifest 2 (manifests from the ledger);" in printed(as_text("a", report))


def test_d10_a_file_lost_from_a_bucket_without_manifests_is_named(world: World) -> None:
    world.sync(manifest=False)
    send(world, 0)
    lost = world.names()[0]
    (world.folder() / lost).unlink()
    assert [(one.kind, one.key) for one in verified(world).problems] == [
        (ProblemKind.MISSING, lost)
    ]


def test_d10_a_bucket_without_manifests_proves_nothing_by_itself(world: World) -> None:
    world.sync(manifest=False)
    send(world, 0)
    report = world.verify()
    assert [one.kind for one in report.problems] == [ProblemKind.NO_MANIFEST]
    assert "`manifest` is off, verify it by its id" in report.problems[0].message
    assert "✗ a: no manifest to prove anything by" in printed(as_text("a", report))


def test_d10_manifests_kept_while_off_are_put_once_on_again(world: World) -> None:
    world.sync()
    send(world, 0)
    world.sync(manifest=False)
    send(world, 1)
    send(world, 2)
    assert world.manifests() == ["1.manifest"]
    assert verified(world).complete_up_to == 3
    world.sync(manifest=True)
    send(world, 3)

    assert world.manifests() == [f"{n}.manifest" for n in (1, 2, 3, 4)]
    report = verified(world)
    assert (report.ok, report.complete_up_to, report.from_ledger) == (True, 4, False)
    assert waiting(world) == []
    for ordinal, body in world.ledger.manifests.bodies("a"):
        assert (world.folder() / manifest_key(ordinal)).read_bytes() == body


def test_d10_turned_on_an_idle_window_puts_what_waits(world: World) -> None:
    world.sync(manifest=False)
    send(world, 0)
    world.sync(manifest=True)
    world.run(1, "people")
    assert world.manifests() == ["1.manifest"]
    assert verified(world).ok


def test_d10_a_large_manifest_is_read_when_its_turn_comes(world: World) -> None:
    world.sync(manifest=False)
    send(world, 0)
    send(world, 1)
    body = world.ledger.manifests.body("a", 1) + b" " * SMALL
    large = update(stored).where(stored.c.ordinal == 1).values(body=body)
    world.ledger.database.write(lambda connection: connection.execute(large))
    found = world.ledger.manifests.unput(["a"])
    assert [(ordinal, small is None) for _, ordinal, small in found] == [(1, True), (2, False)]
    world.sync(manifest=True)
    world.run(2, "people")
    assert (world.folder() / manifest_key(1)).read_bytes() == body


def test_d10_while_off_what_waits_is_no_work(world: World) -> None:
    sync = world.sync(manifest=False)
    send(world, 0)
    bodies = world.ledger.manifests.bodies("a")
    assert waiting(world) == [1]

    assert with_work([sync], world.ledger.manifests.waiting()) == set()
    assert commit_window(world.services, window(1)) == ()
    world.run(1, "people")
    assert world.ledger.manifests.bodies("a") == bodies
    assert world.manifests() == []
    world.sync(manifest=True)
    on = world.ledger.registry.get("a").sync
    assert with_work([on], world.ledger.manifests.waiting()) == {"a"}


def test_d10_turned_off_the_bucket_alone_does_not_seem_complete(world: World) -> None:
    world.sync()
    send(world, 0)
    world.sync(manifest=False)
    send(world, 1)
    report = verify(world.services.destinations(world.ledger.registry.get("a").sync))
    assert report.manifests == 1
    assert "`manifest` is off" in report.warnings[0].message
