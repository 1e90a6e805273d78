"""Runs: folders that remember, and processes that compute."""
