"""Intervals contain the truth as often as they say, within the binomial error of few replicates.

The committed table has more replicates and designs: `reassess coverage`.
"""

import math

import numpy as np
import pytest

from reassess.analysis.coverage import PAGE, measure, read_result, with_table, write_result
from reassess.analysis.simulated_runs import designs
from reassess.analysis.simulation import Design, Runs, Trial, designs_of, simulate
from reassess.analysis.statistics import VERSION, paired_difference
from reassess.core.errors import ReassessError

DESIGNS = {one.name: one for one in designs()}
REPLICATES = 250
NOMINAL, BELOW = 0.95, 3  # standard errors of a share of .95
LEAST = NOMINAL - BELOW * math.sqrt(NOMINAL * (1 - NOMINAL) / REPLICATES)
DECIDING = [
    "seeds-2-deviation-3",
    "seeds-3-deviation-1.5",
    "seeds-3-deviation-6",
    "seeds-5-deviation-6",
    "bases-3-seeds-3-deviation-6",
    "bases-3-seeds-6-deviation-6",
    "rows",
    "these-models-unequal",
    "these-models-shared-rows",
    "heterogeneity-2",
    "population-5",
    "accuracy-high",
    "share-0.25-alike-0.5",
    "share-0.05-alike-0.3",
    "share-starts-0.6",
    "shares-9-0.3-apart",
    "spread-2-seeds-3-ratio-2",
    "spread-2-seeds-3-rows-0.5",
    "along-0",
    "across-0",
    "reward-60-correlation-0.6",
]


@pytest.mark.parametrize("name", DECIDING)
def test_an_interval_that_decides_covers(name):
    found = simulate(DESIGNS[name], REPLICATES)
    assert found.share >= LEAST
    assert found.false_verdicts / REPLICATES <= 1 - LEAST


def test_one_run_covers_less_and_decides_nothing():
    """The chosen seeds show the loss; no verdict is given, so none is false."""
    found = simulate(DESIGNS["seeds-1-deviation-6"], REPLICATES)
    assert found.share < 0.8 and found.false_verdicts == 0


def test_the_bootstrap_that_was_replaced_fails():
    """The simulation can tell a bad interval from a good one."""
    replaced = simulate(DESIGNS["bootstrap-population"], 100)
    assert replaced.share < 0.8


def test_a_population_is_no_sum_of_runs():
    """What is said for these models would be wrong for models in general."""
    runs = Runs(models=5, of_models=13.0, of_items=5.0, ease=(0.45, 0.55), population=True)

    def as_if_these_models(generator):
        first, second, labels, truth = runs.outcomes(generator)
        estimate = paired_difference(first, second, labels)
        return Trial(estimate.low <= truth <= estimate.high, False, 0.0)

    wrong = Design("as-if", "", "", as_if_these_models)
    assert simulate(wrong, 100).share < 0.7


def test_the_truth_of_a_design_is_the_mean_of_its_estimates():
    runs = Runs(effect=3.0, models=2, of_models=13.0, ease=(0.45, 0.55), of_items=5.0)
    generator = np.random.default_rng(0)
    distances = []
    for _ in range(300):
        first, second, _, truth = runs.outcomes(generator)
        distances.append((first - second).mean() - truth)
    assert np.mean(distances) == pytest.approx(0, abs=3 * np.std(distances) / 300**0.5)


def test_a_simulation_is_repeatable_and_designs_are_independent():
    one = simulate(DESIGNS["share-0.25-alike-0"], 50)
    assert one == simulate(DESIGNS["share-0.25-alike-0"], 50)
    assert one != simulate(DESIGNS["share-0.25-alike-0"], 50, seed=1)


def test_designs_are_chosen_by_the_beginning_of_their_names():
    chosen = designs_of(["bases-3"], list(DESIGNS.values()))
    assert len(chosen) == 3 and all(one.name.startswith("bases-3") for one in chosen)
    assert designs_of([], chosen) == chosen
    with pytest.raises(ReassessError, match="unknown design 'base-3'.*bases-3-seeds-3"):
        designs_of(["base-3"], list(DESIGNS.values()))
    assert len(DESIGNS) == len(designs())  # names are unique


# --- the committed table --------------------------------------------------------------------------


def test_the_committed_table_is_of_these_estimators_and_designs():
    result = read_result()
    assert result.statistics == VERSION
    assert [one.name for one in result.designs] == [one.name for one in designs()]
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page, result) == page


def test_every_interval_that_decides_has_the_promised_coverage():
    """At least .93 within the error of 2,000 replicates, and no more false verdicts."""
    for one in read_result().designs:
        design = DESIGNS[one.name]
        if design.decides and not one.name.startswith("bootstrap"):
            assert one.replicates >= 2000
            assert not design.covers or one.share >= 0.93, one.name
            assert one.false_verdicts / one.replicates <= 0.07, one.name


def test_a_result_is_read_as_it_was_written_and_other_files_are_refused(tmp_path):
    result = measure(["rows"], 3)
    write_result(result, tmp_path / "coverage.json")
    assert read_result(tmp_path / "coverage.json") == result
    (tmp_path / "coverage.json").write_text("{}")
    with pytest.raises(ReassessError, match="coverage.json"):
        read_result(tmp_path / "coverage.json")
    with pytest.raises(ReassessError, match="no such result"):
        read_result(tmp_path / "nothing.json")
    with pytest.raises(ReassessError, match="0 replicates"):
        measure([], 0)
