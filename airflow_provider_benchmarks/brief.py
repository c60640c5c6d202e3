"""Values and texts of others in messages: short, whatever they are."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable
from itertools import islice
from typing import Any

from airflow_provider_benchmarks.masking import masked

_MOST_CHARACTERS = 200
_MOST_NAMES = 20
#: Number of characters in which secrets are searched, of a text that is cut: more than any secret has.
_MOST_SEARCHED = 16_384
#: Number of names, and of characters of each, among which a similar one is searched: that takes time.
_MOST_CANDIDATES, _MOST_COMPARED = 1000, 100


class _Brief(reprlib.Repr):
    """Python's own short forms: of lists and mappings the first members, of each text its beginning and its end."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 10
        self.maxstring = self.maxlong = self.maxother = 80
        self.fillvalue = "…"

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """In the author's order, which Python's own would sort."""
        if level <= 0 and x:
            return f"{{{self.fillvalue}}}"
        shown = [f"{self.repr1(key, level - 1)}: {self.repr1(x[key], level - 1)}" for key in islice(x, self.maxdict)]
        return f"{{{', '.join([*shown, self.fillvalue] if len(x) > len(shown) else shown)}}}"

    def repr_str(self, x: str, level: int) -> str:
        # A secret is masked before it could be cut in two.
        return super().repr_str(masked(x[:_MOST_SEARCHED]) + x[_MOST_SEARCHED:], level)

    def repr_int(self, x: int, level: int) -> str:
        # Python writes no number of more than 4,300 digits.
        return super().repr_int(x, level) if x.bit_length() < 4096 else f"a whole number of {x.bit_length()} bits"


_BRIEF = _Brief()


def brief(value: Any) -> str:
    """Show a value as Python writes it."""
    return shortened(_BRIEF.repr(value))


def shortened(text: object, limit: int = _MOST_CHARACTERS) -> str:
    """Show a text, or what an error says, as it is, and any other value as Python writes it."""
    text = str(text) if isinstance(text, str | Exception) else _BRIEF.repr(text)
    if len(text) > limit:
        text = masked(text[: limit + _MOST_SEARCHED]) + text[limit + _MOST_SEARCHED :]
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def followed(words: str, sentence: str) -> str:
    """Words with a sentence after them, where there is one."""
    if not sentence:
        return words
    return f"{words} {sentence}" if words.endswith(("?", ".")) else f"{words}. {sentence}"


def brief_names(names: Iterable[object]) -> str:
    """Show names, separated by commas."""
    shown = [shortened(name, 80) for name in names]
    more = f" and {len(shown) - _MOST_NAMES:,} more" if len(shown) > _MOST_NAMES else ""
    return ", ".join(shown[:_MOST_NAMES]) + more


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """A sentence that names what is most like a name that is not there; empty where nothing is.

    :param names: those that there are
    """
    if not isinstance(name, str) or len(name) > _MOST_COMPARED:
        return ""
    first: Iterable[object] = islice(names, _MOST_CANDIDATES)
    candidates = [each for each in first if isinstance(each, str) and len(each) <= _MOST_COMPARED]
    close = [each for each in candidates if each.lower() == name.lower()]
    close = close or difflib.get_close_matches(name, candidates, n=1)
    return f'. Did you mean "{close[0]}"?' if close else ""
