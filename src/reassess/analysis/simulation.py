"""Coverage by simulation: made data with a known truth, and how often each interval contains it.

A design draws data in which the truth is known, estimates it with the functions that figures and
claims use, and says whether the interval contains it and whether a claim would have been decided
falsely by it: where the interval excludes the truth and is one that may decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reassess.analysis.intervals import Estimate
from reassess.analysis.statistics import (
    MeanEstimate,
    Source,
    mean_estimate,
    paired_difference,
    population_estimate,
)
from reassess.analysis.strata import Matrix, Run
from reassess.core.errors import ReassessError, unknown

SEED = 20261129
REPLICATES = 2000
POINT = 0.01
RESAMPLES = 500  # of the bootstrap that is compared

Generator = np.random.Generator


@dataclass(frozen=True)
class Trial:
    """One replicate: whether the interval contains the truth, whether a claim was decided falsely,
    and half the interval's length.
    """

    covered: bool
    false_verdict: bool
    half_width: float


@dataclass(frozen=True)
class Design:
    """A design, what it stands for, and how a replicate is drawn and judged.

    Attributes:
        name: by which `reassess coverage --only` chooses it.
        what: the data and the truth, in words.
        group: the estimator.
        draw: one replicate.
        decides: whether its interval may decide a claim; if not, only the coverage is shown.
        covers: whether there is an interval; if not, only false verdicts are shown.
    """

    name: str
    what: str
    group: str
    draw: Callable[[Generator], Trial]
    decides: bool = True
    covers: bool = True


@dataclass(frozen=True)
class Coverage:
    """What a design came to.

    Attributes:
        name: of the design.
        replicates: how many were drawn.
        covered: in how many the interval contains the truth.
        false_verdicts: in how many a claim was decided falsely.
        half_width: half the interval's length, the mean over replicates, in the estimate's unit.
    """

    name: str
    replicates: int
    covered: int
    false_verdicts: int
    half_width: float

    @property
    def share(self) -> float:
        """The share of intervals that contain the truth."""
        return self.covered / self.replicates

    def error(self, count: int) -> float:
        """The binomial standard error of the share that a count is."""
        share = count / self.replicates
        return math.sqrt(share * (1 - share) / self.replicates)


def simulate(design: Design, replicates: int = REPLICATES, seed: int = SEED) -> Coverage:
    """Draw replicates of a design; the same seed gives the same result."""
    stream = np.random.SeedSequence([seed, *design.name.encode()])
    generator = np.random.default_rng(stream)
    trials = [design.draw(generator) for _ in range(replicates)]
    return Coverage(
        design.name,
        replicates,
        sum(one.covered for one in trials),
        sum(one.false_verdict for one in trials),
        float(np.mean([one.half_width for one in trials])),
    )


def designs_of(names: Sequence[str], designs: Sequence[Design]) -> list[Design]:
    """The designs that have one of the names, or begin with it; all of them without names.

    Raises:
        ReassessError: no design has such a name.
    """
    for name in names:
        if not any(one.name.startswith(name) for one in designs):
            raise ReassessError(unknown("design", name, [one.name for one in designs]))
    return [one for one in designs if not names or any(one.name.startswith(name) for name in names)]


def judged(estimate: Estimate, truth: float, decides: bool = True) -> Trial:
    """Whether an estimate's interval contains the truth."""
    covered = estimate.low <= truth <= estimate.high
    return Trial(covered, decides and not covered, estimate.half_width)


# --- runs and items -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Runs:
    """Runs of two arms on the same items, whose outcomes are drawn from chances.

    The chance that the first arm is right at an item is the item's ease, plus the effect of the arm
    on this item, of the model, base replicate, row draw and run; the second arm has the item's ease
    alone. Standard deviations are in points.

    Attributes:
        effect: of the first arm, which is the truth.
        of_runs: the deviation of runs, by model in turn.
        of_bases: that of base replicates.
        of_rows: that of row draws, which all models share.
        of_models: that of models.
        of_items: that of the arm's effect on an item; items range over 1.7 times it on both sides.
        models: how many.
        seeds: runs of each model.
        bases: base replicates of each model.
        items: how many.
        ease: of items, each of these as likely. Around .5 they lie alike, so that chances cut at 0
            and 1 move no mean.
        population: whether the truth is about a population of models instead of these.
    """

    effect: float = 0.0
    of_runs: tuple[float, ...] = (3.0,)
    of_bases: float = 0.0
    of_rows: float = 0.0
    of_models: float = 0.0
    of_items: float = 6.0
    models: int = 1
    seeds: int = 3
    bases: int = 1
    items: int = 300
    ease: tuple[float, ...] = (0.15, 0.85)
    population: bool = False

    @property
    def varied(self) -> tuple[Source, ...]:
        """What differs between runs."""
        return ("rows", "seeds") if self.of_rows else ("seeds",)

    def chances(self, generator: Generator) -> tuple[Matrix, Matrix, list[Run], float]:
        """Chances of both arms, of shape (runs, items), the runs, and the truth of these models."""
        ease = generator.choice(self.ease, self.items)
        width = math.sqrt(3) * self.of_items * POINT
        of_items = self.effect * POINT + generator.uniform(-width, width, self.items)
        of_rows = generator.normal(0, self.of_rows * POINT, self.seeds)
        of_models = generator.normal(0, self.of_models * POINT, self.models)
        rows, runs = [], []
        for model, of_model in enumerate(of_models):
            deviation = self.of_runs[model % len(self.of_runs)] * POINT
            of_bases = generator.normal(0, self.of_bases * POINT, self.bases)
            for seed, of_run in enumerate(generator.normal(0, deviation, self.seeds)):
                base = seed % self.bases
                rows.append(of_items + of_model + of_bases[base] + of_rows[seed] + of_run)
                runs.append(Run(f"m{model}", seed + 1, base + 1))
        first = np.clip(ease + np.asarray(rows), 0, 1)
        truth = self.effect * POINT + (0.0 if self.population else float(of_models.mean()))
        return first, np.broadcast_to(ease, first.shape), runs, truth

    def outcomes(self, generator: Generator) -> tuple[Matrix, Matrix, list[Run], float]:
        """Outcomes (0 or 1) in place of chances."""
        first, second, runs, truth = self.chances(generator)
        drawn = [
            (generator.random(chance.shape) < chance).astype(float) for chance in (first, second)
        ]
        return drawn[0], drawn[1], runs, truth

    def paired(self, generator: Generator) -> Trial:
        """The paired difference for these models, or for the population of models."""
        first, second, runs, truth = self.outcomes(generator)
        estimate: MeanEstimate | None
        if self.population:
            estimate = population_estimate(first - second, runs, varied=self.varied)
        else:
            estimate = paired_difference(first, second, runs, varied=self.varied)
        if estimate is None:
            raise ReassessError(f"{self.models} models are too few for a population")
        return judged(estimate, truth, estimate.covers_runs)

    def resampled(self, generator: Generator) -> Trial:
        """The same difference by the bootstrap that earlier versions used: all runs are drawn as
        equals, then for each draw the items; percentiles.
        """
        first, second, runs, truth = self.outcomes(generator)
        outcomes, items = first - second, self.items
        weights = generator.multinomial(items, np.full(items, 1 / items), size=RESAMPLES)
        by_run = weights @ outcomes.T / items
        chosen = generator.integers(len(runs), size=(RESAMPLES, len(runs)))
        draws = np.take_along_axis(by_run, chosen, axis=1).mean(axis=1)
        low, high = np.quantile(draws, [0.025, 0.975])
        covered = bool(low <= truth <= high)
        return Trial(covered, not covered, float(high - low) / 2)

    def accuracy(self, generator: Generator) -> Trial:
        """The accuracy of the first arm; the truth is that of the middle ease and the effect."""
        first, _, runs, truth = self.outcomes(generator)
        estimate = mean_estimate(first, runs, varied=self.varied)
        return judged(estimate, truth + sum(self.ease) / len(self.ease), estimate.covers_runs)

    def heterogeneity(self, generator: Generator) -> Trial:
        """Whether models that do not differ are said to differ."""
        first, second, runs, _ = self.outcomes(generator)
        found = paired_difference(first, second, runs, varied=self.varied).heterogeneity
        rejected = found is not None and found.p < 0.05
        return Trial(not rejected, rejected, 0.0)


def designs_of_means() -> Iterator[Design]:
    """Designs of differences and accuracies."""
    group = "difference, one model"
    for seeds in (1, 2, 3, 5):
        for deviation in (3.0,) if seeds == 2 else (1.5, 3.0, 6.0):
            yield Design(
                f"seeds-{seeds}-deviation-{deviation:g}",
                f"{seeds} seed{'s' * (seeds > 1)}, deviation {deviation:g} points, 300 items",
                group,
                Runs(seeds=seeds, of_runs=(deviation,)).paired,
                decides=seeds > 1,
            )
    for deviation in (1.5, 6.0):
        yield Design(
            f"items-2000-deviation-{deviation:g}",
            f"3 seeds, deviation {deviation:g} points, 2,000 items",
            group,
            Runs(items=2000, of_runs=(deviation,)).paired,
        )
    yield Design(
        "rare-differences",
        "3 seeds that differ in nothing, arms that differ at 1 % of 300 items",
        group,
        Runs(of_runs=(0.0,), of_items=0.0, ease=(0.995,)).paired,
    )
    group = "difference, replicated bases"
    for bases, seeds, of_bases in ((3, 3, 3.0), (3, 3, 6.0), (3, 6, 6.0), (5, 5, 6.0)):
        yield Design(
            f"bases-{bases}-seeds-{seeds}-deviation-{of_bases:g}",
            f"{seeds} seeds on {bases} bases, deviation of bases {of_bases:g} points, of seeds 1.5",
            group,
            Runs(bases=bases, seeds=seeds, of_bases=of_bases, of_runs=(1.5,)).paired,
        )
    yield Design(
        "rows",
        "3 seeds with 3 draws of rows, deviation of rows 4 points, of seeds 1.5",
        group,
        Runs(of_rows=4.0, of_runs=(1.5,)).paired,
    )
    group = "difference, these models"
    two = Runs(models=2, of_models=13.0, of_items=5.0, ease=(0.45, 0.55))
    for name, what, runs in (
        ("equal", "of seeds 3", two),
        ("unequal", "of seeds 1.5 and 6", replace(two, of_runs=(1.5, 6.0))),
        (
            "shared-rows",
            "of rows, the same for both, 3, of seeds 1.5",
            replace(two, of_rows=3.0, of_runs=(1.5,)),
        ),
    ):
        yield Design(
            f"these-models-{name}",
            f"2 models × 3 seeds, deviation of models 13 points, {what}",
            group,
            runs.paired,
        )
    for models in (2, 4):
        yield Design(
            f"heterogeneity-{models}",
            f"{models} models × 3 seeds that do not differ: the F test at 5 %",
            group,
            Runs(models=models).heterogeneity,
            covers=False,
        )
    group = "difference, a population of models"
    for models in (5, 8):
        yield Design(
            f"population-{models}",
            f"{models} models × 3 seeds, deviation of models 13 points, of seeds 3",
            group,
            replace(two, models=models, population=True).paired,
        )
    group = "the bootstrap that was replaced"
    for seeds, deviation in ((1, 6.0), (3, 1.5), (3, 6.0)):
        yield Design(
            f"bootstrap-seeds-{seeds}-deviation-{deviation:g}",
            f"{seeds} seed{'s' * (seeds > 1)}, deviation {deviation:g} points, 300 items",
            group,
            Runs(seeds=seeds, of_runs=(deviation,)).resampled,
        )
    for name, what, runs in (
        ("these-models", "for these two", two),
        ("population", "for the population", replace(two, population=True)),
    ):
        yield Design(
            f"bootstrap-{name}",
            f"2 models × 3 seeds, deviation of models 13 points, of seeds 3, {what}",
            group,
            runs.resampled,
        )
    group = "accuracy"
    yield Design("accuracy", "3 seeds, deviation 3 points, at .5", group, Runs().accuracy)
    yield Design(
        "accuracy-high",
        "3 seeds that differ in nothing, at .98",
        group,
        Runs(of_runs=(0.0,), of_items=0.0, ease=(0.96, 1.0)).accuracy,
    )
