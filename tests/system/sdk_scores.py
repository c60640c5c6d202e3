"""What the vendor's SDK returns for some jobs, as JSON; run by the platform's own Python, where the SDK is.

python sdk_scores.py BASE_URL WORKSPACE JOB …
"""

from __future__ import annotations

import json
import sys

from nemo_platform import APIStatusError, NeMoPlatform


def main(base_url: str, workspace: str, jobs: list[str]) -> None:
    client = NeMoPlatform(base_url=base_url, workspace=workspace)
    print(json.dumps({job: describe(client.evaluation.benchmark_jobs, job) for job in jobs}))


def describe(api, job: str) -> dict:
    return {
        "status": api.get_status(job).status,
        "benchmark": api.retrieve(job).spec.benchmark,
        "results": [result.name for result in api.results.list(job).data],
        "aggregate": or_status(lambda: plain(api.results.aggregate_scores.download(job))),
        "rows": or_status(lambda: [plain(row) for row in api.results.row_scores.download(job)]),
    }


def or_status(call):
    """The result, or the HTTP status where the service has none."""
    try:
        return call()
    except APIStatusError as error:
        return error.status_code


def plain(value):
    return value.to_dict() if hasattr(value, "to_dict") else value


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
