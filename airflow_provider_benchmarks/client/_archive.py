"""Check a tar.gz while it passes: a login page, a zip or half an archive must not be stored as one."""

from __future__ import annotations

import tarfile
import zlib

from airflow_provider_benchmarks.brief import brief

_GZIP = b"\x1f\x8b"
#: Decompressed at a time, so that a small body that becomes gigabytes takes no more memory than others.
_STEP_BYTES = 1024 * 1024
#: A tar ends with two blocks of zeros.
_TAR_END = bytes(2 * tarfile.BLOCKSIZE)
#: What carries text of any kind; the service says application/x-tar or application/octet-stream.
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/xhtml")
_SHOWN_BYTES = 40


class NotAnArchive(ValueError):
    """The body is something else than a tar.gz; says what it is."""


class CutArchive(ValueError):
    """The body begins as a tar.gz and is damaged, or lacks its end."""


def refuse_text(content_type: str) -> None:
    """Refuse a body that says of itself that it is a page or another text.

    :raises NotAnArchive: it does
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith(_TEXT_TYPES) or kind.endswith(("+json", "+xml")):
        raise NotAnArchive(f'expected a tar.gz, found a body of type "{kind}"')


class ArchiveCheck:
    """Takes the pieces of a body one after the other; decompresses them, and keeps nothing."""

    def __init__(self) -> None:
        self._start = b""
        self._member = zlib.decompressobj(wbits=31)
        self._header = b""
        self._end = b""
        self._is_padding = False
        #: The last step gave all that it may: there can be more of what was taken in.
        self._has_more = False

    def add(self, piece: bytes) -> None:
        """Check the next piece.

        :raises NotAnArchive: the body is none
        :raises CutArchive: it is damaged here, or something follows its end
        """
        if len(self._start) < _SHOWN_BYTES:
            self._start += piece[: _SHOWN_BYTES - len(self._start)]
            if not self._start.startswith(_GZIP[: len(self._start)]):
                raise NotAnArchive(f"expected a tar.gz, found a body that begins {brief(self._start)}")
        while piece or self._has_more:
            piece = self._decompress(piece)

    def finish(self) -> None:
        """Check that the body has ended where the archive ends.

        :raises NotAnArchive: the body is none
        :raises CutArchive: its end is missing
        """
        if not self._start.startswith(_GZIP):
            raise NotAnArchive(f"expected a tar.gz, found a body that is {brief(self._start)}")
        if not self._member.eof:
            raise CutArchive("the archive is cut short: the end of its compression is missing")
        if len(self._header) < tarfile.BLOCKSIZE:
            raise NotAnArchive("expected a tar.gz, found something else that is compressed with gzip")
        if self._end != _TAR_END:
            raise CutArchive("the archive is cut short: the end of the tar is missing")

    def _decompress(self, piece: bytes) -> bytes:
        """Decompress some of a piece. Returns what is left of it."""
        if self._member.eof:
            return self._next_member(piece)
        try:
            content = self._member.decompress(piece, _STEP_BYTES)
        except zlib.error as error:
            raise CutArchive(f"the archive is damaged ({error})") from error
        self._note(content)
        self._has_more = len(content) == _STEP_BYTES and not self._member.eof
        return self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def _next_member(self, piece: bytes) -> bytes:
        """A gzip may go on with another, and be padded with zeros."""
        if self._is_padding or piece[:1] == b"\0":
            self._is_padding = True
            if rest := piece.lstrip(b"\0"):
                raise CutArchive(f"after the archive's end something else follows, {brief(rest[:_SHOWN_BYTES])}")
            return b""
        if piece[:1] != _GZIP[:1]:
            raise CutArchive(f"after the archive's end something else follows, {brief(piece[:_SHOWN_BYTES])}")
        self._member = zlib.decompressobj(wbits=31)
        return piece

    def _note(self, content: bytes) -> None:
        self._end = (self._end + content[-len(_TAR_END) :])[-len(_TAR_END) :]
        if len(self._header) < tarfile.BLOCKSIZE:
            self._header += content[: tarfile.BLOCKSIZE - len(self._header)]
            if len(self._header) == tarfile.BLOCKSIZE:
                _require_tar(self._header)


def _require_tar(header: bytes) -> None:
    if not any(header):  # of an archive without files
        return
    try:
        tarfile.TarInfo.frombuf(header, tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError as error:
        raise NotAnArchive(
            f"expected a tar.gz, found something else that is compressed with gzip, and begins "
            f"{brief(header[:_SHOWN_BYTES])}"
        ) from error
