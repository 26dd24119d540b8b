"""What a sync's data contract asks of rows (O1, O2): whether it can hold, and expressions.

Both kinds of feeds that have rows use it: exports as lazy frames, calls as tables.
"""
