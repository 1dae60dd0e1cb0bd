"""Images and texts to vectors without torch: exported models and what reads them."""
