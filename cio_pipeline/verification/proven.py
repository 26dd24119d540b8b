"""What an earlier verification proved of a sync: the next one goes on from there (D10)."""

import base64
import gzip
import json
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Proven:
    """A file with the manifests whose objects were read and found whole, with all before them.

    It is this machine's own, and saves time only: the last of them is compared with the bucket's,
    by its hash all others are with it, and their sizes with the bucket's. A file that cannot be
    read or written is as good as none.
    """

    path: Path

    def bodies(self) -> Mapping[int, bytes]:
        """The manifests by ordinal; none if nothing was proven yet."""
        try:
            with gzip.open(self.path, "rt", encoding="ascii") as lines:
                return {number: base64.b64decode(body) for number, body in map(json.loads, lines)}
        except (OSError, EOFError, ValueError, TypeError, zlib.error):
            return {}

    def forget(self) -> None:
        """Let the next verification begin at the start."""
        self.path.unlink(missing_ok=True)

    def keep(self, bodies: Iterable[tuple[int, bytes]], *, anew: bool) -> None:
        """Add manifests, or begin `anew` with them."""
        lines = [f"{json.dumps([n, base64.b64encode(body).decode()])}\n" for n, body in bodies]
        if not lines and not anew:
            return
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            mode = "wt" if anew else "at"
            with gzip.open(self.path, mode, encoding="ascii") as file:
                file.writelines(lines)
