"""A page about feeds, from their buckets: what came when, and what became of the messages."""
