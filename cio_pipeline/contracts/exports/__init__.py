"""The exports as data, one module per group of related ones.

A module here holds declarations only: names, types, words of the seeds, keys. What is computed
from them (schemas, fingerprints, documentation) lives beside this package.
"""
