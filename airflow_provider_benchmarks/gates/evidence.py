"""What checks judge: the scores of a candidate, of its baselines, and of earlier jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_benchmarks.gates.pairing import PairedRows, pair_rows
from airflow_provider_benchmarks.gates.repeated_pairs import pair_items
from airflow_provider_benchmarks.gates.repeats import Repeats
from airflow_provider_benchmarks.scores import JobScores


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBaseline:
    """There is nothing to compare with.

    :param reason: why, in a sentence
    :param is_candidate: the baseline is the candidate itself. It exists and was accepted, so a comparison only warns,
        whatever ``if_no_baseline`` says
    """

    reason: str
    is_candidate: bool = False

    @classmethod
    def of(cls, name: str) -> NoBaseline:
        """No job is known for the name of a baseline in checks; "" is the gate's own."""
        return cls(reason=f"there is no baseline{f' {name}' if name else ''} yet to compare with")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The scores that the checks of one gate judge.

    :param candidate: with rows where a check needs them
    :param baselines: by the name of the baseline in checks; "" is the gate's own
    :param history: earlier jobs that passed, newest first
    :param if_no_baseline: outcome of a comparison that has no baseline: ``fail``, ``warn`` or ``pass``
    """

    candidate: JobScores
    baselines: Mapping[str, JobScores | NoBaseline] = field(default_factory=dict)
    history: Sequence[JobScores] = ()
    if_no_baseline: str = "warn"
    _pairs: dict[tuple[str, tuple[str, ...], Repeats | None], PairedRows] = field(
        default_factory=dict, init=False, repr=False
    )

    def baseline(self, name: str) -> JobScores | NoBaseline:
        return self.baselines.get(name) or NoBaseline.of(name)

    def pairs(self, baseline: str, keys: tuple[str, ...], repeats: Repeats | None = None) -> PairedRows:
        """Pair the rows of the candidate and of a baseline that has rows, once for all checks.

        :param keys: fields of the items to pair by; empty to pair by row index
        :param repeats: which rows are repeats of one item; then items are paired. None: each row is one
        :raises NotPairable: a row index or a key comes twice
        :raises ScoreNotFound: the items have no such field
        """
        place = baseline, keys, repeats
        if place not in self._pairs:
            scores = self.baselines[baseline]
            assert isinstance(scores, JobScores)
            assert scores.rows is not None
            assert self.candidate.rows is not None
            frames = self.candidate.rows, scores.rows
            self._pairs[place] = pair_rows(*frames, keys) if repeats is None else pair_items(*frames, keys, repeats)
        return self._pairs[place]
