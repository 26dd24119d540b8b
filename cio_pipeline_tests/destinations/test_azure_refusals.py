"""What Azure refuses is named, with the right or the reason, and without the SAS (D8)."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import HttpResponseError

from cio_pipeline.destinations.azure import AzureContainer
from cio_pipeline.destinations.azure_errors import BlobRequest, answer_of, is_taken, meaning
from cio_pipeline.destinations.azure_sas import Sas, parse_sas
from cio_pipeline.model.errors import (
    CioError,
    CredentialsExpired,
    DestinationError,
    DestinationUnavailable,
    NoSuchBucket,
    ObjectArchived,
    PermissionMissing,
    Throttled,
    Unreachable,
    WrongCredentials,
)
from cio_pipeline.model.objects import Permission
from cio_pipeline_tests.azurite import KEY, Container
from cio_pipeline_tests.destinations.test_azure import PATH, azure
from cio_pipeline_tests.destinations.test_azure_sas import ACME, AD_HOC, POLICY, SIG

NOW = datetime(2026, 6, 1, tzinfo=UTC)
AUTHENTICATION = "Server failed to authenticate the request."


def named(found: Sequence[Permission]) -> dict[str, Permission]:
    return {one.name: one for one in found}


def lacking(found: Sequence[Permission]) -> list[str]:
    return [one.name for one in found if one.granted is False]


def refused(url: str, use: Callable[[AzureContainer], object], error: type[CioError]) -> str:
    """The text of the error in which a use of a destination ends."""
    with pytest.raises(error) as caught:
        use(azure(url))
    assert caught.value.next_step
    assert url.partition("sig=")[2] not in str(caught.value)
    return str(caught.value)


def put(destination: AzureContainer) -> None:
    destination.put_bytes("a.parquet", b"body")


@pytest.mark.parametrize(
    ("rights", "use", "lacking"),
    [
        ("acwl", lambda to: to.get("a"), "read"),
        ("rl", put, "create"),
        ("racl", lambda to: to.overwrite("a", b"", {}), "write"),
        ("racw", lambda to: list(to.list()), "list"),
        ("racwl", lambda to: to.delete("a"), "delete"),
    ],
)
def test_d8_the_lacking_right_is_named(
    container: Container, rights: str, use: Callable[[AzureContainer], object], lacking: str
) -> None:
    azure(container.sas_url()).put_bytes("a", b"")
    text = refused(container.sas_url(rights), use, PermissionMissing)
    assert f"lacks the right '{lacking}'" in text
    assert "sync policy" in text


def test_d8_the_five_rights_of_seed_004_are_enough_for_all_but_purge(container: Container) -> None:
    container.set_policy("cio", "racwl")
    found = azure(container.policy_url("cio")).permissions()
    assert lacking(found) == ["delete"]
    assert named(found)["SAS expiry"].granted is None
    assert "'cio'" in named(found)["SAS expiry"].detail


@pytest.mark.parametrize(
    ("right", "expected"),
    [("r", ["read"]), ("w", ["write"]), ("l", ["list"]), ("a", ["add"]), ("c", ["create"])],
)
def test_d8_one_right_less_is_named(container: Container, right: str, expected: list[str]) -> None:
    rights = "racwdl".replace(right, "")
    found = azure(container.sas_url(rights)).permissions()
    assert lacking(found) == expected
    (missing,) = [one for one in found if one.granted is False]
    assert missing.next_step
    # Azure's "write" does what "add" and "create" do: who has it is only told.
    assert (missing.needed_by == "none") is (right in "ac")


@pytest.mark.parametrize("right", ["r", "w", "l"])
def test_d8_one_right_less_in_the_stored_policy_is_named(container: Container, right: str) -> None:
    container.set_policy("cio", "racwdl".replace(right, ""))
    found = azure(container.policy_url("cio")).permissions()
    assert lacking(found) == [{"r": "read", "w": "write", "l": "list"}[right]]


def test_d8_trying_rights_leaves_nothing(container: Container) -> None:
    for rights in ("racwdl", "racwl", "c", "w", "a"):
        azure(container.sas_url(rights)).permissions()
    blobs = container.client().list_blobs(include=["uncommittedblobs", "snapshots"])
    assert [blob.name for blob in blobs] == []


def test_d8_the_blob_path_and_the_expiry_are_told(container: Container) -> None:
    url = container.sas_url(days=20.5)
    assert "Nothing lies there yet" in named(azure(url).permissions())["blob path"].detail
    azure(url).put_bytes("a", b"")
    found = named(azure(url).permissions())
    assert "Files lie there already" in found["blob path"].detail
    assert found["SAS expiry"].granted is True
    assert "In 20 days" in found["SAS expiry"].detail
    assert "Generate a new SAS URL" in found["SAS expiry"].next_step
    later = named(azure(container.sas_url(days=40)).permissions())["SAS expiry"]
    assert (later.granted, later.next_step) == (True, "")


@pytest.mark.parametrize("days", [-0.005, -20])
def test_d8_an_expired_sas_is_named_whoever_tells(container: Container, days: float) -> None:
    # The first is within the clock's tolerance, so Azure is asked.
    url = container.sas_url(days=days)
    assert "expired on" in refused(url, put, CredentialsExpired)
    (found,) = azure(url).permissions()
    assert found.granted is False
    assert "expired on" in found.detail


@pytest.mark.parametrize("minutes", [10, 600])
def test_d8_a_sas_that_is_not_valid_yet_is_named(container: Container, minutes: int) -> None:
    start = datetime.now(UTC) + timedelta(minutes=minutes)
    assert "only from" in refused(container.sas_url(start=start), put, WrongCredentials)


def test_d8_a_revoked_policy_is_named_at_once(container: Container) -> None:
    container.set_policy("cio", "racwl")
    destination = azure(container.policy_url("cio"))
    put(destination)
    container.revoke()
    for use in (put, lambda to: to.get("a.parquet"), lambda to: list(to.list())):
        with pytest.raises(WrongCredentials, match="policy 'cio', which was revoked or deleted"):
            use(destination)
    (found,) = destination.permissions()
    assert "revoked or deleted" in found.detail


def test_d8_a_refused_connection_is_named(container: Container) -> None:
    url = container.sas_url(account_url="http://127.0.0.1:1/devstoreaccount1")
    for use in (put, lambda to: to.delete("a"), lambda to: list(to.list())):
        assert "the connection was refused" in refused(url, use, Unreachable)
    (found,) = azure(url).permissions()
    assert "the connection was refused" in found.detail


def test_d8_an_unknown_account_is_named(container: Container) -> None:
    url = container.sas_url(account_url="https://no-such-account.invalid")
    assert "its name is unknown" in refused(url, put, Unreachable)


def body(code: str, detail: str = "", message: str = "No.") -> str:
    more = f"<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>" if detail else ""
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"


@pytest.mark.parametrize(
    ("status", "text", "token", "error", "words"),
    [
        # The texts of Azure itself, which Azurite does not have.
        (
            403,
            body("AuthenticationFailed", "Signature did not match.", AUTHENTICATION),
            AD_HOC,
            WrongCredentials,
            "signature of the SAS URL is wrong",
        ),
        (
            403,
            body("AuthenticationFailed", "Signature not valid in the specified time frame"),
            AD_HOC,
            CredentialsExpired,
            "Azure's clock",
        ),
        (
            403,
            body("AuthenticationFailed", "Signature not valid in the specified time frame"),
            POLICY,
            CredentialsExpired,
            "policy 'cio-export' has expired",
        ),
        (
            403,
            body("AuthenticationFailed", "SAS identifier cannot be found for specified signed id"),
            POLICY,
            WrongCredentials,
            "revoked or deleted",
        ),
        (403, body("AuthorizationFailure"), AD_HOC, PermissionMissing, "firewall"),
        (403, body("AuthorizationSourceIPMismatch"), AD_HOC, PermissionMissing, "IP address"),
        (403, body("AuthorizationProtocolMismatch"), AD_HOC, PermissionMissing, "protocol"),
        (403, body("AuthorizationPermissionMismatch"), AD_HOC, PermissionMissing, "'create'"),
        (403, body("AccountIsDisabled"), AD_HOC, DestinationError, "disabled"),
        (404, body("ContainerNotFound"), AD_HOC, NoSuchBucket, "does not exist"),
        (404, "<html>Not found</html>", AD_HOC, NoSuchBucket, "does not exist"),
        (409, body("ContainerBeingDeleted"), AD_HOC, NoSuchBucket, "does not exist"),
        (409, body("BlobArchived"), AD_HOC, ObjectArchived, "archive tier"),
        (409, body("BlobImmutableDueToPolicy"), AD_HOC, DestinationError, "immutability"),
        (400, body("InvalidBlobOrBlock"), AD_HOC, DestinationError, "unfinished upload"),
        (400, body("OutOfRangeInput"), AD_HOC, DestinationError, "400 OutOfRangeInput"),
        (503, body("ServerBusy"), AD_HOC, Throttled, "slow down"),
        (500, body("OperationTimedOut"), AD_HOC, DestinationUnavailable, "500 OperationTimedOut"),
    ],
)
def test_d8_every_answer_has_a_name(
    status: int, text: str, token: str, error: type[CioError], words: str
) -> None:
    sas: Sas = parse_sas(f"{ACME}/data-out?{token}")
    # As obstore words it; the address may stand in it.
    said = OSError(f"Error performing PUT {ACME}/x?{token} - status code: {status} Oh: {text}")
    found = meaning(answer_of(said), BlobRequest("write", "create", "a"), sas, NOW)
    assert type(found) is error
    assert words in str(found)
    assert found.next_step
    assert SIG[:12] not in str(found)


def test_d8_an_answer_of_the_sdk_is_read_likewise() -> None:
    error = HttpResponseError(message="Server busy")
    error.status_code, error.error_code = 503, "ServerBusy"  # type: ignore[attr-defined]
    assert (answer_of(error).status, answer_of(error).code) == (503, "ServerBusy")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "BlobAlreadyExists"),
        (412, "ConditionNotMet"),
        # Azure's word to a SAS that may create but not write.
        (403, "UnauthorizedBlobOverwrite"),
        # What lies there may be ours, from before a crash.
        (409, "BlobImmutableDueToPolicy"),
    ],
)
def test_d8_what_tells_that_a_key_is_taken(status: int, code: str) -> None:
    assert is_taken(answer_of(OSError(f"status code: {status} Oh: {body(code)}")))


def test_d8_no_log_has_the_signature(
    container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    url = container.sas_url("racwdl")
    with caplog.at_level(logging.DEBUG):
        destination = azure(url)
        put(destination)
        destination.delete("a.parquet")
        destination.permissions()
    assert caplog.records
    signature = url.partition("sig=")[2]
    assert not any(signature in r.getMessage() or KEY in r.getMessage() for r in caplog.records)


def test_d8_an_account_key_in_the_environment_is_not_used(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
    assert "'create'" in refused(container.sas_url("rl"), put, PermissionMissing)


def test_m1_metadata_and_tier_of_an_overwritten_blob(container: Container) -> None:
    destination = azure(container.sas_url(), access_tier="Cool")
    destination.overwrite("m", b"{}", {"event-id": "e%C3%A9", "objectName": "o", "9": "x"})
    destination.put_bytes("n", b"{}")
    found = container.client().get_blob_client(f"{PATH}/m").get_blob_properties()
    assert found.metadata == {"event_id": "e%C3%A9", "objectname": "o", "_9": "x"}
    for key in ("m", "n"):
        blob = container.client().get_blob_client(f"{PATH}/{key}")
        assert blob.get_blob_properties().blob_tier == "Cool"


@pytest.mark.parametrize("key", ["a.", "a./b", "x/" * 254 + "y"])
def test_d8_keys_that_azure_would_rewrite_are_refused(container: Container, key: str) -> None:
    assert "Azure would rewrite" in refused(
        container.sas_url(), lambda to: to.put_bytes(key, b""), DestinationError
    )


def test_d8_where_it_is_without_the_secret(container: Container) -> None:
    host = container.account_url.partition("://")[2]
    text = azure(container.sas_url()).describe()
    assert text == f"Azure container {host}/{container.name}, folder {PATH}"
    assert azure("nonsense").describe() == f"Azure container of env:ACME_SAS_URL, folder {PATH}"
