"""The site that `make docs` builds of this folder, with Sphinx; a dead link ends the build."""

from __future__ import annotations

from evavos_widget.version import VERSION

project = "evavos-widget"
author = "The evavos-widget developers"
copyright = author  # Sphinx has this name for it
release = version = VERSION

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinxarg.ext",
]
exclude_patterns = ["_build"]
default_role = "py:obj"
# Several classes have a `name`: a type of that name in a docstring is no link.
suppress_warnings = ["ref.python"]

# MyST: headings can be linked to, formulas are written between dollar signs.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# The docstrings are in NumPy style; what a module exports is what is public.
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_class_signature = "mixed"

html_theme = "pydata_sphinx_theme"
html_title = f"evavos-widget {VERSION}"
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"index": []}
copybutton_exclude = ".linenos, .gp, .go"
