"""Embeddings, exact ranking, metrics and their published definitions, statistics. NumPy only."""
