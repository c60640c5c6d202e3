"""Links to files of the repository, which a reader on GitHub follows there, and a reader of the built pages here.

A page that includes a file (``docs/contributing.md`` has ``CONTRIBUTING.md``) is where links to that file lead. Other
files can be downloaded. A link to what is not there is left as it is, for Sphinx to complain of.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

_LINK = re.compile(r"(?<=\]\()(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")
_INCLUDE = re.compile(r"^```\{(?:include|literalinclude)\} (\S+)", re.MULTILINE)
_OUTSIDE = re.compile(r"[a-z]+:")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Change the links of each page, and of what it includes, as they are read."""
    app.connect("source-read", _read_page)
    app.connect("include-read", _read_included)
    return {"parallel_read_safe": True}


def _read_page(app: Sphinx, docname: str, content: list[str]) -> None:
    content[0] = _linked(app, Path(app.env.doc2path(docname)).parent, content[0])


def _read_included(app: Sphinx, path: Path, _docname: str, content: list[str]) -> None:
    content[0] = _linked(app, (Path(app.srcdir) / path).parent, content[0])


def _linked(app: Sphinx, folder: Path, text: str) -> str:
    source = Path(app.srcdir).resolve()

    def target(link: re.Match[str]) -> str:
        path, anchor = link["path"], link["anchor"] or ""
        if _OUTSIDE.match(path):
            return link.group()
        file = (folder / path).resolve()
        page = file if file.is_relative_to(source) else _pages(source).get(file)
        if page is None:
            return os.path.join("/", os.path.relpath(file, source)) if file.is_file() else link.group()
        return f"/{page.relative_to(source)}{anchor}"

    return _LINK.sub(target, text)


@cache
def _pages(source: Path) -> dict[Path, Path]:
    """The page of each file of the repository that a page includes."""
    pages = {}
    for page in sorted(source.rglob("*.md")):
        for included in _INCLUDE.findall(page.read_text(encoding="utf-8")):
            pages[(page.parent / included).resolve()] = page
    return pages
