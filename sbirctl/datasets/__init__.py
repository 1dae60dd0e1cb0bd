"""Data sets (one file each), tasks, batch plans."""
