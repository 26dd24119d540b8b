"""What reading a row may raise: apart from `failures`, which need no dataframes."""

from polars.exceptions import PanicException

UNREADABLE = (Exception, PanicException)
"""What reading a row may raise, whatever it holds: a panic of Rust is no `Exception` (D23)."""
