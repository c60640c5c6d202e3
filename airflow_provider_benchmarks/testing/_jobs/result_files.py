"""Results of jobs and their files in the files service."""

from __future__ import annotations

import io
import tarfile

from airflow_provider_benchmarks.testing._state.fileset import StoredFile
from airflow_provider_benchmarks.testing._state.job import Job, JobResult
from airflow_provider_benchmarks.testing._state.state import State


def add_result(state: State, job: Job, name: str, stored: StoredFile | None) -> str:
    """Add a result to a job, and its file to the job's fileset; return the path.

    :param stored: None: the result is a folder
    """
    path = f"results/{job.attempt_id}/{name}"
    if stored is not None:
        state.filesets[job.workspace, job.fileset].files[path] = stored
    job.results[name] = JobResult(name, f"{job.workspace}/{job.fileset}#{path}", state.now())
    return path


def pack_folder(state: State, artifact_url: str) -> bytes | None:
    """Pack the files below ``workspace/fileset#folder`` as a tar.gz; None if there are none."""
    reference, _, folder = artifact_url.partition("#")
    workspace, _, name = reference.partition("/")
    fileset = state.filesets.get((workspace, name))
    below = {path: stored for path, stored in fileset.files.items() if path.startswith(folder + "/")} if fileset else {}
    if not below:
        return None
    packed, root = io.BytesIO(), folder.rpartition("/")[2]
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo(root)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
        for path, stored in sorted(below.items()):
            entry = tarfile.TarInfo(root + path.removeprefix(folder))
            entry.size, entry.mtime = stored.size, int(state.clock())
            with stored.open() as file:
                archive.addfile(entry, file)
    return packed.getvalue()
