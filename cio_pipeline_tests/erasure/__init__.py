"""Erasing a person from what was delivered."""
