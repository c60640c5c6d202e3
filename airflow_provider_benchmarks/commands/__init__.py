"""The commands of ``benchmarks``: one module each, with ``NAME``, ``FAILURE``, ``EXAMPLE``, ``add`` and ``run``."""

from __future__ import annotations
