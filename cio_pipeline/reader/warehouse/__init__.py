"""A DuckDB warehouse that loads itself from delivered feeds, each manifest once (O6)."""
