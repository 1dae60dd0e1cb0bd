"""What training draws from: labelled subsets of a store, and batches of them."""
