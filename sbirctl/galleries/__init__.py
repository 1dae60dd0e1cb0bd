"""Galleries of one's own photos: indexing them, engines, and searching them."""
