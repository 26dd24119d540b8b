"""A v4 sync on Azure (seed 004), from its first window to a restore, and dying on the way."""

import hashlib
import re
from traceback import format_exception

import polars as pl
import pytest

from cio_pipeline.contracts.catalog import EXPORTS, exports_of
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.destinations.policy import az_commands
from cio_pipeline.model.destinations import AzureDestination
from cio_pipeline.model.feeds import Feed
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline.pipeline.syncs.validate import tried_out
from cio_pipeline_tests.azurite import Azurite, Container
from cio_pipeline_tests.defs.running import dagster_on
from cio_pipeline_tests.destinations.fault_proxy import Fault, proxy_before
from cio_pipeline_tests.destinations.test_azure import azure
from cio_pipeline_tests.faults.prepared import changes, row
from cio_pipeline_tests.pipeline.canaries import (
    dumped,
    told_by_commands,
    told_by_dagster,
    without,
)
from cio_pipeline_tests.world import World, during

REFERENCE = "env:ACME_SAS_URL"
NAMES = [export.name for export in exports_of(4)]
FIRST = {
    "deliveries_v4_1_1.parquet",
    "delivery_content_v4_1_1.parquet",
    "metrics_v4_1_1_1.parquet",
    "outputs_v4_1_1.parquet",
    "people_v4_1_1.parquet",
    "subjects_v4_1_1.parquet",
    "attributes_v4_1_1.parquet",
}
NEXT = {
    "deliveries_v4_1_2.parquet",
    "delivery_content_v4_1_2.parquet",
    "metrics_v4_1_2.parquet",
    "outputs_v4_1_2.parquet",
    "people_v4_1_2.parquet",
    "people_v4_chngs_1_1.parquet",
    "subjects_v4_1_2.parquet",
    "attributes_v4_1_2.parquet",
}


def printed_rights() -> str:
    """The permissions of the stored access policy that `sync policy` prints."""
    options = AzureDestination(type="azure", sas_url=REFERENCE, path="customerio")
    found = re.search(r"--permissions (\w+)", az_commands("a", options, Feed.DATA_OUT))
    assert found
    return found[1]


def point_to(container: Container, patch: pytest.MonkeyPatch) -> None:
    """Let the sync's reference lead to a container, on a policy with the printed rights only."""
    container.set_policy("cio-a", printed_rights())
    patch.setenv("ACME_SAS_URL", container.policy_url("cio-a"))


def registered(world: World, *exports: str) -> World:
    """A v4 sync on Azure, and the rows of its first window."""
    place = {"type": "azure", "sas_url": REFERENCE, "path": "customerio"}
    world.sync("a", 1, version=4, exports=list(exports), destination=place)
    tables = {EXPORTS[one].source for one in exports}
    joins = {join for one in exports for join in EXPORTS[one].joins}
    for table in tables | joins | {"people"}:
        commit(world, table, 0, "old", "kept")
    return world


def commit(world: World, table: str, number: int, *names: str) -> None:
    at = during(number)
    world.commit(table, *(row(SOURCE_TABLES[table], name, 1, at) for name in names), at=at)


def change(world: World, *exports: str) -> None:
    """The rows of the second window."""
    for one in exports:
        commit(world, EXPORTS[one].source, 1, *(["old"] if changes(one) else []), "new")


def bodies(container: Container) -> dict[str, bytes]:
    """All blobs below the sync's path, as the container's owner reads them."""
    client = container.client()
    return {
        name.removeprefix("customerio/"): client.download_blob(name).readall()
        for name in client.list_blob_names(name_starts_with="customerio/")
    }


def files(container: Container) -> dict[str, str]:
    """Files without manifests, by name with digest."""
    return {
        name: hashlib.sha256(body).hexdigest()
        for name, body in bodies(container).items()
        if name.endswith(".parquet")
    }


def test_d8_a_v4_sync_on_azure_with_the_rights_that_sync_policy_prints(
    world: World, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_to(container, monkeypatch)
    registered(world, *NAMES)
    assert [one.error for one in world.run(0, *NAMES) if one.error] == []
    assert set(files(container)) == FIRST

    change(world, *NAMES)
    assert [one.error for one in world.run(1, *NAMES) if one.error] == []
    found = bodies(container)
    assert set(files(container)) == FIRST | NEXT
    assert {"_cio/1.manifest", "_cio/2.manifest"} <= set(found)
    assert world.verify().ok
    for export in exports_of(4):
        body = found[next(name for name in FIRST if name.startswith(f"{export.stem}_v4"))]
        assert pl.read_parquet(body).columns == [c.name for c in export.columns_of(4)]

    for name in ("people_v4_chngs_1_1.parquet", "metrics_v4_1_1_1.parquet"):
        container.client().delete_blob(f"customerio/{name}")
    assert not world.verify().ok
    assert all(one.error is None for one in restore(world.services))
    assert bodies(container) == found
    assert world.verify().ok


@pytest.mark.parametrize(("right", "name"), [("r", "read"), ("w", "write"), ("l", "list")])
def test_d8_one_right_less_than_sync_policy_prints_is_named_by_sync_validate(
    world: World, container: Container, monkeypatch: pytest.MonkeyPatch, right: str, name: str
) -> None:
    place = {"type": "azure", "sas_url": REFERENCE, "path": "customerio"}
    sync = world.sync("a", 1, version=4, destination=place)
    point_to(container, monkeypatch)
    (whole,) = tried_out(world.services.destinations, [sync])
    assert whole.ok
    container.set_policy("cio-a", printed_rights().replace(right, ""))
    (less,) = tried_out(world.services.destinations, [sync])
    assert not less.ok
    missing = [one for one in less.permissions if one.granted is False and less.needs(one)]
    assert [one.name for one in missing] == [name]


def test_o8_what_answers_nonsense_fails_its_own_line_of_sync_validate_only(
    world: World, azurite: Azurite, container: Container
) -> None:
    good = world.sync("a", 1)
    bad = world.sync("b", 1)
    with proxy_before(azurite.url) as proxy:
        proxy.lasting = Fault(answer=(200, ""))
        url = container.sas_url().replace(azurite.url.split("/")[2], proxy.url.partition("//")[2])
        nonsense = azure(url)
        opened = world.services.destinations
        found = tried_out(lambda sync: nonsense if sync is bad else opened(sync), [good, bad])
    assert [one.ok for one in found] == [True, False]
    (only,) = found[1].permissions
    assert only.next_step
    assert "sig=" not in f"{only.detail} {only.next_step}"


def test_o8_a_revoked_sas_stops_the_sync_and_one_window_makes_up_for_it(
    world: World, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_to(container, monkeypatch)
    registered(world, "people")
    world.run(0, "people")
    change(world, "people")
    container.revoke()
    (failed,) = world.run(1, "people")
    assert failed.error
    assert str(failed.error).startswith("WrongCredentials:")
    assert "policy 'cio-a', which was revoked or deleted" in str(failed.error)
    assert "sig=" not in str(failed.error)

    point_to(container, monkeypatch)
    close_breaker(world.ledger, "a")
    (made_up,) = world.run(2, "people")
    assert made_up.error is None
    assert set(files(container)) == {
        "people_v4_1_1.parquet",
        "people_v4_1_2.parquet",
        "people_v4_chngs_1_1.parquet",
    }
    assert world.verify().ok


def test_d8_a_sas_is_in_nothing_that_runs_and_commands_leave(
    world: World,
    azurite: Azurite,
    container: Container,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One store works; the other refuses, and repeats the SAS in its answer."""
    caplog.set_level("DEBUG")
    (world.root / "dagster").mkdir()
    monkeypatch.setenv("CIO_HOME", str(world.root))
    monkeypatch.setenv("DAGSTER_HOME", str(world.root / "dagster"))
    url = container.sas_url()
    token = url.partition("?")[2]
    secrets = (token, token.partition("sig=")[2])
    monkeypatch.setenv("ACME_SAS_URL", url)
    with proxy_before(azurite.url) as proxy, dagster_on(world) as dagster:
        via_proxy = url.replace(azurite.url.split("/")[2], proxy.url.partition("//")[2])
        monkeypatch.setenv("LEAKING_SAS_URL", via_proxy)
        said = f"<Message>{token}</Message><AuthenticationErrorDetail>{via_proxy}"
        text = f"<Error><Code>AuthenticationFailed</Code>{said}</AuthenticationErrorDetail></Error>"
        proxy.lasting = Fault(answer=(403, text.replace("&", "&amp;")))
        world.sync("a", 1, destination={"type": "azure", "sas_url": REFERENCE, "path": "a"})
        world.sync("b", 1, destination={"type": "azure", "sas_url": "env:LEAKING_SAS_URL"})
        commit(world, "people", 0, "old")
        told = told_by_dagster(dagster, dagster.run(0, "people").run_id)
        verbs = ("list", "show b", "history b", "policy b", "validate")
        ran = told_by_commands(*(f"sync {verb}" for verb in verbs), "verify b")
    assert any("WrongCredentials" in one for one in told)
    client = container.client()
    blobs = [client.download_blob(name).readall() for name in client.list_blob_names()]
    assert len(blobs) == 2
    without(secrets, *told, caplog.text, dumped(world), *map(str, blobs))
    for command, found in ran.items():
        raised = "".join(format_exception(found.exception)) if found.exception else ""
        without(secrets, f"{command}: {found.output} {raised}")
