"""Stores that receive files, behind `ports.Destination`.

Each destination is one module; what they share is small functions over keys and paths.
"""
