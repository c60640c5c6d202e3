"""Find secrets in a text, however it writes them: a service or a gateway may echo what it was sent in any encoding."""

from __future__ import annotations

import base64
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from html.entities import html5

from airflow_provider_benchmarks.inert import SEQUENCE

HIDDEN = "***"
#: A shorter value is not masked: it may well be a part of any word, and hardly protects anything.
MIN_CHARACTERS = 6
#: What may split a secret, and is dropped or hardly seen where a text is shown: sequences of a terminal, control
#: characters, ends of lines with the indentation behind them, and characters without a width.
_SPLITTER = re.compile(
    # Where backslashes are escapes, that of a sequence's end is gone.
    rf"\x1b[]PX^_][^\x07\x1b\x90\x98\x9c-\x9f]*\x1b(?!\\)|{SEQUENCE.pattern}|\n[ \t]*"
    r"|[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
#: What HTML has names for, of the signs that a secret may have, or that may split one.
_NAMED = {
    name.removesuffix(";"): sign
    for name, sign in html5.items()
    if name.endswith(";") and len(sign) == 1 and ((sign.isascii() or sign.isspace()) or _SPLITTER.match(sign))
}
#: Blanks, as HTML, forms and what breaks lines anew write them.
_BLANK = re.compile(r"[\s+]++")
#: The same, and what JSON makes of them.
_ESCAPED_BLANK = re.compile(r"(?:[\s+]|\\++(?:[nrt]|u00[aA]0))++")
#: What stands for another character: with the percent sign or the backslash encoded as often as one likes.
_ESCAPE = re.compile(
    r"%(?:25)*(?P<percent>[0-9A-Fa-f]{2})"
    r"|(?<!\\)\\++(?:u(?P<json>[0-9A-Fa-f]{4})|x(?P<python>[0-9A-Fa-f]{2})|(?P<itself>.))"
    r"|&(?:amp;)*(?:#0*+(?P<decimal>[0-9]{1,7})(?![0-9]);?|#[xX]0*+(?P<hex>[0-9A-Fa-f]{1,6})(?![0-9A-Fa-f]);?"
    rf"|(?P<named>{'|'.join(_NAMED)});)"
)
#: What a backslash makes of a letter in JSON; of any other character it makes that itself.
_AFTER_BACKSLASH = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
#: ... where it is a backslash itself, of which the escape is a part.
_AS_ITSELF: Mapping[str, str] = {}
#: Ends of lines behind blanks, and those of HTML, and what a text with one has: most have none.
_HTML_LINE_END = r"<w?[bB][rR][ \t]*+/?>\n?"
_ODD_LINE_END = re.compile(rf"(?<![ \t])(?:[ \t]++(?:\r?\n|{_HTML_LINE_END})|{_HTML_LINE_END})")
_ODD_LINE_END_SIGNS = (" \n", " \r", "\t\n", "\t\r", "<b", "<B", "<w")
#: Blanks before an end of a line that is an escape of JSON.
_BLANKS_AT_END = re.compile(r"(?<!\x20)\x20++(?=\\++[nrt])")
#: The same as escapes of JSON, in whatever depth; of sequences those that nearly all logs with colours have. It begins
#: with one certain character, for which a text is searched ten times as fast as for several.
_ESCAPED_SPLITTER = re.compile(
    r"\\(?<!\\\\)\\*+(?:(?:u00|x)1[bB](?:\[[0-?]*[ -/]*[@-~]|\][^\\\x22]*\\+u00(?:07|1[bB]\\+))|n[ ]*|[bfrt]"
    r"|(?:u00|x)(?:0[0-9A-Fa-f]|1[0-9AaC-Fc-f]|7[fF]|8[0-9A-Fa-f]|[aA][dD])"
    r"|u(?:20[0-6][0-9A-Fa-f]|[fF][eE](?:[fF][fF]|0[0-9A-Fa-f])|[fF]{2}[aA]0|034[fF]|061[cC]|115[fF]|1160|17[bB][45]"
    r"|180[b-eB-E]|3164))"
)
#: Splitters that Python takes for printable.
_PRINTABLE_SPLITTER = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0]")
_PERCENT_SPLITTER = re.compile(r"%(?:25)*(?:[01][0-9A-Fa-f]|7[fF])")
#: The beginning of another sequence: all escapes must be decoded to find its end.
_OTHER_SEQUENCE = re.compile(r"\\(?:u00|x)(?:1[bB]|9[0-9A-Fa-f])")
#: Encodings within each other that are taken off.
_MAX_LEVELS = 4


class Mask:
    """Finds secrets in texts.

    :param secrets: as they are sent
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        plain = {*secrets}
        encoded = {each for secret in plain for each in (*_in_base64(secret), *_in_hexadecimal(secret))}
        self._needles = _longest_first(plain | encoded)
        self._without_blanks = _longest_first(_BLANK.sub("", each) for each in plain if len(each.split()) > 1)
        # A secret may have what looks like an escape itself, which is decoded with the text.
        unescaped = {*self._needles, *(view[-1].text for each in self._needles for view in _views(each))}
        in_bytes = {_as_bytes(each).decode("latin-1") for each in unescaped if not each.isascii()}
        self._unescaped_needles = _longest_first(unescaped | in_bytes)
        self._signs = _signs_of_escapes("".join(self._needles))

    def __bool__(self) -> bool:
        return bool(self._needles)

    def __call__(self, text: str) -> str:
        if not self._needles:
            return text
        if not (self._may_be_escaped(text) or self._may_be_split(text, is_json=False) or self._has_blanks(text)):
            for needle in self._needles:
                if needle in text:
                    text = text.replace(needle, HIDDEN)
            return text
        # All are found before any is replaced: one may be a part of another, of which the rest would be left.
        spans = [span for needle in self._needles for span in _spans(text, needle)]
        for view in _views(text):
            spans += _spans_of(self._unescaped_needles, view)
        for view in ([], *_views(text)) if self._without_blanks else ():
            joined = _Rewritten(view[-1].text if view else text, _BLANK, lambda _: "")
            spans += _spans_of(self._without_blanks, [*view, joined])
        return _without(text, spans) if spans else text

    def may_find_in_json(self, text: str) -> bool:
        """False for nearly all texts, in the time of a few searches: no value of the JSON has a secret."""
        return any(each in text for each in self._needles) or (
            bool(self)
            and (self._may_be_escaped(text) or self._may_be_split(text, is_json=True) or self._has_blanks(text))
        )

    def _has_blanks(self, text: str) -> bool:
        """True if a secret of several words is there, whatever the blanks between them."""
        return bool(self._without_blanks) and any(each in _ESCAPED_BLANK.sub("", text) for each in self._without_blanks)

    def _may_be_escaped(self, text: str) -> bool:
        """False for nearly all texts: to decode all escapes of a log takes long."""
        return any(first in text and sign.search(text) is not None for first, sign in self._signs.items())

    def _may_be_split(self, text: str, *, is_json: bool) -> bool:
        # In JSON the control characters of ASCII, but for the last, are escapes.
        joined = _with_plain_line_ends(text)
        is_plain = (is_json and joined.isascii() and "\x7f" not in joined) or _is_plain(joined)
        joined = joined if is_plain and joined is text else _SPLITTER.sub("", joined)
        joined = _BLANKS_AT_END.sub("", joined) if " \\" in joined else joined
        joined = _ESCAPED_SPLITTER.sub("", joined) if "\\" in joined else joined
        joined = _PERCENT_SPLITTER.sub("", joined) if "%" in joined else joined
        is_shorter = len(joined) < len(text)
        return (is_shorter and any(each in joined for each in self._needles)) or (
            "\\" in joined and _OTHER_SEQUENCE.search(joined) is not None
        )


class _Rewritten:
    """A text with what a pattern finds replaced, and where each of its characters comes from."""

    def __init__(self, text: str, pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str]) -> None:
        pieces: list[str] = []
        #: Of each piece: where it begins here, and where in the original. Every second one is a replacement.
        self._here: list[int] = []
        self._there: list[int] = []
        here = there = 0
        for found in pattern.finditer(text):
            pieces += [text[there : found.start()], replacement(found)]
            self._here += [here, here + found.start() - there]
            self._there += [there, found.start()]
            here += found.start() - there + len(pieces[-1])
            there = found.end()
        pieces.append(text[there:])
        self._here.append(here)
        self._there.append(there)
        self.text = "".join(pieces)
        self.is_changed = len(pieces) > 1

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where the characters of a span are in the original, with whole escapes."""
        return self._original(start, is_end=False), self._original(end - 1, is_end=True)

    def _original(self, place: int, *, is_end: bool) -> int:
        piece = bisect_right(self._here, place) - 1
        if piece % 2:  # a replacement, of one character: empty ones are passed over
            return self._there[piece + 1] if is_end else self._there[piece]
        return self._there[piece] + place - self._here[piece] + is_end


#: How a text is rewritten, step by step.
_View = list[_Rewritten]


def _views(text: str) -> Iterator[_View]:
    """Ways to read a text: with escapes decoded, as often as they come out of each other, and without splitters."""
    for levels in (_levels(text), _levels(text, _AS_ITSELF)):
        for number in range(len(levels) + 1):
            view = levels[:number]
            if view:
                yield view
            found = view[-1].text if view else text
            if any(sign in found for sign in _ODD_LINE_END_SIGNS):
                view = [*view, _Rewritten(found, _ODD_LINE_END, lambda _: "\n")]
            whole = _Rewritten(view[-1].text if view else text, _SPLITTER, lambda _: "")
            if whole.is_changed:
                yield [*view, whole]


def _is_plain(text: str) -> bool:
    return text.isprintable() and (text.isascii() or _PRINTABLE_SPLITTER.search(text) is None)


def _with_plain_line_ends(text: str) -> str:
    """The very same text where all are plain."""
    if not any(sign in text for sign in _ODD_LINE_END_SIGNS):
        return text
    return _ODD_LINE_END.sub("\n", text)


def _spans_of(needles: Iterable[str], view: _View) -> Iterator[tuple[int, int]]:
    """Where needles are in the original of a view."""
    return (_in_original(span, view) for needle in needles for span in _spans(view[-1].text, needle))


def _in_original(span: tuple[int, int], view: _View) -> tuple[int, int]:
    for step in reversed(view):
        span = step.original(*span)
    return span


def _signs_of_escapes(characters: str) -> dict[str, re.Pattern[str]]:
    """What a text has that writes some of the characters as escapes, by what that begins with."""
    unicode, digits = ("u00", "[2-7]") if characters.isascii() else ("u", "")
    signs = {each for each in characters if not each.isalnum()}
    special = re.escape("".join(sorted(signs)))
    itself = rf"|[{special}]" if special else ""
    named = "|".join(name for name, sign in _NAMED.items() if sign in signs | {*"&<>\"'"} or not sign.isascii())
    return {
        "%": re.compile(f"%{digits}"),
        "&": re.compile(f"&(?:#|(?:{named});)"),
        "\\": re.compile(rf"\\(?:(?:{unicode}|x){digits}{itself})"),
    }


def _levels(text: str, after_backslash: Mapping[str, str] = _AFTER_BACKSLASH) -> _View:
    """Decode escapes, and those that come out of it, as of JSON in a URL in HTML.

    :param after_backslash: what a backslash makes of a letter
    """
    levels: _View = []
    decoded = partial(_character, after_backslash=after_backslash)
    while len(levels) < _MAX_LEVELS and (level := _Rewritten(text, _ESCAPE, decoded)).is_changed:
        levels.append(level)
        text = level.text
    return levels


def _spans(text: str, needle: str) -> Iterator[tuple[int, int]]:
    start = text.find(needle)
    while start >= 0:
        yield start, start + len(needle)
        start = text.find(needle, start + len(needle))


def _character(escape: re.Match[str], *, after_backslash: Mapping[str, str]) -> str:
    kind, value = escape.lastgroup, escape[escape.lastgroup or 0]
    if kind == "itself":
        return after_backslash.get(value, value)
    if kind == "named":
        return _NAMED[value]
    number = int(value, 10 if kind == "decimal" else 16)
    return chr(number) if number < 0x110000 else "\ufffd"


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    pieces, done = [], 0
    for start, end in sorted(spans):
        if start >= done:
            pieces += [text[done:start], HIDDEN]
        done = max(done, end)
    return "".join([*pieces, text[done:]])


def _in_base64(secret: str) -> Iterator[str]:
    """How base64 writes a text, whatever stands before and behind it, in both alphabets."""
    for before in range(3):
        content = b"\0" * before + _as_bytes(secret)
        whole = base64.b64encode(content).decode()[-(-before * 8 // 6) : len(content) * 8 // 6]
        yield from {whole, whole.replace("+", "-").replace("/", "_")}


def _in_hexadecimal(secret: str) -> Iterator[str]:
    digits = _as_bytes(secret).hex()
    yield from (digits, digits.upper())


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _longest_first(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted((each for each in texts if len(each) >= MIN_CHARACTERS), key=len, reverse=True))
