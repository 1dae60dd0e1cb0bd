"""Drawings: strokes, SVG, photographed paper, and where they stand on their sheets."""
