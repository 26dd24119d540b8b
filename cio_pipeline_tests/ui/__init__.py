"""The Dagster UI in a real browser, on real processes."""
