"""A dlt pipeline of one table, run by a Python that has dlt; prints what it cost as JSON.

`python of_dlt.py URL FOLDER BACKEND COLUMN,COLUMN`
"""

# pyright: basic, reportMissingImports=false

import json
import os
import resource
import sys
import time


def _cpu() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))


def main() -> None:
    """Everything but importing dlt is measured."""
    url, folder, backend, names = sys.argv[1:]
    os.chdir(folder)
    import dlt  # noqa: PLC0415 - of the other Python
    from dlt.sources.sql_database import sql_table  # noqa: PLC0415 - the same

    begun, wall = _cpu(), time.monotonic()
    table = sql_table(
        url,
        table="metrics",
        backend=backend,
        included_columns=names.split(","),
        chunk_size=50_000,
    )
    to = dlt.destinations.filesystem(bucket_url=f"file://{folder}/bucket")
    pipeline = dlt.pipeline(
        "metrics", pipelines_dir=f"{folder}/state", destination=to, dataset_name="sent"
    )
    pipeline.run(table, loader_file_format="parquet")
    rows = pipeline.last_trace.last_normalize_info.row_counts["metrics"]
    told = {"cpu": _cpu() - begun, "wall": time.monotonic() - wall, "rows": rows}
    sys.stdout.write(f"\n{json.dumps(told)}\n")


if __name__ == "__main__":
    main()
