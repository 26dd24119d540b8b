"""How ad platforms want the people of an audience: what each normalises before it hashes (O7).

A *match key* is the SHA-256, in lower-case hex, of a normalised email address or phone number. The
platforms compare it with their own, so a space or a plus sign in the wrong place finds nobody.
Phone numbers become E.164 everywhere; numbers without a country's code need a country.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cio_pipeline.extras import needs
from cio_pipeline.model.errors import InvalidConfig

KeysOf: TypeAlias = Callable[[str | None, str | None], tuple[str, str]]
"""From an email address and a phone number to the two match keys."""

_GMAIL = ("gmail.com", "googlemail.com")


@dataclass(frozen=True)
class Platform:
    """What a platform's upload looks like: two headers, how the values are written, how many rows.

    `email` and `phone` take what is known of a person (a phone number as E.164) and give what is
    hashed. A file of fewer than `smallest` rows is refused, or of no use.
    """

    name: str
    headers: tuple[str, str]
    email: Callable[[str], str]
    phone: Callable[[str], str]
    smallest: int = 1


def _trimmed(email: str) -> str:
    return email.strip().lower()


def _without_spaces(email: str) -> str:
    return "".join(email.split()).lower()


def _as_google_delivers(email: str) -> str:
    """Dots and what follows a plus mean nothing to Gmail, and only there are they left out."""
    local, at, domain = _without_spaces(email).rpartition("@")
    if domain in _GMAIL:
        local = local.partition("+")[0].replace(".", "")
    return f"{local}{at}{domain}"


def _digits(e164: str) -> str:
    return e164.removeprefix("+")


PLATFORMS: Mapping[str, Platform] = {
    one.name: one
    for one in (
        Platform("meta", ("email", "phone"), _trimmed, _digits, smallest=100),
        Platform("google", ("Email", "Phone"), _as_google_delivers, str),
        Platform("tiktok", ("Email_SHA256", "Phone_SHA256"), _without_spaces, str, smallest=1000),
    )
}
"""The platforms by name. What each documents is in docs/audiences.md, with the page it is from."""


def email_key(platform: Platform, email: str | None) -> str:
    """The match key of an email address; the empty string for none, or for what is none."""
    normal = platform.email(email or "")
    local, _, domain = normal.partition("@")
    if not local or not domain or "@" in domain or any(one.isspace() for one in normal):
        return ""
    return _hashed(normal)


def phone_key(platform: Platform, phone: str | None, country: str | None) -> str:
    """The match key of a phone number; the empty string for none, or for what is none."""
    number = e164(phone, country)
    return _hashed(platform.phone(number)) if number else ""


def e164(phone: str | None, country: str | None) -> str:
    """A phone number as +, country and number; the empty string if it cannot be one.

    A number that begins with + or 00 says its country, any other is one of `country` (ISO 3166,
    two letters); without a country it is none: to guess would match somebody else.
    """
    text, phonenumbers = (phone or "").strip(), needs("phonenumbers")
    if text.startswith("00"):
        text = "+" + text.removeprefix("00")
    try:
        found = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return ""
    # One without its area's code is no whole number.
    how = phonenumbers.is_possible_number_with_reason(found)
    if how != phonenumbers.ValidationResult.IS_POSSIBLE:
        return ""
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def known_country(country: str | None) -> str | None:
    """A country as two capital letters; raises InvalidConfig for one that has no phone numbers."""
    if country is None or country.upper() in needs("phonenumbers").SUPPORTED_REGIONS:
        return country and country.upper()
    raise InvalidConfig(
        f"There is no country '{country}'.", "Use two letters, such as DE, CH or US."
    )


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def keys_of(platform: Platform, country: str | None) -> KeysOf:
    """What turns an email address and a phone number into the two match keys."""
    return lambda email, phone: (email_key(platform, email), phone_key(platform, phone, country))
