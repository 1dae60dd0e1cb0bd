"""Layers and networks that models are built from."""
