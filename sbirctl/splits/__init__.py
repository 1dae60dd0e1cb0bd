"""Class lists: finding, reading and checking them. The lists themselves are data in `splits/`."""
