"""A paper's tables and figures made again: what they need, the runs, and the page."""
