#!/usr/bin/env bash
# pandera's drop_invalid_rows drops valid rows with pandas, and lets invalid tables through with Polars.
#
# With pandas, rows are dropped by their label in the index. Files that are put together with concat() have
# each label several times, so that one bad row of Tuesday takes the good rows with its number in all other files
# along. With Polars, rows are dropped by checks of values alone: duplicates that unique=[…] forbids stay, a
# column may be missing, and texts may stand where integers are declared; nothing is raised, though the same
# schema without drop_invalid_rows refuses all three. A pipeline that cleans its input so loses rows of people
# whose data was right, or has rows that it believes to be checked: reset the index, and validate once more
# without the option.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pandera==0.35.0 pandas==3.1.1 numpy==2.4.6 polars==2.1.0 polars-runtime-32==2.1.0
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import pandas as pd
import pandera.pandas as for_pandas
import pandera.polars as for_polars
import polars as pl
from pandera.errors import SchemaErrors


def left(schema, rows):
    """The rows that validation leaves, or the name of its error."""
    try:
        valid = schema.validate(rows, lazy=True)
    except SchemaErrors as error:
        return type(error).__name__
    records = valid.to_dicts() if isinstance(valid, pl.DataFrame) else valid.to_dict("records")
    return [tuple(record.values()) for record in records]


print("versions:", ", ".join(f"{name} {version(name)}" for name in ("pandera", "pandas", "polars")))
scores = for_pandas.DataFrameSchema(
    {"name": for_pandas.Column(str), "score": for_pandas.Column(int, for_pandas.Check.ge(0))},
    drop_invalid_rows=True,
)
monday = pd.DataFrame({"name": ["Ann", "Bo"], "score": [5, 7]})
tuesday = pd.DataFrame({"name": ["Cy", "Dee"], "score": [-1, 9]})
week = pd.concat([monday, tuesday])
right = left(scores, week.reset_index(drop=True))
dropped = left(scores, week)
print(f"expected: {right}, as with an index of its own")
print(f"seen:     {dropped} from pandas, two files put together")
as_stated = right == [("Ann", 5), ("Bo", 7), ("Dee", 9)] and dropped == [("Bo", 7), ("Dee", 9)]

COLUMNS = {"id": for_polars.Column(int), "plan": for_polars.Column(str)}
ROWS = {
    "duplicates": {"id": [1, 1, 2], "plan": ["a", "a", "b"]},
    "no column plan": {"id": [1, 2]},
    "texts for integers": {"id": ["1", "x"], "plan": ["a", "b"]},
}
for name, rows in ROWS.items():
    frame = pl.DataFrame(rows)
    strict = left(for_polars.DataFrameSchema(COLUMNS, unique=["id"]), frame)
    lenient = left(for_polars.DataFrameSchema(COLUMNS, unique=["id"], drop_invalid_rows=True), frame)
    print(f"{name}: {frame.rows()}")
    print(f"  expected: {strict}, as without drop_invalid_rows, or no such rows")
    print(f"  seen:     {lenient} from Polars with drop_invalid_rows")
    as_stated = as_stated and strict == "SchemaErrors" and lenient == frame.rows()
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
