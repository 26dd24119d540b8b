"""The tables of Sakila as its public dump has them."""

import runpy
from pathlib import Path

MAP = Path(__file__).parents[2] / "examples" / "sakila" / "map_sakila.py"

DUMP = """\
INSERT INTO country VALUES (1,'Chad','2006-02-15 04:44:00'),
(2,'Peru','2006-02-15 04:44:00');
INSERT INTO customer VALUES (1,1,'MARY','O\\'HARA','a, b',5,1,'2006-02-14 22:04:36',NULL),
(2,2,'JOSÉ','SMITH (Sr.)','c@d',6,0,'2006-02-14 22:04:36','2006-02-15 04:57:20');
COMMIT;
INSERT INTO customer VALUES (3,1,'P','J','e@f',7,1,'2006-02-14 22:04:36','2006-02-15 04:57:20');
INSERT INTO film VALUES (1,'ACADEMY');
"""


def test_the_rows_of_one_table_of_a_dump_are_read(tmp_path: Path) -> None:
    dump = tmp_path / "sakila-mv-data.sql"
    dump.write_text(DUMP, encoding="utf-8")
    found = list(runpy.run_path(str(MAP))["rows"](dump, "customer"))
    names = [(row["customer_id"], row["first_name"], row["last_name"]) for row in found]
    assert names == [("1", "MARY", "O'HARA"), ("2", "JOSÉ", "SMITH (Sr.)"), ("3", "P", "J")]
    assert (found[0]["email"], found[0]["last_update"]) == ("a, b", "NULL")
