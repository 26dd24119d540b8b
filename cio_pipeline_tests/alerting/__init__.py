"""Alerts (O3): incidents, their way to real servers, and the daemon's ping."""
