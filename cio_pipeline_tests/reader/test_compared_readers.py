"""examples/readers: what other readers see is compared with what was written."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def texts() -> Callable[[str], Any]:
    return runpy.run_path(str(ROOT / "examples" / "readers" / "canonical.py"))["texts"]


def test_a_line_of_json_ends_at_a_line_feed_alone(tmp_path: Path) -> None:
    """Texts have other ends of lines in them, as they are; also those in objects."""
    cells = ["a\u2028b", "a\x85b\x0c", "c"]
    rows = [json.dumps({"n": 1, "of": {"text": one}}, ensure_ascii=False) for one in cells]
    file = tmp_path / "calls.json"
    file.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    assert texts()(str(file)) == {"of.text": cells}


def test_a_cell_of_csv_is_a_text_or_null(tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text('a,b\n"x,\n""y""\r\n",\n,é\n', encoding="utf-8", newline="")
    assert texts()(str(file)) == {"a": ['x,\n"y"\r\n', None], "b": [None, "é"]}
