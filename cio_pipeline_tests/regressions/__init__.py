"""Bugs that were found by convergence, one small test each."""
