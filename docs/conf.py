"""The documentation site: `make docs`.

The source is the root of the repository, so that a link between two pages is the same on the site,
in an editor and on a forge, and no page has to be copied. Warnings are errors: a link to a page or
a heading that does not exist fails the build. `docs/site` has what only the site needs.
"""

from dataclasses import is_dataclass
from typing import Any

from pydantic import BaseModel

project = "charmill"
author = "the authors of charmill"
root_doc = "docs/index"
include_patterns = ["docs/**", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_heading_anchors = 3
smartquotes = False
default_role = "code"  # a name in single backticks in a docstring
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"exclude-members": "model_config"}
napoleon_use_ivar = True

viewcode_follow_imported_members = False  # a type alias would count as a module "builtins"

html_theme = "furo"
html_title = "charmill"
html_static_path = ["site/charmill.css"]
html_css_files = ["charmill.css"]
html_extra_path = ["site/index.html"]
html_copy_source = False
html_show_copyright = False
highlight_language = "text"  # of indented blocks: commands, not Python
pygments_style = "friendly"
pygments_dark_style = "monokai"


def _without_fields(
    _app: Any, what: str, _name: str, item: Any, _options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """Show a record without its signature, which would repeat the list of its fields."""
    if what == "class" and (is_dataclass(item) or issubclass(item, BaseModel)):
        return "", returns
    return None


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", _without_fields)
