"""Runs of others: packed into one file, on the hub, and what came from where."""
