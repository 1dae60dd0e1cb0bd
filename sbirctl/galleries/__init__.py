"""Galleries of one's own photos: indexing them, engines, drawings as queries."""
