"""How Sphinx makes the pages; ``make docs`` writes them to ``docs/_build/html``, offline."""

from structprobe import __version__

project = "structprobe"
author = "The structprobe developers"
copyright = "the structprobe developers; the text is under the MIT licence"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
myst_heading_anchors = 3

# What stands in single backticks in a docstring becomes a link where there is something to link to.
default_role = "autolink"
autosummary_generate = True
# Shapes and types stand in the docstrings, where a reader wants them.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
nitpicky = True
# In docstrings such backticks hold an argument or attribute too, which has no page to link to.
nitpick_ignore_regex = [("py:obj", ".*")]

html_theme = "pydata_sphinx_theme"
html_title = f"structprobe {release}"
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": True,
    "show_prev_next": True,
    "navbar_end": ["theme-switcher"],
}
# Only the reference has pages below its own: elsewhere the column would stand empty.
html_sidebars = {"[!r]*": [], "recipe": [], "reference/commands": []}
