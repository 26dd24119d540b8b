"""The source tables, grouped like the exports that are computed from them."""
