"""Answers the fleet frontend from the local database."""
