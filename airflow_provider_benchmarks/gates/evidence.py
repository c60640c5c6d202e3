"""What checks judge: the scores of a candidate, of its baselines, and of earlier jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.gates.averaged_baseline import AveragedBaseline, OtherRun, average_runs
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
        named = f' "{shortened(name)}"' if name else ""
        return cls(reason=f"there is no baseline{named} yet to compare with")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsSincePin:
    """The jobs that passed since a baseline was chosen, and that baseline's own.

    :param jobs: oldest first
    :param pin: name of the baseline's job, which is the oldest; empty where there is none, and the jobs are all known
    :param unbroken: number of the oldest jobs of which none was left out; None where none was at all
    """

    jobs: Sequence[JobScores]
    pin: str = ""
    unbroken: int | None = None

    @classmethod
    def of(cls, baseline: JobScores | NoBaseline | None, history: Sequence[JobScores]) -> JobsSincePin:
        """Find the baseline among earlier jobs; one that is not there is older than all.

        :param history: newest first
        """
        jobs = list(reversed(history))
        if isinstance(baseline, NoBaseline) and baseline.is_candidate:
            return cls(jobs=())
        if not isinstance(baseline, JobScores):
            return cls(jobs=jobs)
        named = (i for i, job in enumerate(jobs) if job is baseline or (baseline.job and job.job == baseline.job))
        if (place := next(named, None)) is not None:
            return cls(jobs=jobs[place:], pin=baseline.job)
        return cls(jobs=[baseline, *jobs], pin=baseline.job)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The scores that the checks of one gate judge.

    :param candidate: with rows where a check needs them
    :param baselines: by the name of the baseline in checks; "" is the gate's own
    :param history: earlier jobs that passed, newest first
    :param other_runs: of the model of each baseline, by the same names; each time anew from the first
    :param since_pin: those since the baseline was pinned, where a store knows them; None to find them in the history
    :param if_no_baseline: outcome of a comparison that has no baseline: ``fail``, ``warn`` or ``pass``
    """

    candidate: JobScores
    baselines: Mapping[str, JobScores | NoBaseline] = field(default_factory=dict)
    history: Sequence[JobScores] = ()
    other_runs: Mapping[str, Iterable[OtherRun]] = field(default_factory=dict)
    since_pin: JobsSincePin | None = None
    if_no_baseline: str = "warn"
    _pairs: dict[tuple[str, tuple[str, ...], int, Repeats | None], PairedRows] = field(
        default_factory=dict, init=False, repr=False
    )
    _averaged: dict[tuple[str, tuple[str, ...], int], AveragedBaseline] = field(
        default_factory=dict, init=False, repr=False
    )

    def baseline(self, name: str) -> JobScores | NoBaseline:
        return self.baselines.get(name) or NoBaseline.of(name)

    @property
    def jobs_since_pin(self) -> JobsSincePin:
        """The jobs that passed since the baseline, from the store or from the history."""
        if self.since_pin is not None:
            return self.since_pin
        return JobsSincePin.of(self.baselines.get(""), self.history)

    def averaged(
        self, baseline: str, keys: tuple[str, ...], runs: int, *, repeats: Repeats | None = None
    ) -> AveragedBaseline:
        """A baseline with its mean per row over several runs, once for all checks.

        :param keys: fields of the items to pair by; empty to pair by row index
        :param runs: the most runs to take
        :param repeats: which rows are repeats of one item; each is averaged over its own in the other runs
        """
        if keys and repeats is not None:
            keys = tuple(dict.fromkeys([*keys, repeats.field]))
        place = baseline, keys, runs
        if place not in self._averaged:
            scores = self.baselines[baseline]
            assert isinstance(scores, JobScores)
            self._averaged[place] = average_runs(scores, self.other_runs.get(baseline, ()), runs=runs, keys=keys)
        return self._averaged[place]

    def pairs(
        self, baseline: str, keys: tuple[str, ...], *, runs: int = 1, repeats: Repeats | None = None
    ) -> PairedRows:
        """Pair the rows of the candidate and of a baseline that has rows, once for all checks.

        :param keys: fields of the items to pair by; empty to pair by row index
        :param runs: the most runs that the baseline's scores are means over
        :param repeats: which rows are repeats of one item; then items are paired. None: each row is one
        :raises NotPairable: a row index or a key comes twice
        :raises ScoreNotFound: the items have no such field
        """
        place = baseline, keys, runs, repeats
        if place not in self._pairs:
            scores = (
                self.baselines[baseline] if runs == 1 else self.averaged(baseline, keys, runs, repeats=repeats).scores
            )
            assert isinstance(scores, JobScores)
            assert scores.rows is not None
            assert self.candidate.rows is not None
            frames = self.candidate.rows, scores.rows
            self._pairs[place] = pair_rows(*frames, keys) if repeats is None else pair_items(*frames, keys, repeats)
        return self._pairs[place]
