"""Where source rows come from and how they get there.

An adapter fulfils `ports.Source`; the write side creates tables, loads files into them and
reports their state. Nothing here reads the environment or a clock: callers pass what is needed.
"""
