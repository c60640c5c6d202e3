"""Which generation a service has is found out once, without sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient, ClientConfig, _choice
from airflow_provider_benchmarks.exceptions import (
    NotFound,
    ProtocolError,
    ServiceError,
    ServiceUnavailable,
    Unauthorized,
)
from tests.conftest import RECORDED

JOB = {"name": "job-1", "status": "active"}
NO_JOBS = {"data": [], "pagination": {"page": 1, "page_size": 1, "total_pages": 0, "total_results": 0}}
HOMES = {
    "0.1": "/apis/evaluation/v2/workspaces/ws/benchmark-jobs",
    "0.7": "/apis/evaluator/v2/workspaces/ws/evaluate/jobs",
    "0.8": "/apis/evals/v2/workspaces/ws/evaluate/jobs",
}


def not_found() -> httpx.Response:
    return httpx.Response(404, json={"detail": "Not Found"})


class Platform:
    """A service of one release, or of another one later on.

    :param version: that it reports; None where a gateway hides it
    :param list_answer: what the list of jobs answers
    """

    def __init__(
        self, home: str = "", version: str | None = None, list_answer: Callable[[], httpx.Response] | None = None
    ) -> None:
        self.home, self.version, self.list_answer = home, version, list_answer
        self.paths: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.paths.append(path)
        if path == "/cluster-info":
            return not_found() if self.version is None else httpx.Response(200, json={"platform_version": self.version})
        if not self.home or not path.startswith(self.home):
            return not_found()
        if path == self.home:
            return self.list_answer() if self.list_answer else httpx.Response(200, json=NO_JOBS)
        return httpx.Response(200, json={**JOB, "name": path.removeprefix(self.home).split("/")[1]})


def warnings_in(caplog):
    """What was logged but for requests, which httpx logs where Airflow 2.11 lets it."""
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("version", "home"),
    [
        ("0.1.0", HOMES["0.1"]),
        ("0.1.2", HOMES["0.1"]),
        ("0.2.0", HOMES["0.7"]),
        ("0.7.3", HOMES["0.7"]),
        ("0.8.1", HOMES["0.8"]),
        ("v0.8.1rc1", HOMES["0.8"]),
        ("0.11.0", HOMES["0.8"]),
        ("1.0", HOMES["0.8"]),
    ],
)
def test_the_platform_s_release_decides(ask, version, home):
    platform = Platform(home, version)
    assert ask(platform, "get_status", "job-1", api="auto").status == "active"
    assert platform.paths == ["/cluster-info", f"{home}/job-1/status"]


def test_it_is_asked_once_for_all_clients_of_the_process(ask):
    platform = Platform(HOMES["0.8"], "0.8.1")
    for _ in range(3):
        ask(platform, "get_status", "job-1", api="auto")
    assert platform.paths == ["/cluster-info", *[f"{HOMES['0.8']}/job-1/status"] * 3]


def test_another_address_is_asked_for_itself(ask):
    platform = Platform(HOMES["0.8"], "0.8.1")
    ask(platform, "get_status", "job-1", api="auto")
    ask(platform, "get_status", "job-1", api="auto", base_url="http://other.invalid")
    assert platform.paths.count("/cluster-info") == 2


@pytest.mark.parametrize("home", HOMES.values())
@pytest.mark.parametrize("version", [None, "dev", ""])
def test_where_it_is_not_known_the_lists_of_jobs_are_tried_in_order(ask, home, version):
    platform = Platform(home, version)
    ask(platform, "get_status", "job-1", api="auto")
    homes = list(HOMES.values())
    assert platform.paths == ["/cluster-info", *homes[: homes.index(home) + 1], f"{home}/job-1/status"]


def test_a_list_of_another_workspace_that_is_not_there_has_its_path(ask):
    missing = json.loads(next((RECORDED / "0.8.1").glob("120-*")).read_text())
    platform = Platform(HOMES["0.8"], None, lambda: httpx.Response(404, json=missing))
    assert ask(platform, "get_status", "job-1", api="auto").status == "active"


def test_a_named_generation_is_not_asked_for(ask):
    platform = Platform(HOMES["0.1"], "0.8.1")
    ask(platform, "get_status", "job-1", api="evaluation-v2")
    assert platform.paths == [f"{HOMES['0.1']}/job-1/status"]


@pytest.mark.parametrize("version", ["0.7.3", None])
def test_a_named_generation_with_two_prefixes_is_asked_for_its_own(ask, version):
    platform = Platform(HOMES["0.7"], version)
    ask(platform, "get_status", "job-1", api="evaluate-jobs")
    assert HOMES["0.1"] not in platform.paths
    assert platform.paths[-1] == f"{HOMES['0.7']}/job-1/status"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_decides_nothing(ask, status):
    """A gateway refuses every path; another one refuses the list, and the release is there to be read."""

    def refusal() -> httpx.Response:
        return httpx.Response(status, json={"detail": "no"})

    def gateway(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith(HOMES["0.8"]):
            return httpx.Response(200, json={**JOB, **NO_JOBS})
        return refusal()

    assert ask(gateway, "get_status", "job-1", api="auto").status == "active"
    with pytest.raises(Unauthorized, match=f"answered {status}"):
        ask(lambda request: refusal(), "get_status", "job-1", api="auto", base_url="http://other.invalid")


def test_a_page_of_a_gateway_decides_nothing(ask):
    def gateway(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith(HOMES["0.7"]):
            return httpx.Response(200, json={**JOB, **NO_JOBS})
        return httpx.Response(200, text="<html>login</html>")

    assert ask(gateway, "get_status", "job-1", api="auto").status == "active"
    with pytest.raises(ProtocolError, match="not a login page"):
        login = lambda request: httpx.Response(200, text="<html>login</html>")
        ask(login, "get_status", "job-1", api="auto", base_url="http://other.invalid")


def test_a_service_that_is_down_decides_nothing(ask):
    down = [httpx.Response(503)] * 7  # the release, each list, and each path of the job
    platform = Platform(HOMES["0.8"], "0.8.1")

    def answer(request: httpx.Request) -> httpx.Response:
        return down.pop() if down else platform(request)

    with pytest.raises(ServiceUnavailable):
        ask(answer, "get_status", "job-1", api="auto", retry_seconds=0)
    assert ask(answer, "get_status", "job-1", api="auto", retry_seconds=0).status == "active"


#: What gateways answer for a path that they do not know.
GATEWAYS = {
    "kong": {"json": {"message": "no Route matched with those values"}},
    "spring": {"json": {"timestamp": "x", "status": 404, "error": "Not Found", "path": "/apis"}},
    "problem": {"json": {"title": "Not Found", "detail": "No static resource apis/evaluation."}},
    "apigee": {"json": {"fault": {"faultstring": "Unable to identify proxy for host"}}},
    "go": {"text": "404 page not found\n"},
    "express": {"text": "<pre>Cannot GET</pre>"},
    "envoy": {},
    "lower": {"json": {"detail": "not found"}},
    "other words": {"json": {"detail": "There is nothing here"}},
}


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_404_in_a_gateway_s_words_is_no_path_of_the_service(ask, gateway):
    platform = Platform(HOMES["0.8"])

    def answer(request: httpx.Request) -> httpx.Response:
        known = platform(request)
        return httpx.Response(404, **GATEWAYS[gateway]) if known.status_code == 404 else known

    assert ask(answer, "get_status", "job-1", api="auto").status == "active"
    with pytest.raises((ProtocolError, NotFound), match="answered 404"):
        ask(
            lambda request: httpx.Response(404, **GATEWAYS[gateway]),
            "get_status",
            "job-1",
            api="auto",
            base_url="http://other.invalid",
        )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"detail": "Workspace service route not found"}),
        (200, {"data": []}),
        (200, {"data": [], "pagination": {"total": 0}}),
    ],
)
def test_what_a_gateway_says_for_paths_that_it_does_not_know_is_no_list_of_jobs(ask, status, body):
    platform = Platform(HOMES["0.8"])
    unknown = lambda request: httpx.Response(status, json=body)
    gateway = lambda request: (platform if request.url.path.startswith(HOMES["0.8"]) else unknown)(request)
    assert ask(gateway, "get_status", "job-1", api="auto").status == "active"
    with pytest.raises((ProtocolError, NotFound), match=f"GET {HOMES['0.1']}"):
        ask(unknown, "get_status", "job-1", api="auto", base_url="http://other.invalid")


@pytest.mark.parametrize("place", ["155-*", "0.3.0/014-*", "0.6.0/060-*", "0.8.1/116-*"])
def test_the_lists_that_were_recorded_are_lists(ask, place):
    recorded = json.loads(next(RECORDED.glob(place)).read_text())
    for home in HOMES.values():
        platform = Platform(home, None, lambda: httpx.Response(200, json=recorded))
        assert ask(platform, "get_status", "job-1", api="auto", base_url=f"http://{home[6:10]}.invalid").status


@pytest.mark.parametrize("gateway", sorted(GATEWAYS.keys() - {"other words"}))
def test_after_an_upgrade_behind_a_gateway_it_is_asked_again(ask, gateway):
    platform = Platform(HOMES["0.1"], "0.1.0")

    def answer(request: httpx.Request) -> httpx.Response:
        known = platform(request)
        return httpx.Response(404, **GATEWAYS[gateway]) if known.status_code == 404 else known

    ask(answer, "get_status", "job-1", api="auto")
    platform.home, platform.version = HOMES["0.8"], None
    assert ask(answer, "get_status", "job-1", api="auto").status == "active"


@pytest.mark.parametrize(
    "fault",
    [
        lambda request: httpx.ReadTimeout("slow", request=request),
        lambda request: httpx.RemoteProtocolError("closed", request=request),
    ],
    ids=["timeout", "closed"],
)
def test_a_release_that_can_t_be_asked_for_leaves_the_lists(ask, fault):
    platform = Platform(HOMES["0.8"])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/cluster-info":
            raise fault(request)
        return platform(request)

    assert ask(answer, "get_status", "job-1", api="auto").status == "active"


def test_a_release_that_is_asked_for_where_nothing_is_leaves_the_lists(ask):
    platform = Platform(HOMES["0.8"])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "sso.invalid":
            raise httpx.ConnectError("refused", request=request)
        if request.url.path == "/cluster-info":
            return httpx.Response(302, headers={"location": "http://sso.invalid/login"})
        return platform(request)

    assert ask(answer, "get_status", "job-1", api="auto").status == "active"


@pytest.mark.parametrize(
    ("generation", "version", "title"),
    [
        ("evaluator", "unknown", 'NeMo Evaluator 0.2 to 0.7 ("evaluator" v2)'),
        ("evaluator", "0.5.0", "NeMo Evaluator 0.5"),
        ("evals", "unknown", 'NeMo Evaluator 0.8 and later ("evals" v2)'),
        ("evals", "0.9.2", "NeMo Evaluator 0.9"),
    ],
)
def test_a_release_that_is_not_known_is_called_no_certain_one(generation, version, title):
    (found,) = (each for each in CONFIG.generations if each.prefix == f"/apis/{generation}")
    assert found.title_of(version) == title


@pytest.mark.parametrize("home", [HOMES["0.1"], HOMES["0.7"]])
def test_a_list_that_is_unavailable_leaves_the_others(ask, home):
    platform = Platform(HOMES["0.8"])

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503) if request.url.path.startswith(home) else platform(request)

    assert ask(answer, "get_status", "job-1", api="auto").status == "active"


def test_a_service_that_restarts_is_waited_for_and_then_asked_anew(ask, pauses):
    platform = Platform(HOMES["0.8"])
    down = [503] * 12

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(down.pop()) if down else platform(request)

    assert ask(answer, "get_status", "job-1", api="auto", retry_seconds=60).status == "active"
    assert pauses


def test_two_services_at_one_address_are_told_apart_by_the_headers_of_their_connections(ask, caplog):
    tenants = {"a": Platform(HOMES["0.1"], "0.1.0"), "b": Platform(HOMES["0.8"], "0.8.1")}
    route = lambda request: tenants[request.headers["x-tenant"]](request)
    for _ in range(3):
        for tenant in tenants:
            found = ask(route, "get_status", "job-1", api="auto", headers={"X-Tenant": tenant})
            assert found.status == "active"
    assert [each.paths.count("/cluster-info") for each in tenants.values()] == [1, 1]
    assert warnings_in(caplog) == []


def test_an_address_where_nothing_answers_is_asked_no_more_than_once(ask):
    paths: list[str] = []

    def refused(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(ServiceUnavailable, match="got no answer from http://evaluator.invalid"):
        ask(refused, "get_status", "job-1", api="auto", retry_seconds=0)
    assert paths == ["/cluster-info"]


def test_a_newer_release_is_tried_with_one_warning(ask, caplog):
    platform = Platform(HOMES["0.8"], "0.11.2")
    for _ in range(2):
        ask(platform, "get_status", "job-1", api="auto")
    warnings = warnings_in(caplog)
    (warning,) = warnings
    assert (
        "The service at http://evaluator.invalid is release 0.11.2, which is newer than this provider knows" in warning
    )
    assert 'it is taken for NeMo Evaluator 0.8 and later ("evals" v2)' in warning


def test_a_known_release_is_no_news(ask, caplog):
    ask(Platform(HOMES["0.8"], "0.8.4"), "get_status", "job-1", api="auto")
    assert warnings_in(caplog) == []


@pytest.mark.parametrize("version", [None, "0.8.1", "25.4.0"])
def test_none_of_them_is_an_error_that_names_what_was_tried(ask, version):
    with pytest.raises(ProtocolError, match="This address knows no benchmark jobs") as caught:
        ask(Platform("", version), "get_status", "job-1", api="auto")
    assert all(f"GET {home}" in str(caught.value) for home in HOMES.values())
    assert f"The platform version is {version or 'unknown'}" in str(caught.value)
    assert caught.value.status_code == 404


@pytest.mark.parametrize(
    ("api", "home"),
    [("benchmark-jobs", "0.8"), ("benchmark-jobs", "0.7"), ("evaluate-jobs", "0.1"), ("evaluation-v2", "0.8")],
)
@pytest.mark.parametrize("verb", ["get_status", "get_aggregate_scores"])
def test_an_address_without_the_chosen_generation_is_told_with_the_choice(ask, api, home, verb):
    with pytest.raises(ProtocolError, match=f'The connection\'s "api" says {api}: leave it out') as caught:
        ask(Platform(HOMES[home]), verb, "job-1", api=api)
    assert caught.value.status_code == 404


@pytest.mark.parametrize(
    "send",
    [
        lambda client: list(client.iter_row_scores("job-1")),
        lambda client: client.submit_job({"benchmark": "w/b"}),
        lambda client: client.job_url("job-1") and client.cancel_job("job-1"),
    ],
)
def test_streams_and_submits_tell_so_too(send):
    transport = httpx.MockTransport(Platform(HOMES["0.8"]))
    config = ClientConfig(base_url="http://evaluator.invalid", workspace="ws", api="benchmark-jobs")
    with (
        BenchmarkClient(config, transport) as client,
        pytest.raises(ProtocolError, match='The connection\'s "api" says benchmark-jobs: leave it out'),
    ):
        send(client)


def test_after_an_upgrade_it_is_asked_again(ask, caplog):
    platform = Platform(HOMES["0.7"], "0.7.3")
    ask(platform, "get_status", "job-1", api="auto")
    platform.home, platform.version = HOMES["0.8"], "0.8.1"
    platform.paths.clear()
    assert ask(platform, "get_status", "job-1", api="auto").status == "active"
    assert platform.paths == [f"{HOMES['0.7']}/job-1/status", "/cluster-info", f"{HOMES['0.8']}/job-1/status"]
    assert "http://evaluator.invalid is another release now" in caplog.text


#: What a gateway answers for the paths of a service that is no more, besides a 404 that is certain.
DOUBTFUL = {
    "401": lambda: httpx.Response(401, json={"detail": "Unauthorized"}),
    "403": lambda: httpx.Response(403, json={"detail": "Forbidden"}),
    "405": lambda: httpx.Response(405, json={"detail": "Method Not Allowed"}),
    "410": lambda: httpx.Response(410, json={"detail": "Gone"}),
    "page": lambda: httpx.Response(200, text="<html>login</html>"),
    "words": lambda: httpx.Response(404, json={"detail": "No route for path"}),
}


def upgraded(platform: Platform, doubtful: str) -> Callable[[httpx.Request], httpx.Response]:
    """Replace a platform by the next release, behind a gateway that does not say that the old paths are gone."""
    platform.home, platform.version = HOMES["0.8"], "0.8.1"
    platform.paths.clear()

    def answer(request: httpx.Request) -> httpx.Response:
        known = platform(request)
        return DOUBTFUL[doubtful]() if known.status_code == 404 else known

    return answer


@pytest.mark.parametrize("doubtful", DOUBTFUL)
def test_after_an_upgrade_that_a_gateway_hides_it_is_asked_again(ask, monkeypatch, doubtful):
    platform = Platform(HOMES["0.7"], "0.7.3")
    ask(platform, "get_status", "job-1", api="auto")
    answer = upgraded(platform, doubtful)
    with pytest.raises(ServiceError):  # it was asked within the minute
        ask(answer, "get_status", "job-1", api="auto")
    monkeypatch.setattr(_choice, "_DOUBT_SECONDS", 0.0)
    assert ask(answer, "get_status", "job-1", api="auto").status == "active"
    assert platform.paths[1:] == [f"{HOMES['0.7']}/job-1/status", "/cluster-info", f"{HOMES['0.8']}/job-1/status"]


@pytest.mark.parametrize("version", ["0.7.3", None])
@pytest.mark.parametrize("doubtful", DOUBTFUL)
def test_an_answer_in_doubt_changes_nothing_where_the_release_is_the_same(ask, monkeypatch, doubtful, version):
    platform = Platform(HOMES["0.7"], "0.7.3")
    ask(platform, "get_status", "job-1", api="auto")
    answer = upgraded(platform, doubtful)
    platform.version = version
    monkeypatch.setattr(_choice, "_asked", {})
    for _ in range(3):
        with pytest.raises(ServiceError, match=f"GET {HOMES['0.7']}/job-1/status answered"):
            ask(answer, "get_status", "job-1", api="auto")
    assert platform.paths.count("/cluster-info") == 1
    assert len(platform.paths) == 4


def test_downloads_after_an_upgrade_that_a_gateway_hides_are_those_of_the_new_release(monkeypatch):
    platform = Platform(HOMES["0.1"], "0.1.0")
    client_of(platform).get_status("job-1")
    answer = upgraded(platform, "403")
    monkeypatch.setattr(_choice, "_DOUBT_SECONDS", 0.0)
    with client_of(answer) as client:
        assert b"".join(client.iter_result("job-1", "artifacts"))
    assert platform.paths[-1].startswith(HOMES["0.8"])


async def test_polls_that_fail_together_after_an_upgrade_all_go_on():
    platform = Platform(HOMES["0.7"], "0.7.3")
    async with AsyncBenchmarkClient(CONFIG, httpx.MockTransport(platform)) as client:
        await client.get_status("job-1")
        platform.home, platform.version = HOMES["0.8"], "0.8.1"
        jobs = await asyncio.gather(*[client.get_status(f"job-{number}") for number in range(5)])
    assert [job.status for job in jobs] == ["active"] * 5


def test_a_gateway_that_has_lost_the_service_for_a_moment_changes_nothing(ask):
    platform = Platform(HOMES["0.8"], "0.8.1")
    ask(platform, "get_status", "job-1", api="auto")
    platform.home, platform.version = "", None
    with pytest.raises(ProtocolError):
        ask(platform, "get_status", "job-1", api="auto")
    platform.home = HOMES["0.8"]
    platform.paths.clear()
    ask(platform, "get_status", "job-1", api="auto")
    assert platform.paths == [f"{HOMES['0.8']}/job-1/status"]


def test_a_path_that_alone_is_missing_is_the_error_that_it_was(ask):
    platform = Platform(HOMES["0.8"], "0.8.1")

    def answer(request: httpx.Request) -> httpx.Response:
        return not_found() if request.url.path.endswith("/status") else platform(request)

    with pytest.raises(ProtocolError, match=r"GET /apis/evals/\S+/job-1/status answered 404"):
        ask(answer, "get_status", "job-1", api="auto")


def test_a_job_that_is_not_there_is_no_reason_to_ask(ask):
    platform = Platform(HOMES["0.8"], "0.8.1")

    def answer(request: httpx.Request) -> httpx.Response:
        known = platform(request)
        missing = httpx.Response(404, json={"detail": "Job 'job-1' not found in workspace 'ws'."})
        return missing if request.url.path.endswith("/status") else known

    with pytest.raises(NotFound):
        ask(answer, "get_status", "job-1", api="auto")
    assert len(platform.paths) == 2


CONFIG = ClientConfig(base_url="http://evaluator.invalid", workspace="ws", retry_seconds=0)


def client_of(platform: Any) -> BenchmarkClient:
    return BenchmarkClient(CONFIG, httpx.MockTransport(platform))


def test_a_submit_after_an_upgrade_is_sent_to_the_new_release():
    platform = Platform(HOMES["0.7"], "0.7.3")
    with client_of(platform) as client:
        client.get_status("job-1")
        platform.home, platform.version = HOMES["0.8"], "0.8.1"

        def answer(request: httpx.Request) -> httpx.Response:
            response = platform(request)
            return (
                httpx.Response(201, json=JOB) if response.status_code == 200 and request.method == "POST" else response
            )

    with client_of(answer) as client:
        assert client.submit_job({"metrics": []}, name="job-1").created


def test_a_download_after_an_upgrade_comes_from_the_new_release():
    platform = Platform(HOMES["0.7"], "0.7.3")
    with client_of(platform) as client:
        client.get_status("job-1")
        platform.home, platform.version = HOMES["0.8"], "0.8.1"
        assert b"".join(client.iter_result("job-1", "artifacts"))
    assert platform.paths[-1].startswith(HOMES["0.8"])


def test_the_address_of_a_job_is_that_of_its_generation():
    with client_of(Platform(HOMES["0.8"], "0.8.1")) as client:
        assert client.job_url("job-1") == f"http://evaluator.invalid{HOMES['0.8']}/job-1"
        assert client.get_generation().prefix == "/apis/evals"


async def test_the_time_limit_of_a_poll_holds_for_the_choice_too():
    limits: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions["timeout"]["read"])
        return Platform(HOMES["0.8"], "0.8.1")(request)

    async with AsyncBenchmarkClient(CONFIG, httpx.MockTransport(answer)) as client:
        assert (await client.get_status("job-1", time_limit=5)).status == "active"
    assert len(limits) == 2


def test_scopes_are_those_of_the_generation(ask):
    forbidden = Platform("", "0.8.1")

    def answer(request: httpx.Request) -> httpx.Response:
        known = forbidden(request)
        return known if request.url.path == "/cluster-info" else httpx.Response(403, json={"detail": "Forbidden"})

    with pytest.raises(Unauthorized, match='The scopes are "evaluator:read" and "evaluator:write"'):
        ask(answer, "get_status", "job-1", api="auto")
