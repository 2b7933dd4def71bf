"""The documentation site: `make docs`.

The source is the root of the repository, so that a link between two pages is the same on the site,
in an editor and on a forge, and no page has to be copied. Warnings are errors: a link to a page or
a heading that does not exist fails the build. `docs/site` has what only the site needs.
"""

project = "charmill"
author = "the authors of charmill"
root_doc = "docs/index"
include_patterns = ["docs/**", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_heading_anchors = 3
smartquotes = False
default_role = "code"  # a name in single backticks in a docstring
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "undoc-members": True}
napoleon_use_ivar = True

html_theme = "furo"
html_title = "charmill"
html_static_path = ["site/charmill.css"]
html_css_files = ["charmill.css"]
html_extra_path = ["site/index.html"]
html_copy_source = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
