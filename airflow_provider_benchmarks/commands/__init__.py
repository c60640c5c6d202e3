"""The commands of ``python -m airflow_provider_benchmarks``: one module each, with ``NAME``, ``add`` and ``run``."""

from __future__ import annotations
