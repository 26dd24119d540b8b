"""Everything that Dagster sees; the only code that imports it.

Assets, partitions, resources, the IO manager, checks, sensor and jobs. No module here decides
what is sent: each turns a Dagster context into the arguments of a use case and back.
"""
