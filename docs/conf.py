"""How Sphinx builds these pages: ``make docs``. Nothing here makes a request."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
# Airflow writes its configuration where it is first imported; that must not be the user's own installation.
os.environ.setdefault("AIRFLOW_HOME", str(DOCS.parent / ".build" / "airflow-docs"))
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
sys.path.insert(0, str(DOCS / "_ext"))

from airflow_provider_benchmarks import __version__

project = "airflow-provider-benchmarks"
copyright = "the authors of airflow-provider-benchmarks"
version = release = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "command_help",
    "provider_tables",
    "python_names",
    "repository_links",
    "schema_tables",
]
exclude_patterns = ["_ext", "_static"]

# Anchors as GitHub makes them, so that a link works there, too.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False

# Dashes only: descriptions in schemas have JSON, whose quotation marks must stay.
smartquotes_action = "D"

html_theme = "furo"
html_title = f"Benchmarks {version}"
html_static_path = ["_static"]
html_css_files = ["wide_tables.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "monokai"

# For make docs-links, which alone asks other hosts.
linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_ignore = [r"https?://(127\.0\.0\.1|localhost|evaluator\.example\.com)"]
