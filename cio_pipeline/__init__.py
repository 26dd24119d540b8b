"""A data-out feed for every workspace of a messaging platform, on tables that you own."""

__version__ = "0.1.0"
