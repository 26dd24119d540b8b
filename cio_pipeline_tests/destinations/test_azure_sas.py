"""A pasted SAS URL is taken apart and checked, and never repeated (D8)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cio_pipeline.destinations.azure_sas import parse_sas
from cio_pipeline.destinations.overlap import location
from cio_pipeline.model.destinations import AzureDestination
from cio_pipeline.model.errors import CredentialsExpired, WrongCredentials

SIG = "c2VjcmV0/c2lnbmF0dXJl+Zm9yLXRlc3Rz="
AD_HOC = (
    f"sp=racwl&st=2026-01-01T00:00:00Z&se=2027-01-01T08:30Z&spr=https&sv=2024-11-04&sr=c&sig={SIG}"
)
POLICY = f"si=cio-export&spr=https&sv=2024-11-04&sr=c&sig={SIG}"
ACME = "https://acme.blob.core.windows.net"


def test_d8_a_sas_with_its_own_rights_and_times() -> None:
    sas = parse_sas(f" {ACME}/data-out?{AD_HOC}\n")
    assert (sas.account_url, sas.account, sas.container) == (ACME, "acme", "data-out")
    assert sas.permissions == set("racwl")
    assert sas.starts == datetime(2026, 1, 1, tzinfo=UTC)
    assert sas.expires == datetime(2027, 1, 1, 8, 30, tzinfo=UTC)
    assert sas.policy is None
    assert SIG[:8] not in repr(sas)


def test_d8_a_sas_on_a_stored_access_policy() -> None:
    sas = parse_sas(f"{ACME}/data-out?{POLICY}")
    assert (sas.policy, sas.permissions, sas.expires) == ("cio-export", None, None)


@pytest.mark.parametrize("sig", [SIG, SIG.replace("+", "%2B").replace("/", "%2F")])
def test_d8_a_signature_is_the_same_encoded_or_not(sig: str) -> None:
    sas = parse_sas(f"{ACME}/data-out?{POLICY}".replace(SIG, sig))
    assert sas.token.endswith("sig=c2VjcmV0%2Fc2lnbmF0dXJl%2BZm9yLXRlc3Rz%3D")


@pytest.mark.parametrize(
    ("url", "account_url", "account"),
    [
        ("http://127.0.0.1:10000/devstoreaccount1/logs", None, "devstoreaccount1"),
        ("http://localhost:10000/devstoreaccount1/logs", None, "devstoreaccount1"),
        ("http://[::1]:10000/devstoreaccount1/logs/", None, "devstoreaccount1"),
        ("https://10.0.0.7/appliance/logs", None, "appliance"),
        ("https://acme.blob.core.chinacloudapi.cn/logs", None, "acme"),
        ("https://acme.blob.core.usgovcloudapi.net/logs", None, "acme"),
        ("https://acme.z22.blob.storage.azure.net/logs", None, "acme"),
        ("https://files.acme.example/logs", None, "files"),
        ("https://ACME.blob.core.windows.net:443/logs", ACME, "acme"),
        ("https://acme.blob.core.windows.net/$root", None, "acme"),
    ],
)
def test_d8_where_a_container_is(url: str, account_url: str | None, account: str) -> None:
    sas = parse_sas(f"{url}?{POLICY}")
    plain, _, container = url.rstrip("/").rpartition("/")
    assert sas.account_url == (account_url or plain)
    assert (sas.account, sas.container) == (account, container)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        (f"{ACME}/?{AD_HOC}", "names no container"),
        (f"{ACME}?{AD_HOC}", "names no container"),
        (f"http://127.0.0.1:10000/devstoreaccount1?{AD_HOC}", "names no container"),
        (f"http://127.0.0.1:10000?{AD_HOC}", "names no account"),
        (f"{ACME}/data-out/folder?{AD_HOC}", "leads to a blob or folder"),
        (f"{ACME}//data-out?{AD_HOC}", "double slash"),
        (f"{ACME}/Data_Out?{AD_HOC}", "does not allow"),
        (f"{ACME}/ab?{AD_HOC}", "does not allow"),
        (f"{ACME}/data--out?{AD_HOC}", "does not allow"),
        (f"{ACME}/data-out?{AD_HOC.replace('sr=c', 'sr=b')}", "for a single blob"),
        (f"{ACME}/data-out?{AD_HOC.replace('sr=c', 'sr=d&sdd=1')}", "for a folder"),
        (f"{ACME}/data-out?{AD_HOC.replace('&sr=c', '')}", "something else than a container"),
        (f"{ACME}/data-out?{AD_HOC.replace('sr=c', 'ss=b&srt=sco')}", "opens the whole account"),
        (f"{ACME}/data-out?{AD_HOC.partition('&sig=')[0]}", "no signature"),
        (f"{ACME}/data-out?{AD_HOC.partition('sig=')[0]}sig=", "no signature"),
        (f"{ACME}/data-out", "no signature"),
        (f"{ACME}/data-out?{AD_HOC.replace('&se=2027-01-01T08:30Z', '')}", "neither an expiry"),
        (f"{ACME}/data-out?{AD_HOC.replace('2027-01-01T08:30Z', 'soon')}", "no readable expiry"),
        (f"{ACME}/data-out?{AD_HOC.replace('sp=racwl&', '')}", "neither permissions"),
        (f"{ACME}/data-out?{AD_HOC}&sp=r", "the same thing twice"),
        (f"http://acme.blob.core.windows.net/data-out?{AD_HOC}", "anybody on the way"),
        (f"http://10.0.0.7/acme/data-out?{AD_HOC}", "anybody on the way"),
        (f"https://acme.dfs.core.windows.net/data-out?{AD_HOC}", "Data Lake"),
        (f"https://me:pass@acme.blob.core.windows.net/data-out?{AD_HOC}", "user name"),
        (f"https://[acme/data-out?{AD_HOC}", "cannot be read"),
        (f"https://acme:port/data-out?{AD_HOC}", "cannot be read"),
        (f"ftp://acme.example/data-out?{AD_HOC}", "does not start with https"),
        (f"{ACME}/data-out ?{AD_HOC}", "space or line break"),
        (f"?{AD_HOC}", "token alone"),
        (AD_HOC, "token alone"),
        (f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={SIG}", "connection string"),
        (f"BlobEndpoint={ACME}/;SharedAccessSignature={AD_HOC}", "connection string"),
        ("A" * 86 + "==", "account key"),
    ],
)
def test_d8_a_malformed_sas_url_is_named_and_not_repeated(text: str, problem: str) -> None:
    with pytest.raises(WrongCredentials, match=problem) as caught:
        parse_sas(text)
    assert caught.value.next_step
    assert not any(
        part in str(caught.value) for part in (SIG, SIG[:12], "acme", "10.0.0.7", "A" * 20)
    )


def test_d8_a_sas_is_used_within_its_time_give_or_take_a_clock() -> None:
    sas = parse_sas(f"{ACME}/data-out?{AD_HOC}")
    minute = timedelta(minutes=1)
    assert sas.starts is not None
    assert sas.expires is not None
    for now in (sas.starts - 14 * minute, sas.expires + 14 * minute):
        sas.check_time(now)
    with pytest.raises(WrongCredentials, match="only from 2026-01-01 00:00 UTC on"):
        sas.check_time(sas.starts - 16 * minute)
    with pytest.raises(CredentialsExpired, match="expired on 2027-01-01 08:30 UTC"):
        sas.check_time(sas.expires + 16 * minute)


def test_d8_the_key_behind_a_user_delegation_sas_ends_it_too() -> None:
    sas = parse_sas(f"{ACME}/data-out?{AD_HOC}&skoid=1&ske=2026-01-08T00:00:00Z")
    assert sas.expires == datetime(2026, 1, 8, tzinfo=UTC)


def test_d8_two_sas_urls_of_one_container_are_one_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ONE", f"{ACME}/data-out?{AD_HOC}")
    monkeypatch.setenv("TWO", f"https://ACME.blob.core.windows.net/data-out/?{POLICY}")
    monkeypatch.setenv("OTHER", f"{ACME}/data-out-too?{POLICY}")

    def at(reference: str, path: str) -> tuple[str, ...]:
        options = AzureDestination(type="azure", sas_url=reference, path=path)
        return location(options, tmp_path)

    assert at("env:ONE", "tenant") == at("env:TWO", "tenant")
    assert at("env:TWO", "tenant/b")[: len(at("env:ONE", "tenant"))] == at("env:ONE", "tenant")
    assert at("env:ONE", "tenant-b")[-1:] != at("env:ONE", "tenant")[-1:]
    assert at("env:OTHER", "tenant") != at("env:ONE", "tenant")
    assert at("env:UNSET", "tenant") == ("azure", "env:UNSET", "tenant")
    assert not any(SIG[:12] in part for part in at("env:ONE", "tenant"))


def test_d8_a_literal_sas_url_is_refused_with_the_reference_to_use() -> None:
    with pytest.raises(ValueError, match="env:NAME or file:/path") as caught:
        AzureDestination(type="azure", sas_url=f"{ACME}/data-out?{AD_HOC}")
    assert "put it into an environment variable" in str(caught.value)
