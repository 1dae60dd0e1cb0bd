"""Drawings as strokes: reading and rendering them."""
