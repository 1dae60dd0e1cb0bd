"""The store: images decoded and resized once, with a manifest that says where each came from."""
