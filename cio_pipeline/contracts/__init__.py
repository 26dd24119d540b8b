"""The single source of truth: exports, columns, keys, history policy and source tables.

Everything else - Arrow schemas, Polars dtypes, Dagster column metadata, documentation - is
derived from the declarations here and never written by hand.
"""
