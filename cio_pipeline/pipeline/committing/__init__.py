"""Committing what was delivered: each sync's next manifest, stored and put."""
