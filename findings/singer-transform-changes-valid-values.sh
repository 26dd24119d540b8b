#!/usr/bin/env bash
# singer-python's Transformer changes values that are valid as they are: "no" becomes true, "1,5" fifteen.
#
# A tap hands each record to the Transformer with the stream's JSON Schema. It takes the first type of the list to
# which Python can convert, though in JSON Schema a list of types has no order and a text is valid where texts are
# allowed: with ["boolean", "string"] the answers "no" and "0" are true, with ["integer", "string"] the code "007" is
# 7, with ["integer", "boolean"] true is 1. The other order keeps them all. Where only numbers are allowed, and an
# error is due, commas are dropped ("1,5", as half the world writes one and a half, is 15) and what stands after the
# point is cut (1.7 is 1). No error, no log line, and the target cannot know. jsonschema, which the library brings
# along, says what is valid. Who reads from such a tap counts wrong people as opted in: put "string" first, or compare
# with the source.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet singer-python==6.8.0
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

from jsonschema import Draft4Validator
from singer import Transformer
from singer.transform import SchemaMismatch

CASES = (  # the types of a property, its value, what comes of it, whether the schema allows the value
    (["boolean", "string", "null"], "no", True, True),
    (["boolean", "string", "null"], "0", True, True),
    (["integer", "string"], "007", 7, True),
    (["integer", "string"], "1,5", 15, True),
    (["integer", "boolean"], True, 1, True),
    (["null", "boolean"], "no", True, False),
    (["null", "integer"], "1,5", 15, False),
    (["null", "number"], "1,5", 15.0, False),
    (["null", "integer"], 1.7, 1, False),
    (["null", "integer"], "1.7", SchemaMismatch, False),
    (["string", "boolean", "null"], "no", "no", True),
    (["string", "integer"], "007", "007", True),
    (["boolean", "integer"], True, True, True),
)


def transformed(types, value):
    schema = {"type": "object", "properties": {"answer": {"type": list(types)}}}
    valid = Draft4Validator(schema).is_valid({"answer": value})
    try:
        with Transformer() as transformer:
            return transformer.transform({"answer": value}, schema)["answer"], valid
    except SchemaMismatch:
        return SchemaMismatch, valid


print(f"versions: singer-python {version('singer-python')}, jsonschema {version('jsonschema')}")
as_stated = True
for types, value, stated, allowed in CASES:
    seen, valid = transformed(types, value)
    shown = "an error" if seen is SchemaMismatch else repr(seen)
    print(f"expected: {repr(value) if valid else 'an error'} of {value!r} where {types} are allowed")
    print(f"seen:     {shown}")
    as_stated = as_stated and valid == allowed and type(seen) is type(stated) and seen == stated
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
