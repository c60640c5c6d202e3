from __future__ import annotations

from xml.etree import ElementTree

from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.gates.result import CheckResult, Outcome
from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.views import VerdictView, junit_page


def page(*outcomes, text='why <it> & "so"', reason=None):
    results = tuple(
        CheckResult(
            check=Threshold("m", at_least=1), metric="w/m", score=text, outcome=outcome, observed=0.5,
            expected="≥ 1", count=3, nan_count=0, reason="" if outcome is Outcome.PASS else reason or text,
        )
        for outcome in outcomes
    )  # fmt: skip
    view = VerdictView.of(Verdict(results=results, workspace="w", job=text))
    return ElementTree.fromstring(junit_page(view, name=f"dag.{text}"))


def test_each_check_is_a_test_case():
    (suite,) = page(Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.INCONCLUSIVE)
    assert suite.attrib == {
        "name": 'dag.why <it> & "so"', "tests": "4", "failures": "1", "errors": "1", "skipped": "1",
    }  # fmt: skip
    cases = suite.findall("testcase")
    kinds = [[child.tag for child in case if child.tag != "system-out"] for case in cases]
    assert kinds == [["failure"], ["error"], ["skipped"], []]
    assert cases[0].attrib == {"classname": suite.get("name"), "name": 'm/why <it> & "so" mean (#3) ≥ 1'}
    assert len({case.get("name") for case in cases}) == 4
    assert cases[0][0].attrib == {
        "message": 'm/why <it> & "so" mean (#3): why <it> & "so"', "type": "fail",
    }  # fmt: skip
    assert cases[-1].findtext("system-out") == "observed 0.5, required ≥ 1; 3 rows"
    assert suite.findtext("system-out").startswith("FAIL: 1 of 4 checks hold, 1 warns\n")


def test_many_checks_with_long_reasons_fit_in_a_file_that_ci_systems_take():
    (suite,) = (found := page(*[Outcome.FAIL] * 4000, reason="x" * 1500))
    assert len({case.get("name") for case in suite.findall("testcase")}) == 4000
    assert len(ElementTree.tostring(found)) < 4_000_000
    assert suite.find("testcase/failure").get("message").endswith("… (1,529 characters)")


def test_it_is_xml_whatever_texts_hold():
    everything = "".join(
        map(chr, [*range(0x300), *range(0xD7F0, 0xD800), *range(0xDFF0, 0xE010), *range(0xFFF0, 0x10010)])
    )
    (suite,) = page(Outcome.FAIL, text=everything + "]]><x>&#0;")
    assert suite.find("testcase/failure").get("message").endswith("]]><x>&#0;")
