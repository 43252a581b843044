"""Designs of shares, spreads and associations, whose unit is the run or its configuration."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reassess.analysis.association import Curves, across_runs, along_runs
from reassess.analysis.deception import reward_change
from reassess.analysis.shares import share, share_difference
from reassess.analysis.simulation import Design, Generator, Trial, designs_of_means, judged
from reassess.analysis.spread import spread_ratio
from reassess.analysis.strata import Matrix, Run

CONFIGURATIONS, SEEDS = 19, 3  # of the reference run's RL arms


def designs() -> list[Design]:
    """All designs, in the order in which they are shown."""
    return [
        *designs_of_means(),
        *_designs_of_shares(),
        *_of_spreads(),
        *_of_associations(),
        *_of_rewards(),
    ]


@dataclass(frozen=True)
class Groups:
    """Runs with a property, whose chance varies between configurations by a beta distribution.

    Attributes:
        chance: the mean chance, which is the truth.
        alike: the correlation of two runs of a configuration.
        other: the mean chance of a second group.
        paired: whether configurations of both groups correspond, with chances of the same rank.
        configurations: how many.
        started: the correlation of runs of all configurations that start from one of three bases.
    """

    chance: float
    alike: float
    other: float = 0.0
    paired: bool = True
    configurations: int = CONFIGURATIONS
    started: float = 0.0

    def _chances(
        self, ranks: np.ndarray[tuple[int], np.dtype[np.float64]], mean: float
    ) -> list[float]:
        from scipy.stats import beta

        if self.alike == 0:
            return [mean] * len(ranks)
        total = 1 / self.alike - 1
        return [float(value) for value in beta.ppf(ranks, mean * total, (1 - mean) * total)]

    def _runs(self, generator: Generator, chances: list[float]) -> tuple[list[bool], list[int]]:
        having = [bool(generator.random() < one) for one in chances for _ in range(SEEDS)]
        return having, [number for number in range(len(chances)) for _ in range(SEEDS)]

    def crossed(self, generator: Generator) -> Trial:
        """The share where runs are alike in two ways, by latent normal effects."""
        from scipy.special import ndtri

        models = 4
        starts = generator.normal(size=(models, SEEDS)) * math.sqrt(self.started)
        alike = generator.normal(size=self.configurations) * math.sqrt(self.alike)
        own = math.sqrt(1 - self.started - self.alike)
        bound, having = float(ndtri(self.chance)), []
        ways: tuple[list[int], list[tuple[int, int]]] = ([], [])
        for number in range(self.configurations):
            for seed in range(SEEDS):
                start = number % models, seed
                having.append(alike[number] + starts[start] + own * generator.normal() < bound)
                ways[0].append(number)
                ways[1].append(start)
        estimate = share(having, *ways)
        assert estimate is not None
        return judged(estimate, self.chance)

    def one(self, generator: Generator) -> Trial:
        """The share."""
        ranks = generator.random(self.configurations)
        estimate = share(*self._runs(generator, self._chances(ranks, self.chance)))
        assert estimate is not None
        return judged(estimate, self.chance)

    def difference(self, generator: Generator) -> Trial:
        """The difference of two shares."""
        ranks = generator.random(self.configurations)
        others = ranks if self.paired else generator.random(self.configurations)
        first = self._runs(generator, self._chances(ranks, self.chance))
        second = self._runs(generator, self._chances(others, self.other))
        one, another = share(*first), share(*second)
        assert one is not None and another is not None
        return judged(share_difference(one, another), self.chance - self.other)


def _designs_of_shares() -> Iterator[Design]:
    for chance, alike in ((0.25, 0.0), (0.25, 0.5), (0.05, 0.3), (0.5, 0.9)):
        yield Design(
            f"share-{chance:g}-alike-{alike:g}",
            f"19 configurations × 3 runs, share {chance:g}, correlation within {alike:g}",
            "share of runs",
            Groups(chance, alike).one,
        )
    for started in (0.3, 0.6):
        yield Design(
            f"share-starts-{started:g}",
            "18 configurations of 4 models × 3 runs, share 0.25, latent correlation within a "
            f"configuration 0.1, within the 3 bases of a model {started:g}",
            "share of runs",
            Groups(0.25, 0.1, configurations=18, started=started).crossed,
        )
    for count, other, paired in ((9, 0.3, True), (9, 0.1, True), (9, 0.3, False), (4, 0.3, True)):
        yield Design(
            f"shares-{count}-{other:g}-{'paired' if paired else 'apart'}",
            f"{count} configurations × 3 runs a group, shares 0.3 and {other:g}, correlation "
            f"within 0.4, {'paired' if paired else 'not paired'}",
            "difference of shares",
            Groups(0.3, 0.4, other, paired, count).difference,
        )


@dataclass(frozen=True)
class Spreads:
    """Run means of two arms, normal and correlated, counted on items.

    Attributes:
        models: of which the runs are.
        seeds: of each.
        ratio: of the deviations, of which the second is 2 points.
        correlation: of the two arms' means.
        rows: the correlation of the models' means, of each arm apart, that a draw of rows brings.
        items: on which they are counted.
    """

    models: int
    seeds: int
    ratio: float
    correlation: float = 0.5
    rows: float = 0.0
    items: int = 2000

    def draw(self, generator: Generator) -> Trial:
        """The ratio of their deviations."""
        shape = self.models, self.seeds
        common, one, other = generator.normal(size=(3, *shape))
        draws = generator.normal(size=(2, 1, self.seeds)) * math.sqrt(self.rows)
        both, own = math.sqrt(self.correlation), math.sqrt(1 - self.correlation)
        rest = math.sqrt(1 - self.rows)
        arms = [
            0.5 + 0.02 * ratio * (draws[number] + rest * (both * common + own * alone))
            for number, (ratio, alone) in enumerate(((self.ratio, one), (1.0, other)))
        ]
        runs = [Run(f"m{model}", seed, 1) for model, seed in np.ndindex(*shape)]
        outcomes = [self._counted(arm.ravel()) for arm in arms]
        estimate = spread_ratio(outcomes[0], outcomes[1], runs, shared=self.rows > 0)
        assert estimate is not None
        return judged(estimate, self.ratio)

    def _counted(self, means: Matrix) -> Matrix:
        """Outcomes of which the share of a run's mean is 1."""
        return np.array([np.arange(self.items) < round(mean * self.items) for mean in means], float)


def _of_spreads() -> Iterator[Design]:
    for models, seeds, ratio in ((2, 3, 1.0), (2, 3, 2.0), (4, 5, 1.0)):
        yield Design(
            f"spread-{models}-seeds-{seeds}-ratio-{ratio:g}",
            f"{models} models × {seeds} seeds, ratio of the deviations {ratio:g}",
            "ratio of spreads",
            Spreads(models, seeds, ratio).draw,
        )
    for models, rows in ((2, 0.5), (2, 0.9), (4, 0.5)):
        yield Design(
            f"spread-{models}-seeds-3-rows-{rows:g}",
            f"{models} models × 3 seeds, ratio 1, correlation of the models by rows {rows:g}",
            "ratio of spreads",
            Spreads(models, 3, 1.0, rows=rows).draw,
        )


@dataclass(frozen=True)
class Rising:
    """Two curves that rise along every run, with noise of which a share is common to both.

    Attributes:
        correlation: of the noise, which is the truth.
        points: of a curve.
        differ: whether runs of a configuration differ in how far they rise, too.
    """

    correlation: float
    points: int = 8
    differ: bool = False

    def along(self, generator: Generator) -> Trial:
        """The association along runs; a false verdict is a permutation p below 5 %."""
        steps = np.linspace(0, 1, self.points)
        runs = []
        for number in range(CONFIGURATIONS):
            shape = steps ** generator.uniform(0.3, 1.5)
            for _ in range(SEEDS):
                rise = 5 * (1 + (0.3 * generator.normal() if self.differ else 0.0))
                first, second = self._noise(generator)
                runs.append(Curves(number, rise * shape + first, rise * shape + second))
        estimate = along_runs(runs)
        assert estimate is not None
        wrong = self.correlation == 0 and estimate.permutation_p < 0.05
        return Trial(judged(estimate, self.correlation).covered, wrong, estimate.half_width)

    def _noise(self, generator: Generator) -> tuple[Matrix, Matrix]:
        common, one, other = generator.normal(size=(3, self.points))
        shared, own = math.sqrt(self.correlation), math.sqrt(1 - self.correlation)
        return shared * common + own * one, shared * common + own * other

    def across(self, generator: Generator) -> Trial:
        """The association across configurations."""
        common, one, other = generator.normal(size=(3, CONFIGURATIONS))
        shared, own = math.sqrt(self.correlation), math.sqrt(1 - self.correlation)
        first, second = shared * common + own * one, shared * common + own * other
        names = np.repeat(np.arange(CONFIGURATIONS), SEEDS).tolist()
        estimate = across_runs(
            np.repeat(first, SEEDS).tolist(), np.repeat(second, SEEDS).tolist(), names
        )
        assert estimate is not None
        wrong = self.correlation == 0 and estimate.permutation_p < 0.05
        return Trial(judged(estimate, self.correlation).covered, wrong, estimate.half_width)


def _of_associations() -> Iterator[Design]:
    for correlation, differ in ((0.0, False), (0.5, False), (0.0, True)):
        yield Design(
            f"along-{correlation:g}{'-slopes' if differ else ''}",
            f"19 configurations × 3 runs × 8 points, both series rise"
            f"{', by other amounts in each run,' if differ else ','} correlation of the noise "
            f"{correlation:g}",
            "association along runs",
            Rising(correlation, differ=differ).along,
        )
    for correlation in (0.0, 0.6):
        yield Design(
            f"across-{correlation:g}",
            f"19 configurations × 3 runs, correlation of the configurations {correlation:g}",
            "association across runs",
            Rising(correlation).across,
        )


@dataclass(frozen=True)
class Rewards:
    """The reward of each update of a run: a straight rise, and noise of an autoregressive process.

    Attributes:
        updates: of the run.
        correlation: of the noise of one update and the next.
        rise: over the run.
        deviation: of the noise.
    """

    updates: int
    correlation: float
    rise: float = 0.3
    deviation: float = 0.1

    def change(self, generator: Generator) -> Trial:
        """The change from the first sixth to the last; the truth is that without noise."""
        trend = np.linspace(0, self.rise, self.updates)
        found, truth = reward_change(trend + self._noise(generator)), reward_change(trend)
        assert found is not None and truth is not None
        return judged(found, truth.value)

    def _noise(self, generator: Generator) -> Matrix:
        steps = generator.normal(0, self.deviation, self.updates)
        steps[1:] *= math.sqrt(1 - self.correlation**2)
        for update in range(1, self.updates):
            steps[update] += self.correlation * steps[update - 1]
        return steps


def _of_rewards() -> Iterator[Design]:
    for updates, correlation in ((40, 0.6), (60, 0.6), (160, 0.0), (160, 0.6)):
        yield Design(
            f"reward-{updates}-correlation-{correlation:g}",
            f"{updates} updates, correlation of the noise from one to the next {correlation:g}",
            "change of reward",
            Rewards(updates, correlation).change,
        )
