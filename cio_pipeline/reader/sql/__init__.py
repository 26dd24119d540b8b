"""What a team runs in its own warehouse, by dialect: tables, loads, newest rows, erasure (O6)."""
