#!/usr/bin/env bash
# Python's jmespath raises a TypeError for a comparison that is merely not true.
#
# JMESPath orders numbers only; a comparison of anything else has no value, which a filter takes for false.
# jmespath.js answers so for a number and a text. The Python library hands both to Python's own `<`, and a
# TypeError comes out, which is none of the library's errors, so that code which catches JMESPathError lets
# it through. One record with "n/a" for a price then ends a whole batch in Python, and is left out in
# JavaScript. A pipeline that lets users write templates or filters has to catch more than the library
# documents.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jmespath==1.1.0
npm install --silent --no-audit --no-fund --prefix "$work" jmespath@0.16.0
cd "$work"
node > js.json <<'JS'
const { version } = require('jmespath/package.json')
const items = [{ id: 1, price: 5 }, { id: 2, price: 'n/a' }, { id: 3, price: 50 }]
console.log(JSON.stringify([version, require('jmespath').search(items, '[?price < `10`].id')]))
JS
venv/bin/python - <<'PY'
import json
import sys
from pathlib import Path

import jmespath
from jmespath.exceptions import JMESPathError

items = [{"id": 1, "price": 5}, {"id": 2, "price": "n/a"}, {"id": 3, "price": 50}]
version, by_js = json.loads(Path("js.json").read_text())
try:
    by_python = jmespath.search("[?price < `10`].id", items)
except JMESPathError as error:
    by_python = f"an error of the library: {error}"
except TypeError as error:
    by_python = f"TypeError: {error}"
print(f"versions: jmespath (Python) {jmespath.__version__}, jmespath (JavaScript) {version}")
print("expected: [1], or an error of the library's own")
print(f"seen:     {by_js} from JavaScript")
print(f"seen:     {by_python} from Python")
as_stated = by_js == [1] and isinstance(by_python, str) and by_python.startswith("TypeError")
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
