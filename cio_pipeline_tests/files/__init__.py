"""Tests of names, spool and encoding."""
