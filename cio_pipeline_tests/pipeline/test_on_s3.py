"""Windows through the whole product, delivered to S3 (moto): the same as to a local folder."""

from collections.abc import Iterator

import pytest

from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline_tests.defs.running import dagster_on
from cio_pipeline_tests.destinations.fault_proxy import FaultProxy, proxy_before
from cio_pipeline_tests.destinations.servers import KEY_ID, SECRET, S3Server, moto_server
from cio_pipeline_tests.destinations.test_s3 import answer
from cio_pipeline_tests.pipeline.canaries import (
    dumped,
    told_by_commands,
    told_by_dagster,
    without,
)
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during, window

TOKEN = "canary//session+token=="  # noqa: S105 - a canary, it opens nothing


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_KEY_ID", KEY_ID)
    monkeypatch.setenv("S3_SECRET", SECRET)
    monkeypatch.setenv("S3_TOKEN", TOKEN)


def register(world: World, server: S3Server, sync_id: str = "a", url: str | None = None) -> str:
    """A sync with a bucket of its own; the bucket's name."""
    bucket = server.bucket()
    keys = {"session_token": "env:S3_TOKEN"}
    options = server.options(bucket, url, **keys).model_dump(mode="json")
    world.sync(sync_id, destination=options)
    return bucket


def keys(server: S3Server, bucket: str) -> list[str]:
    found = server.admin.list_objects_v2(Bucket=bucket).get("Contents", [])
    return [one["Key"].removeprefix("customerio/prod/") for one in found]


def test_d8_history_and_changes_arrive_are_verified_and_restored(
    world: World, server: S3Server
) -> None:
    bucket = register(world, server)
    world.commit("people", person("ann"), person("bob"), at=during(0))
    world.commit("metrics", {"event_id": "m1"}, at=during(0))
    world.run(0)
    world.commit("people", person("bob", 5, 1), at=during(1))
    world.run(1)
    files = ["metrics_v5_1_1_1.parquet", "people_v5_1_1.parquet", "people_v5_chngs_1_1.parquet"]
    found = keys(server, bucket)
    assert [key for key in found if not key.startswith("_cio/")] == ["cio-validate", *files]
    assert world.verify().ok
    assert world.verify().warnings == ()

    server.admin.delete_object(Bucket=bucket, Key=f"customerio/prod/{files[1]}")
    assert not world.verify().ok
    restore(world.services, windows=[window(0)])
    assert world.verify().ok
    assert keys(server, bucket) == found


def objects(server: S3Server, bucket: str) -> dict[str, bytes]:
    return {
        key: server.admin.get_object(Bucket=bucket, Key=f"customerio/prod/{key}")["Body"].read()
        for key in keys(server, bucket)
    }


def test_d8_without_anything_to_send_nothing_is_written(world: World, server: S3Server) -> None:
    bucket = register(world, server)
    world.run(0)
    assert keys(server, bucket) == []


def test_d8_a_run_that_may_not_announce_itself_writes_nothing(
    world: World, server: S3Server
) -> None:
    with proxy_before(server.url) as proxy:
        bucket = register(world, server, url=proxy.url)
        register(world, server, "b")
        world.commit("people", person("ann"), at=during(0))
        refused = answer(403, "AccessDenied")
        proxy.lasting = type(refused)(answer=refused.answer, naming="cio-validate")
        outcomes = {one.sync_id: one.error for one in world.run(0, "people")}
        assert "s3:PutObject" in str(outcomes["a"])
        assert outcomes["b"] is None
        assert keys(server, bucket) == []

        proxy.lasting = None
        proxy.paths.clear()
        close_breaker(world.ledger, "a")
        world.run(1)
        assert keys(server, bucket)[-1] == "people_v5_1_1.parquet"
        puts = [path for path in proxy.paths if path.startswith("PUT")]
        assert "cio-validate" in puts[0]
        assert sum("cio-validate" in path for path in puts) == 1


@pytest.fixture
def leaking(server: S3Server) -> Iterator[FaultProxy]:
    """A store that refuses, and repeats the secrets in its answer."""
    with proxy_before(server.url) as proxy:
        told = f"<AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId><StringToSign>{SECRET} {TOKEN}"
        told += "</StringToSign>"
        proxy.lasting = answer(403, "SignatureDoesNotMatch", told)
        yield proxy


def without_secrets(*texts: str) -> None:
    without((KEY_ID, SECRET, TOKEN), *texts)


def test_d8_secrets_are_in_no_ledger_row_manifest_outcome_or_text(
    world: World, server: S3Server, leaking: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    bucket = register(world, server)
    register(world, server, "b", url=leaking.url)
    world.commit("people", person("ann"), at=during(0))
    outcomes = repr(world.run(0))
    assert "WrongCredentials" in outcomes
    bodies = [body.decode("utf-8", "replace") for body in objects(server, bucket).values()]
    rows = dumped(world)
    assert "WrongCredentials" in rows
    without_secrets(outcomes, caplog.text, rows, repr(world.ledger.registry.all()), *bodies)


def test_d8_secrets_are_in_no_event_of_a_run(
    world: World, server: S3Server, leaking: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    register(world, server, url=leaking.url)
    world.commit("people", person("ann"), at=during(0))
    with dagster_on(world) as dagster:
        told = told_by_dagster(dagster, dagster.run(0, "people").run_id)
    assert any("the store does not know the access key" in one for one in told)
    without_secrets(*told, caplog.text)


def test_d8_secrets_are_in_nothing_that_commands_print(
    world: World, server: S3Server, leaking: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(world, server)
    register(world, server, "b", url=leaking.url)
    world.commit("people", person("ann"), at=during(0))
    world.run(0)
    monkeypatch.setenv("CIO_HOME", str(world.root))
    commands = ("list", "show b", "history b", "policy b", "validate")
    for command, found in told_by_commands(*(f"sync {one}" for one in commands)).items():
        assert isinstance(found.exception, SystemExit | None), command
        without_secrets(found.output)
        assert found.exit_code == (1 if "validate" in command else 0)
