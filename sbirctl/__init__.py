"""sbirctl: sketch-based image retrieval, from raw archives to a number one can trust.

Nothing heavy is imported here: the stages and the registries import torch when they are used.
"""

__version__ = "0.1.0"
