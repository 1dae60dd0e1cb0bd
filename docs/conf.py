"""How Sphinx makes the documentation site of these pages: `make docs`.

Sphinx, because it is kept up and its search works from a folder without a script from elsewhere;
MkDocs has had no release since 2024, and its successor Zensical is not at 1.0 yet.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

import sbirctl  # noqa: E402

project = "sbirctl"
author = "The sbirctl maintainers"
copyright = "The sbirctl maintainers, MIT licence"
version = release = sbirctl.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "command_pages",
    "house_style",
]
exclude_patterns = ["_ext"]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
default_role = "literal"  # single backquotes in docstrings are code
napoleon_numpy_docstring = False
napoleon_use_ivar = True
viewcode_line_numbers = True

html_theme = "furo"
html_title = f"sbirctl {release}"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
