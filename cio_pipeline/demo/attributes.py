"""Attributes of people: what they are called, when they change, and their values as JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from cio_pipeline.demo.chance import Draw, below, choice, drawing, keyed
from cio_pipeline.demo.people import FIRST_NAMES, email_at, passed
from cio_pipeline.demo.world import DAY, SECOND, Span, Workspace, finished

Value: TypeAlias = Callable[[Draw], pl.Expr]
"""JSON text from draws that differ by person and round."""

_BEYOND_DOUBLES = 2**53 + 1
_BOOLEANS = ("true", "false")
_PLANS = ("free", "free", "basic", "pro", "enterprise")
_CITIES = ("Zürich", "São Paulo", "Kraków", "Hanoi", "Reykjavík", "Lagos")
_NOTES = (
    r'"said \"call me back\" \\ twice"',
    r'"line one\nline two\ttabbed"',
    '"prefers naïve façade café ☕"',
    '"数据导出 · данные · بيانات"',
    '""',
    r'"escaped \ud83e\udd8a"',
)


@dataclass(frozen=True)
class Attribute:
    """An attribute that a share of the people have, set at the sign-up and in some rounds.

    `removed_in` is the round that takes it away again.
    """

    name: str
    share: float
    value: Value
    rounds: tuple[int, ...] = ()
    removed_in: int | None = None


def joined(*parts: str | pl.Expr) -> pl.Expr:
    """Text of literal parts and expressions."""
    return pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in parts])


def quoted(text: pl.Expr) -> pl.Expr:
    """JSON of a text without quotes or backslashes."""
    return joined('"', text, '"')


def amount(draw: pl.Expr) -> pl.Expr:
    """JSON of an amount of money with two digits."""
    cents = below(draw, 100_000)
    return joined(cents // 100, ".", (cents % 100).cast(pl.String).str.zfill(2))


def _address(draw: Draw) -> pl.Expr:
    return joined(
        '{"city":"',
        choice(draw("city"), _CITIES),
        '","zip":"',
        below(draw("zip"), 90_000) + 10_000,
        '","geo":{"lat":',
        amount(draw("lat")),
        ',"exact":',
        choice(draw("exact"), _BOOLEANS),
        '},"tags":["home",null,{"floor":',
        below(draw("floor"), 30),
        "}]}",
    )


def _preferences(draw: Draw) -> pl.Expr:
    return joined(
        '{"topics":{"topic_7":',
        choice(draw("seven"), _BOOLEANS),
        ',"topic_8":',
        choice(draw("eight"), _BOOLEANS),
        "}}",
    )


ATTRIBUTES = (
    Attribute("first_name", 0.9, lambda draw: quoted(choice(draw("name"), FIRST_NAMES))),
    Attribute("plan", 1.0, lambda draw: quoted(choice(draw("plan"), _PLANS)), (1, 2, 3)),
    Attribute("balance", 0.5, lambda draw: amount(draw("balance")), (1, 3)),
    Attribute("visits", 0.6, lambda draw: below(draw("visits"), 5_000).cast(pl.String), (2, 3)),
    Attribute(
        "account_number",
        0.5,
        lambda draw: (_BEYOND_DOUBLES + 2 * below(draw("account"), 10**9)).cast(pl.String),
    ),
    Attribute("newsletter", 0.7, lambda draw: choice(draw("newsletter"), _BOOLEANS), (3,)),
    Attribute("address", 0.4, _address, (2,)),
    Attribute("cio_subscription_preferences", 0.3, _preferences, (1, 3)),
    Attribute("note", 0.2, lambda draw: choice(draw("note"), _NOTES), (2,)),
    Attribute("trial_ends_at", 0.4, lambda draw: _date(draw("trial")), removed_in=1),
    Attribute("coupon", 0.2, lambda draw: quoted(choice(draw("coupon"), ("WELCOME", "ZURÜCK")))),
)


def _date(draw: pl.Expr) -> pl.Expr:
    return (1_790_000_000 + below(draw, 90 * DAY // SECOND)).cast(pl.String)


def attribute_rows(workspace: Workspace, people: pl.DataFrame, span: Span) -> pl.DataFrame:
    """The rows of `attributes` that changed in the span, given their roster."""
    identifiers = [_identifier_rows(people, span, "id"), _identifier_rows(people, span, "email")]
    rows = [_rows(people, attribute, span) for attribute in ATTRIBUTES]
    return finished(pl.concat([*identifiers, *rows]), "attributes", workspace.number)


def _identifier_rows(people: pl.DataFrame, span: Span, name: str) -> pl.DataFrame:
    """`id` and `email` are attributes too."""
    changed = passed(f"{name}_changed", span.end)
    first = passed("id_set" if name == "id" else "added", span.end)
    at_end = pl.lit(span.end - 1)
    value = (
        email_at(at_end)
        if name == "email"
        else pl.when(changed.is_null()).then(pl.col("first_id")).otherwise(pl.col("second_id"))
    )
    rows = people.select(
        "internal_customer_id",
        attribute_name=pl.lit(name),
        attribute_value=quoted(value),
        timestamp=pl.coalesce(changed, first),
    )
    return rows.filter(pl.col("attribute_value").is_not_null(), span.holds(pl.col("timestamp")))


def _rows(people: pl.DataFrame, attribute: Attribute, span: Span) -> pl.DataFrame:
    """One attribute: its value at the span's end, if the last change lies within."""
    removals = () if attribute.removed_in is None else (attribute.removed_in,)
    rounds = attribute.rounds + removals
    last = pl.max_horizontal(
        passed("added", span.end), *(passed(f"round_{number}", span.end) for number in rounds)
    )
    has = drawing("pkey")(f"has {attribute.name}") < attribute.share
    changed = people.with_columns(timestamp=last).filter(has, span.holds(pl.col("timestamp")))
    removed = pl.any_horizontal(
        pl.lit(value=False),
        *(passed(f"round_{number}", span.end).is_not_null() for number in removals),
    )
    version = keyed(pl.col("pkey") + pl.col("timestamp").cast(pl.UInt64), 0)
    return changed.select(
        "internal_customer_id",
        attribute_name=pl.lit(attribute.name),
        attribute_value=pl.when(~removed).then(attribute.value(drawing(version))),
        timestamp=pl.col("timestamp"),
    )
