"""People: who signed up, with which identifiers, and what became of them.

A person's life is a handful of moments drawn from the key; the row at any time is the sum of
those that have passed.
"""

import polars as pl

from cio_pipeline.demo.chance import Draw, below, choice, drawing, nth, odds
from cio_pipeline.demo.world import DAY, HOUR, MINUTE, SECOND, Span, Workspace, finished

ROUNDS = 3
"""How often a profile's attributes change after the sign-up, at most."""

# Kinds of people by a draw: id and email up to _ID_ONLY, then id only, email only, neither.
_ID_ONLY, _EMAIL_ONLY, _NAMELESS = 0.7, 0.75, 0.97

# Their fate by another: deleted at once, deleted, suppressed (some deleted after that), or none.
_BRIEF, _DELETED, _DELETED_TOO, _SUPPRESSED = 0.01, 0.065, 0.069, 0.095

FIRST_NAMES = (
    "Ana", "Bjørn", "Chloé", "Dmitri", "Emeka", "Fatima", "Grzegorz", "Hana", "İpek", "José",
    "Kateryna", "Łukasz", "Minh", "Nadia", "Óscar", "Priya", "René", "Siobhán", "Thandi", "Uchenna",
    "Vera", "Wei 伟", "Ximena", "Yuki 雪", "Zoë 🦊",
)  # fmt: skip
DOMAINS = ("example.com", "mail.example.org", "example.net", "bücher.example", "corp.example")


def roster(workspace: Workspace, until: int) -> pl.DataFrame:
    """Everybody who signed up before a time, by number: row n is person n.

    Columns: `person`, `pkey`, the moments `added`, `deleted_at`, `suppressed_at`, `gone` (the
    earlier of the two) and those of `_changes` (null where they never happen, or not before the
    end), and the identifiers of `_identifiers`.
    """
    draw = drawing("pkey")
    # A sign-up lies anywhere in its slot: the slot after the last whole one may have begun.
    numbers = pl.int_range(workspace.alive(until) + 1, eager=True, dtype=pl.Int64)
    people = pl.DataFrame({"person": numbers})
    people = people.with_columns(pkey=workspace.persons(pl.col("person")))
    people = people.with_columns(added=_added(workspace, draw)).filter(pl.col("added") < until)
    changes = _changes(workspace, draw)
    people = people.with_columns(**_ends(workspace, draw), **changes)
    gone = pl.min_horizontal("deleted_at", "suppressed_at")
    lived = {
        name: pl.when(gone.is_null() | (pl.col(name) < gone)).then(pl.col(name)) for name in changes
    }
    return people.with_columns(gone=gone, **lived).with_columns(**_identifiers(workspace))


def _added(workspace: Workspace, draw: Draw) -> pl.Expr:
    origin, imported = workspace.world.origin, workspace.imported
    number, chance = pl.col("person"), draw("added")
    early = origin + ((number + chance) * (HOUR / imported)).cast(pl.Int64)
    later = origin + HOUR + (number - imported) * workspace.slot + below(chance, workspace.slot)
    return pl.when(number < imported).then(early).otherwise(later)


def _ends(workspace: Workspace, draw: Draw) -> dict[str, pl.Expr]:
    """Deletion (some within minutes of the sign-up) and suppression, which some delete later."""
    number, added, chance = pl.col("person"), pl.col("added"), draw("lifetime")
    # Two of the imported are gone before the history ends, however small the workspace.
    example = number.is_in([3, 4])
    fate = pl.when(example).then(_DELETED - 0.02 + (number - 3) * 0.04).otherwise(draw("fate"))
    share = pl.when(example).then(0.4 + chance * 0.3).otherwise(chance * 1.2)
    lifetime = HOUR * 3 + (share * workspace.world.history).cast(pl.Int64)
    suppressed = fate.is_between(_DELETED, _SUPPRESSED)
    return {
        "deleted_at": pl.when(fate < _BRIEF)
        .then(added + SECOND + below(draw("brief"), 5 * MINUTE))
        .when(fate < _DELETED)
        .then(added + lifetime)
        .when(suppressed & (fate < _DELETED_TOO))
        .then(added + lifetime + DAY + below(draw("then"), 20 * DAY)),
        "suppressed_at": pl.when(suppressed).then(added + lifetime),
    }


def _changes(workspace: Workspace, draw: Draw) -> dict[str, pl.Expr]:
    """When identifiers are set or changed, and the rounds in which attributes change."""
    kind, added = draw("kind"), pl.col("added")
    once = kind < _EMAIL_ONLY
    step = int(workspace.world.history * 0.7)
    rounds: dict[str, pl.Expr] = {}
    last = added
    for number in range(1, ROUNDS + 1):
        last = last + MINUTE + below(draw(f"round {number}"), step)
        rounds[f"round_{number}"] = last
    late_id = pl.when((kind < _NAMELESS) & odds(draw("gets id"), 0.3)).then(
        added + MINUTE + below(draw("id later"), 30 * DAY)
    )
    return {
        "id_set": pl.when(once).then(added).otherwise(late_id),
        "id_changed": pl.when(once & odds(draw("new id"), 0.04)).then(
            added + MINUTE + below(draw("new id at"), 60 * DAY)
        ),
        "email_changed": pl.when((kind < _NAMELESS) & odds(draw("new email"), 0.08)).then(
            added + MINUTE + below(draw("new email at"), 80 * DAY)
        ),
        **rounds,
    }


def _identifiers(workspace: Workspace) -> dict[str, pl.Expr]:
    """The identifiers that a person has before and after a change; null for those without."""
    draw, number = drawing("pkey"), pl.col("person")
    kind = draw("kind")
    has_email = (kind < _ID_ONLY) | kind.is_between(_EMAIL_ONLY, _NAMELESS)
    name = choice(draw("name"), FIRST_NAMES).str.to_lowercase().str.replace_all(r"[^a-z]", "")
    base = pl.format("{}.{}@{}", name, number + 1, choice(draw("domain"), DOMAINS))
    return {
        "internal_customer_id": cio_id(workspace),
        "first_id": pl.format("user-{}", number + 1),
        "second_id": pl.format("crm-{}-{}", workspace.number, number + 1),
        "first_email": pl.when(has_email).then(base),
        "second_email": pl.when(has_email).then(pl.format("new.{}", base)),
        "phone": pl.format("+1555{}", 1_000_000 + number),
        "device": pl.format("device-{}", pl.col("pkey")),
        "platform": nth(number, ("ios", "android")),
    }


def cio_id(workspace: Workspace) -> pl.Expr:
    """The internal id of the person in `person` and `pkey`: ordered, the same for ever."""
    serial = workspace.number * 10**10 + pl.col("person") + 10**13
    return pl.format("{}{}", serial, pl.col("pkey") % 1000)


def email_at(at: pl.Expr) -> pl.Expr:
    """The email address that a person of the roster has just after a time."""
    changed = pl.col("email_changed") <= at
    return pl.when(changed).then(pl.col("second_email")).otherwise(pl.col("first_email"))


def passed(moment: str, end: int) -> pl.Expr:
    """A moment, or null if it does not lie before `end`."""
    return pl.when(pl.col(moment) < end).then(pl.col(moment))


def people_rows(workspace: Workspace, people: pl.DataFrame, span: Span) -> pl.DataFrame:
    """The rows of `people` that changed in the span, as they are at its end."""
    end = span.end
    moments = ["added", "id_set", "id_changed", "email_changed", "deleted_at", "suppressed_at"]
    moments += [f"round_{number}" for number in range(1, ROUNDS + 1)]
    id_changed, id_set = passed("id_changed", end), passed("id_set", end)
    rows = people.select(
        "internal_customer_id",
        id=pl.when(id_changed.is_not_null())
        .then(pl.col("second_id"))
        .when(id_set.is_not_null())
        .then(pl.col("first_id")),
        email=email_at(pl.lit(end - 1)),
        added_at=pl.col("added"),
        id_changed_at=pl.coalesce(id_changed, id_set),
        updated_at=pl.max_horizontal(passed(name, end) for name in moments),
        deleted=passed("deleted_at", end).is_not_null(),
        suppressed=passed("suppressed_at", end).is_not_null(),
    )
    changed = rows.filter(pl.col("added_at") < end, pl.col("updated_at") >= span.start)
    return finished(changed, "people", workspace.number)
