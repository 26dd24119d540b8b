"""D6: what others may do to a table that is read, in its columns, triggers and earlier rows."""

import psycopg
import pytest

from cio_pipeline.model.errors import SourceError
from cio_pipeline_tests.sources.postgres.databases import Made
from cio_pipeline_tests.sources.postgres.test_installing import look, steps
from cio_pipeline_tests.sources.postgres.test_positions import changed, state

AFTER_OURS = """
CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN IF TG_OP = 'UPDATE' THEN RETURN OLD; END IF;
     NEW := jsonb_populate_record(NULL::things, to_jsonb(NEW) - 'change_xid'); RETURN NEW; END $$;
CREATE TRIGGER zz_other BEFORE INSERT OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION other()"""


@pytest.mark.parametrize("kind", ["plain", "partition"])
def test_d6_other_triggers_cannot_take_a_row_its_number(
    base: Made, partitioned: Made, kind: str
) -> None:
    """One that gives back the earlier row, or makes another one, would hide or double it."""
    made = {"plain": base, "partition": partitioned}[kind]
    made.do(AFTER_OURS)
    first = made.things()
    made.do("INSERT INTO things (workspace_id, key, value) VALUES (1, 'a', '1')")
    second = made.things()
    made.do("UPDATE things SET value = '2'")
    third = made.things()
    assert [state(made, at) for at in (first, second, third)] == [{}, {"a": "1"}, {"a": "1"}]
    assert changed(made, first, second) == {"a": ("new", "1")}
    assert changed(made, second, third) == {}


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE things DROP value; ALTER TABLE things ADD value text DEFAULT 'other'",
        "ALTER TABLE things RENAME value TO former; ALTER TABLE things RENAME note TO value",
    ],
)
def test_d6_a_column_that_is_another_one_under_its_name_is_told(base: Made, change: str) -> None:
    """All rows may have other values, and none was written."""
    base.do(
        "ALTER TABLE things ADD note text DEFAULT 'other'",
        "INSERT INTO things (workspace_id, key, value) VALUES (1, 'a', '1'), (1, 'b', '1')",
    )
    assert not steps(base)
    first = base.things()
    base.do(change)
    with pytest.raises(SourceError, match="their values are what they were; where they are not"):
        look(base)
    assert [one.why for one in steps(base)] == ["things: what is kept, and when"]
    base.install()
    assert not steps(base)
    base.do("UPDATE things SET value = '2' WHERE key = 'a'")
    assert changed(base, first, base.things()) == {"a": ("changed", "2")}


def test_d6_a_trigger_that_fires_after_ours_is_told(base: Made, partitioned: Made) -> None:
    """No name is the last one."""
    for made, on in ((base, "things"), (partitioned, "rest")):
        made.do(AFTER_OURS.replace("zz_other", '"übrig"').replace("ON things", f"ON {on}"))
        with pytest.raises(
            SourceError, match="its trigger übrig fires after ours, and may undo it"
        ):
            look(made)
        assert not steps(made), "which would end positions"
        made.do(f'ALTER TRIGGER "übrig" ON {on} RENAME TO zz_other')
        assert look(made).reached is not None


def test_d6_columns_that_came_or_went_took_no_others_place(product: Made) -> None:
    for change in ("DROP arrival", "ADD arrival bigint"):
        product.do(f"ALTER TABLE calls {change}")
        with pytest.raises(SourceError, match=r"other columns than are read\.") as told:
            look(product, product.tables["calls"])
        assert "took the place" not in str(told.value)
        product.install()


def test_d6_earlier_rows_are_not_emptied_by_hand(base: Made) -> None:
    """Deletes that were not sent yet would go with them, untold."""
    base.do("INSERT INTO things VALUES (1, 'a', '1')")
    first = base.things()
    base.do("DELETE FROM things")
    with pytest.raises(psycopg.errors.RaiseException, match="may still need") as refused:
        base.do("TRUNCATE cio.earlier_things")
    assert "source prune" in (refused.value.diag.message_hint or "")
    assert changed(base, first, base.things()) == {"a": ("deleted", "1")}
    base.do("ALTER TABLE cio.earlier_things SET UNLOGGED")
    with pytest.raises(SourceError, match="gone, or unlogged"):
        look(base)
