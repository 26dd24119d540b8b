"""The exports as data, one module per group of related ones.

A module here holds declarations only: names, types, descriptions, keys. What is computed
from them (schemas, fingerprints, documentation) lives beside this package.
"""
