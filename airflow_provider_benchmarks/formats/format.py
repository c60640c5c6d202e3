"""What a format of row scores has to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from airflow_provider_benchmarks.scores.completeness import RowCheck

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """How a file of row scores is written.

    :param compression: ``gzip`` or ``zstd`` (extra ``parquet``) for JSONL; for Parquet ``zstd``, which it is when None,
        or ``snappy``: a sixth less processor time, in files half again as large
    :param with_sample: keep the model's outputs in Parquet and CSV, as JSON text; None for a column only where a row
        has one. JSONL always has them
    :param neutralise_formulas: in CSV, put an apostrophe before texts that a spreadsheet would run as a formula
    """

    compression: str | None = None
    with_sample: bool | None = False
    neutralise_formulas: bool = True


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file to read.

    :param file: opened, at its beginning
    :param path: for messages
    :param kind: what :meth:`Format.sniff` has found
    :param values: columns that the file does not have, with the value that they have in all its rows: those that the
        name of its folder holds
    """

    file: BinaryIO
    path: str
    kind: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


class Format(ABC):
    """A format of files of row scores; it keeps no state.

    One that is written by column derives from :class:`~airflow_provider_benchmarks.formats.table_format.TableFormat`.
    """

    name: ClassVar[str]
    #: As a sentence has it.
    title: ClassVar[str]
    #: How files begin, each with what such a file is called: the name of the format, or of a compression.
    beginnings: ClassVar[Mapping[bytes, str]]
    #: A file that is not compressed may begin with anything: of a text no beginning is wrong.
    is_text: ClassVar[bool] = False
    #: Values of ``compression``.
    compressions: ClassVar[tuple[str, ...]] = ()

    def sniff(self, start: bytes) -> str:
        """Name what a file is that begins so; empty if it is not of this format.

        :param start: its first 16 bytes, or all where it has fewer
        """
        return next((kind for beginning, kind in self.beginnings.items() if start.startswith(beginning)), "")

    def kind(self, compression: str | None) -> str:
        """Name what :meth:`sniff` finds in a file that is written with this compression."""
        return self.name

    @abstractmethod
    def require(self, compression: str | None) -> None:
        """Refuse to write where something is not installed.

        :raises ConfigurationError: names it, and the extra to install
        """

    @abstractmethod
    def writing(
        self, target: BinaryIO, check: RowCheck, options: WriteOptions
    ) -> AbstractContextManager[Callable[[bytes], None]]:
        """Write a file. The context returns a function that takes blocks of whole JSONL lines, as the service has them.

        The file is complete when the context has ended without an error.

        :param check: takes the rows as they come
        :raises IncompleteResults: a line is not a row; says which
        """

    @abstractmethod
    def read(self, files: Iterable[RowFile], columns: Sequence[str] | None, path: str) -> pd.DataFrame:
        """Load files of the same rows' scores into one frame, in the order of the files.

        :param files: opened one after another; of a format that no folder can have there is only one
        :param columns: only these; None for all
        :param path: of all files together, for messages
        :raises ConfigurationError: there is no such column, or nothing that reads it is installed
        :raises IncompleteResults: a file is damaged
        """

    @abstractmethod
    def count_rows(self, file: BinaryIO, compression: str | None) -> int:
        """Count the rows of a file, after checking that they are row scores.

        :raises IncompleteResults: the file is damaged, or holds something else, or a row twice; so do ValueError,
            EOFError, zlib.error and Arrow's own OSError say
        """

    def lines(self, file: BinaryIO, compression: str | None) -> Iterator[bytes] | None:
        """Give the rows of a file as whole JSONL lines; None if this format does not keep the types of their values.

        :raises IncompleteResults: the file is damaged
        """
        return None
