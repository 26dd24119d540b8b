"""Faults from outside: killed processes, full disks, zombies, two runs at a time."""
