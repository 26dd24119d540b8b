"""Names for what the protocols are told in."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""The current time, aware UTC."""

Pair: TypeAlias = tuple[str, str]
"""(sync id, export name)."""
