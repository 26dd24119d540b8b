"""Tests of destinations; one suite for all of them."""
