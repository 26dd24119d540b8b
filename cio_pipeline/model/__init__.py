"""Values that every layer shares: windows, cuts, plans, manifests, syncs, errors.

Nothing here reads a clock, a file, the environment or a network.
"""
