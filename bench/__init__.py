"""Benchmarks: each runs both sides in one go, shows a table and ends with one line of JSON."""
