"""Alerts (O3): what is wrong becomes incidents, and who is to know of them is told."""
