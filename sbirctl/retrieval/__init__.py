"""Embeddings, exact ranking, metrics and their published definitions, statistics; without torch."""
