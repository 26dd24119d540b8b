"""examples/readers: what other readers see is compared with what was written."""

import json
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_line_of_json_ends_at_a_line_feed_alone(tmp_path: Path) -> None:
    """Texts have other ends of lines in them, as they are."""
    lines = runpy.run_path(str(ROOT / "examples" / "readers" / "canonical.py"))["lines"]
    texts = ["a\u2028b", "a\x85b\x0c", "c"]
    rows = [json.dumps({"text": text, "n": 1}, ensure_ascii=False) for text in texts]
    file = tmp_path / "calls.json"
    file.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    assert lines(str(file)) == {"text": texts}
