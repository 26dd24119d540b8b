"""A simulated messaging platform that writes the 15 source tables: history, then commits.

The simulation is one endless timeline that is a pure function of (seed, size, origin). Every
thing has a key from which all chance is drawn, and every table's state at a moment follows from
that key and the moment alone. A commit therefore keeps no state but the time of the last one: it
asks which rows changed in `[start, end)`.
"""
