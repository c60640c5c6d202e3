"""What a reader sees of a page in HTML."""

from __future__ import annotations

import html
import re


def texts_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
