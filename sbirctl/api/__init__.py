"""The program's calls for Python: the names that `import sbirctl` offers.

Everything here takes and returns plain values, calls the same functions as the command line, and
keeps its names by Semantic Versioning. docs/python.md shows each call.
"""
