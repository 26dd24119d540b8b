#!/usr/bin/env bash
# fastparquet reads lists of texts as null once pyarrow is installed beside it.
#
# Where pyarrow can be imported, fastparquet decodes plain pages of texts with it, and lists of texts do not
# survive that: every row of a list column is null, or a bare text where all lists have one entry, without
# an error or a warning. Polars writes such pages for lists of names. The same reader reads the same file
# rightly in an environment without pyarrow, so a loader that worked loses its lists on the day when a
# colleague adds a package. A pipeline cannot see it, since its files are right: tell readers, and check
# files with more readers than one, each in an environment of its own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet fastparquet==2026.9.0 pandas==3.1.1 numpy==2.4.6 cramjam==2.14.0 \
  polars==2.1.0 polars-runtime-32==2.1.0
cat > "$work/read.py" <<'PY'
import importlib.util
import json
import sys
from importlib.metadata import version

import fastparquet

names = ["fastparquet", "pandas", "pyarrow"] if importlib.util.find_spec("pyarrow") else ["fastparquet", "pandas"]
print("versions:", ", ".join(f"{name} {version(name)}" for name in names), file=sys.stderr)
files = [fastparquet.ParquetFile(f"{sys.argv[1]}/{name}.parquet") for name in ("topics", "alone")]
print(json.dumps([file.to_pandas().to_dict("records") for file in files]))
PY
"$work/venv/bin/python" - "$work" <<'PY'
import sys

import polars as pl

print(f"versions: polars {pl.__version__}")
topics = [["news", "offers"], [], ["travel"]]
pl.DataFrame({"id": [1, 2, 3], "topics": topics}).write_parquet(f"{sys.argv[1]}/topics.parquet")
alone = [["news"], ["offers"], ["travel"]]
pl.DataFrame({"id": [1, 2, 3], "topics": alone}).write_parquet(f"{sys.argv[1]}/alone.parquet")
PY
"$work/venv/bin/python" "$work/read.py" "$work" > "$work/before.json"
"$work/venv/bin/pip" install --quiet pyarrow==26.0.1
"$work/venv/bin/python" "$work/read.py" "$work" > "$work/after.json"
"$work/venv/bin/python" - "$work" <<'PY'
import json
import sys
from pathlib import Path


def topics(name):
    files = json.loads((Path(sys.argv[1]) / name).read_text())
    return [[row["topics"] for row in rows] for rows in files]


right = [[["news", "offers"], [], ["travel"]], [["news"], ["offers"], ["travel"]]]
before, after = topics("before.json"), topics("after.json")
print(f"expected: {right}")
print(f"seen:     {before} without pyarrow")
print(f"seen:     {after} with pyarrow beside it")
as_stated = before == right and after == [[None, None, None], ["news", "offers", "travel"]]
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
