"""A container's SAS URL, as Azure shows it: taken apart and checked before anything is asked.

The URL is a secret from its first to its last character: no error repeats a part of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import quote, unquote, urlsplit

from cio_pipeline.model.errors import CredentialsExpired, WrongCredentials

SKEW = timedelta(minutes=15)
"""How far this machine's clock may be off before it is believed more than Azure's."""

_AGAIN = (
    "Generate a SAS for the container itself (Azure portal: the container, 'Generate SAS') and put "
    "the whole 'Blob SAS URL' behind the reference."
)
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*|\$root|\$web")
_PORTS = {"https": 443, "http": 80}
_KINDS = {"b": "a single blob", "bv": "a version of a blob", "bs": "a snapshot", "d": "a folder"}


@dataclass(frozen=True)
class Sas:
    """What a container's SAS URL says; `token` is its secret part, percent-encoded.

    `permissions`, `starts` and `expires` are None where the stored access policy `policy` holds
    them, which cannot be read with a SAS.
    """

    account_url: str
    account: str
    container: str
    token: str = field(repr=False)
    permissions: frozenset[str] | None
    starts: datetime | None
    expires: datetime | None
    policy: str | None

    def check_time(self, now: datetime) -> None:
        """Raise CredentialsExpired, or WrongCredentials if the SAS is not valid yet.

        Within `SKEW` of the limits Azure's own clock decides.
        """
        if self.expires is not None and now > self.expires + SKEW:
            raise expired(self.expires)
        if self.starts is not None and now < self.starts - SKEW:
            raise not_yet_valid(self.starts)


def expired(at: datetime) -> CredentialsExpired:
    """The error for a SAS that ended at a time."""
    return CredentialsExpired(
        f"The SAS URL expired on {at:%Y-%m-%d %H:%M} UTC.",
        "Generate a new one, better on a stored access policy, whose expiry can be moved.",
    )


def not_yet_valid(at: datetime) -> WrongCredentials:
    """The error for a SAS that starts at a later time."""
    return WrongCredentials(
        f"The SAS URL is valid only from {at:%Y-%m-%d %H:%M} UTC on.",
        "Wait until then, or generate one that starts now. Check this machine's clock, too.",
    )


def parse_sas(text: str) -> Sas:
    """Take a container's SAS URL apart; raises WrongCredentials, which never repeats it."""
    url = text.strip()
    _check_kind_of_text(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _malformed("cannot be read as a URL") from None
    _check_address(parts.scheme, host, parts.netloc)
    base, account, container = _placed(host, parts.path)
    asked = _query(parts.query)
    _check_signature(asked)
    return Sas(
        account_url=f"{parts.scheme}://{_authority(parts.scheme, host, port)}{base}",
        account=account,
        container=container,
        token="&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items()),
        permissions=frozenset(asked["sp"]) if asked.get("sp") else None,
        starts=_time(asked.get("st"), "start"),
        expires=_earliest(_time(asked.get("se"), "expiry"), _time(asked.get("ske"), "key expiry")),
        policy=asked.get("si") or None,
    )


def _malformed(problem: str, next_step: str = _AGAIN) -> WrongCredentials:
    return WrongCredentials(f"The SAS URL {problem}.", next_step)


def _check_kind_of_text(text: str) -> None:
    """Name what people paste instead of the URL."""
    if not text:
        raise _malformed("is empty")
    if re.search(r"(AccountKey|SharedAccessKey)=", text, re.IGNORECASE):
        raise _malformed(
            "is a connection string with the account's key, which opens far more than a sync needs"
        )
    if "SharedAccessSignature=" in text:
        raise _malformed("is a connection string, not a URL")
    if re.fullmatch(r"[A-Za-z0-9+/]{86}==", text):
        raise _malformed("is an account key, which opens far more than a sync needs")
    if re.match(r"\??(s[a-z]{1,2}|sig)=", text):
        raise _malformed("is the SAS token alone, without the container's address")
    if re.search(r"\s", text):
        raise _malformed("has a space or line break in it")


def _check_address(scheme: str, host: str, netloc: str) -> None:
    if scheme not in {"http", "https"} or not host:
        raise _malformed("does not start with https:// and a host")
    if "@" in netloc:
        raise _malformed("has a user name or password in it")
    if scheme == "http" and not is_loopback(host):
        raise _malformed("does not start with https://, so that anybody on the way could read it")
    if ".dfs." in host:
        raise _malformed("is that of the Data Lake endpoint ('.dfs.')", f"{_AGAIN} It has '.blob.'")


def _placed(host: str, path: str) -> tuple[str, str, str]:
    """(path of the account, account, container): an emulator has its account in the path."""
    names = [unquote(name) for name in path.strip("/").split("/") if name]
    if "//" in path:
        raise _malformed("has a double slash in its path")
    account = host.partition(".")[0]
    base = ""
    if _is_address(host):
        if not names:
            raise _malformed("names no account and no container")
        account = names.pop(0)
        base = f"/{quote(account)}"
    if not names:
        raise _malformed("names no container")
    if len(names) > 1:
        raise _malformed(
            "leads to a blob or folder within a container",
            f"{_AGAIN} The folder belongs into the sync's `path`.",
        )
    if not _CONTAINER.fullmatch(names[0]):
        raise _malformed("has a container's name that Azure does not allow")
    return base, account, names[0]


def _query(text: str) -> dict[str, str]:
    """The token's fields. A bare '+' is itself: signatures are base64, and pasted as they are."""
    pairs = [part.partition("=") for part in text.split("&") if part]
    asked = {name: unquote(value) for name, _, value in pairs}
    if len(asked) != len(pairs):
        raise _malformed("says the same thing twice")
    return asked


def _check_signature(asked: Mapping[str, str]) -> None:
    if not asked.get("sig"):
        raise _malformed("has no signature (`sig`)")
    if "ss" in asked or "srt" in asked:
        raise _malformed("opens the whole account, not one container")
    if asked.get("sr") != "c":
        kind = _KINDS.get(asked.get("sr", ""), "something else than a container")
        raise _malformed(f"is for {kind} (`sr`)")
    if asked.get("si"):
        return
    if not asked.get("se"):
        raise _malformed("has neither an expiry (`se`) nor a stored access policy (`si`)")
    if not asked.get("sp"):
        raise _malformed("has neither permissions (`sp`) nor a stored access policy (`si`)")


def _time(text: str | None, name: str) -> datetime | None:
    """A time as Azure writes it, UTC: a date, or a date and time to the minute or finer."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _malformed(f"has no readable {name} time") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _authority(scheme: str, host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port in {None, _PORTS[scheme]} else f"{shown}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a host is a name of this very machine."""
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    """Whether a host is no name of an account: emulators and appliances have it in the path."""
    if host == "localhost":
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
