"""What each ad platform normalises before it hashes (O7). The examples are the platforms' own."""

import hashlib

import pytest

from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.reader.match_keys import PLATFORMS, e164, email_key, known_country, phone_key


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("platform", "written", "hashed"),
    [
        ("meta", "  John_Smith@Gmail.com ", "john_smith@gmail.com"),
        ("meta", "a.b+c@gmail.com", "a.b+c@gmail.com"),
        ("google", "cloudy.sanfrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com"),
        ("google", "Cloudy.San Francisco@GoogleMail.com", "cloudysanfrancisco@googlemail.com"),
        ("google", "user.name+NYC@Example.com", "user.name+nyc@example.com"),
        ("google", "a.b@mail.gmail.com", "a.b@mail.gmail.com"),
        ("tiktok", " JaneDoe@gmail.com", "janedoe@gmail.com"),
        ("tiktok", "a.b+c@gmail.com", "a.b+c@gmail.com"),
        ("meta", "ÜMIT@bücher.example", "ümit@bücher.example"),
    ],
)
def test_email_keys(platform: str, written: str, hashed: str) -> None:
    assert email_key(PLATFORMS[platform], written) == sha256(hashed)


def test_a_key_is_what_tiktok_gives_for_its_example() -> None:
    key = "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69"
    assert email_key(PLATFORMS["tiktok"], "janedoe@gmail.com") == key


def test_a_number_has_its_plus_though_tiktoks_example_was_hashed_without() -> None:
    """Its page recommends the plus and takes numbers without: those can be another country's."""
    example = "65b7e6dcf6f4310f8d7cbfbd78289a753062fb054d6664fb9aaac5df66a422d4"
    assert sha256("37493828222") == example
    assert phone_key(PLATFORMS["tiktok"], "+37493828222", None) == sha256("+37493828222")


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("written", [None, "", " ", "nobody", "@x.example", "a@", "a@b@c.example"])
def test_what_is_no_address_has_no_key(platform: str, written: str | None) -> None:
    assert email_key(PLATFORMS[platform], written) == ""


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("(800)555-0100", "US", "+18005550100"),
        ("(657)777-0000", "US", "+16577770000"),
        ("+44 844 412 4653", None, "+448444124653"),
        ("0044 844 412 4653", "US", "+448444124653"),
        ("030 123 45 67", "DE", "+49301234567"),
        # In Italy the zero is part of the number; in Russia an 8 leads out of the town.
        ("06 1234 5678", "IT", "+390612345678"),
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        # Whose it is cannot be known, or it is none.
        ("030 123 45 67", None, ""),
        ("1", "DE", ""),
        ("555-0100", "US", ""),
        ("device-12345678", None, ""),
        ("", "DE", ""),
        (None, "DE", ""),
    ],
)
def test_phone_numbers_become_e164(written: str | None, country: str | None, number: str) -> None:
    assert e164(written, country) == number
    for name, platform in PLATFORMS.items():
        text = number.removeprefix("+") if name == "meta" else number
        assert phone_key(platform, written, country) == (sha256(text) if number else "")


def test_a_country_that_is_none_is_named() -> None:
    assert known_country("de") == "DE"
    assert known_country(None) is None
    with pytest.raises(InvalidConfig, match="no country 'Germany'"):
        known_country("Germany")
