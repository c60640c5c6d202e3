"""What the URLs of storages need, told before anything is opened: while DAGs are parsed, nothing heavy is imported."""

from __future__ import annotations

from importlib.util import find_spec

from airflow_provider_benchmarks.extras import missing
from airflow_provider_benchmarks.scores.local_paths import scheme_of

#: Of each scheme: the extra, the library, and the provider that makes Airflow know it.
_STORAGES = {
    **dict.fromkeys(("s3", "s3a"), ("s3", "s3fs", "airflow.providers.amazon")),
    **dict.fromkeys(("gs", "gcs"), ("gcs", "gcsfs", "airflow.providers.google")),
    **dict.fromkeys(("abfs", "abfss", "adl"), ("azure", "adlfs", "airflow.providers.microsoft.azure")),
}


def storage_problem(url: str, *, through_airflow: bool = True) -> str | None:
    """Why a URL can't be opened here, and what to do; None where nothing is known that is against it.

    :param through_airflow: False where it is only read, which takes the library of the storage alone
    """
    scheme = scheme_of(url)
    if scheme in ("http", "https") and through_airflow:
        return (
            "Airflow's object storage opens no web addresses. Name a place in a storage (s3://, gs://, abfs://), or "
            "the absolute path of a file system that all workers share"
        )
    if scheme not in _STORAGES:
        return None
    extra, library, provider = _STORAGES[scheme]
    package = provider.replace("airflow.providers", "apache-airflow-providers").replace(".", "-")
    lacking = [*missing(library), *([] if not through_airflow or _is_installed(provider) else [package])]
    if not lacking:
        return None
    return f"{scheme}:// needs {' and '.join(lacking)}: install airflow-provider-benchmarks[{extra}]"


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is part of is there
        return False
