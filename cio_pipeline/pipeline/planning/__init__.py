"""Deciding what each sync gets in a window, and freezing it before anything is read."""
