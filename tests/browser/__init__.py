"""Tests with a real browser on a real server."""
