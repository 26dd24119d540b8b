"""fastparquet, in an environment without pyarrow: files on standard input."""

from typing import Any

import fastparquet  # pyright: ignore[reportMissingImports]
import pandas as pd  # pyright: ignore[reportMissingImports]
from canonical import Columns, tell


def _plain(value: Any) -> object:
    if isinstance(value, list):
        return value
    if hasattr(value, "tolist") and not isinstance(value, pd.Timestamp):
        return value.tolist()
    if value is pd.NaT or value is pd.NA or value is None:
        return None
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


def read(path: str) -> Columns:
    """Columns of a file; nulls stay nulls where columns are read as pandas' nullable types."""
    frame = fastparquet.ParquetFile(path, pandas_nulls=True).to_pandas()
    return {name: [_plain(value) for value in frame[name].array] for name in frame.columns}


tell(read)
