"""Fixtures that tests of several areas share."""

pytest_plugins = ["support.postgres", "support.skips"]
