"""Whether the history of each cell fits its manifest, its settings, and the cells beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import ceil, cos, gcd, pi

from reassess.core.files import Json
from reassess.grid.cells import Cell
from reassess.grid.study import Grid
from reassess.training.rl_settings import RlSettings
from reassess.training.settings import TrainedSettings
from reassess.training.sft_settings import SftSettings
from reassess.verify.budgets import check_budgets
from reassess.verify.cells import is_shipped
from reassess.verify.curves import NOTHING, Curves, Trained
from reassess.verify.given_rows import check_given_rows
from reassess.verify.gradients import check_gradients
from reassess.verify.stored import Stored, shown
from reassess.verify.terms import Splits

TOTALS = ("samples", "tokens", "flops", "seconds")
PROBE = ("probe_accuracy", "probe_format", "probe_length")
OPTIONAL_PROBE = "probe_undecided"
SAMPLED_PROBE = "probe_sampled_accuracy"  # earlier versions recorded none
NEWER = "claims"  # a field of training manifests that versions without sampled probes lack
LOGGED = ("loss", "learning_rate", "grad_norm")
ENTROPY = "entropy"
FINITE = ("loss", "grad_norm", ENTROPY)  # where a value is not finite, it is left out
LOGGED_BY_RL = (
    "reward", "reward_accuracy", "reward_format", "completion_length", "truncated_share",
    "zero_variance_share",
)  # fmt: skip
OPTIONAL_BY_RL = ("resampled_share", "undecided_share")  # of dynamic sampling; where there are any
METRICS = {
    "sft": {*TOTALS, *PROBE, OPTIONAL_PROBE, SAMPLED_PROBE, *LOGGED, ENTROPY},
    "rl": {
        *TOTALS, *PROBE, OPTIONAL_PROBE, SAMPLED_PROBE, *LOGGED, ENTROPY, *LOGGED_BY_RL,
        *OPTIONAL_BY_RL,
    },
}  # fmt: skip
SHARES = (
    "probe_accuracy", "probe_format", OPTIONAL_PROBE, SAMPLED_PROBE, "reward_accuracy",
    "reward_format", "truncated_share", "zero_variance_share", "resampled_share", "undecided_share",
)  # fmt: skip
NOT_NEGATIVE = (
    *TOTALS, "probe_length", "completion_length", "grad_norm", "learning_rate", ENTROPY,
)  # fmt: skip
UNDECIDED = (OPTIONAL_PROBE, "undecided_share")
CROSS_ENTROPY = "loss"  # of SFT
ROUNDING = 1e-5  # rewards and shares are means in single precision
OF_LENGTH = 1e-3  # and mean lengths


def check_histories(stored: Stored, splits_of: Splits, notes: list[str]) -> Iterator[str]:
    """Yield what in the histories contradicts manifests, settings, rows, or other cells.

    Args:
        stored: the bundle.
        splits_of: every split of a grid's pool; None where its world cannot make it again.
        notes: receives what a reader should know.
    """
    histories = {
        str(cell): {str(metric): part.set_index("step")["value"].sort_index()
                    for metric, part in rows.groupby("metric")}
        for cell, rows in stored.bundle.history.groupby("cell")
    }  # fmt: skip
    trained = [
        (grid, cell, histories[cell.id])
        for grid, cell in stored.scored()
        if grid.kind(cell) != "none" and cell.id in histories
    ]
    absent = Counter[str]()
    for grid, cell, curves in trained:
        train = stored.records[cell.id]["train"]
        for problem in _history(grid, cell, curves, train, absent):
            yield f"{cell.id}: {problem}"
    if absent:
        named = ", ".join(f"{count} of {name}" for name, count in sorted(absent.items()))
        notes.append(f"histories lack values, as where one is not finite: {named}")
    undecided = [cell.id for _, cell, curves in trained if {*UNDECIDED} & {*curves}]
    if undecided:
        notes.append(
            f"histories of {len(undecided)} cells have undecided verdicts ({undecided[0]})"
        )
    complete = [one for one in trained if {*TOTALS} <= {*one[2]}]  # else it is named above
    yield from _starts(stored, histories, trained)
    yield from _same_metrics(trained)
    yield from _same_sampling(stored, trained)
    yield from check_budgets(stored, complete, notes)
    yield from check_given_rows(complete, splits_of)
    yield from check_gradients(stored, trained)


def _history(
    grid: Grid, cell: Cell, curves: Curves, train: Json, absent: Counter[str]
) -> Iterator[str]:
    kind = grid.kind(cell)
    for metric in sorted({*curves} - METRICS[kind]):
        yield f"{metric}: no metric of a history of {kind}"
    for metric, due in (("every metric", TOTALS), ("the probe", PROBE)):
        lacking = [name for name in due if name not in curves]
        if lacking and (metric == "every metric" or is_shipped(grid, cell)):
            yield f"its history lacks {', '.join(lacking)}"
            return
    yield from _ranges(curves, kind)
    yield from _totals(curves, train)
    settings = grid.arms[cell.arm].settings
    yield from _probe(grid, curves, getattr(settings, "probe_samples", 1))
    if is_shipped(grid, cell) and isinstance(settings, TrainedSettings):
        yield from _steps(cell, settings, curves, absent)
        yield from _samples(settings, curves, cell)
        if train.get("layout", {}).get("processes", 1) == 1:
            yield from _learning_rate(settings, curves, cell.size or 0)
        if isinstance(settings, RlSettings):
            yield from _rewards(settings, curves)
            if train.get("layout", {}).get("processes", 1) == 1:
                yield from _resampled(settings, curves)


# --- within one history ---------------------------------------------------------------------------


def _ranges(curves: Curves, kind: str) -> Iterator[str]:
    positive = {*SHARES, *NOT_NEGATIVE, *([CROSS_ENTROPY] if kind == "sft" else [])}
    for metric, values in curves.items():
        lowest = 0 if metric in positive else float("-inf")
        highest = 1 + ROUNDING if metric in SHARES else float("inf")
        wrong = values[(values < lowest) | (values > highest)]
        if metric in UNDECIDED:  # recorded only where there are any
            wrong = values[(values <= 0) | (values > highest)]
        if not wrong.empty:
            yield f"{metric} is {wrong.iloc[0]} at update {wrong.index[0]}"


def _totals(curves: Curves, train: Json) -> Iterator[str]:
    """Yield running totals that fall, do not start at nothing, or do not end as the manifest."""
    last = max(int(values.index.max()) for values in curves.values())
    if last != train.get("updates"):
        yield f"updates is {shown(train.get('updates'))}, the last of its history {last}"
    for metric in TOTALS:
        values = curves[metric]
        if (values.diff().dropna() < 0).any():
            yield f"{metric} falls at update {values.index[values.diff() < 0][0]}"
        final = float(values.iloc[-1])
        if metric == "seconds":
            spent = train.get("training_seconds")
            if isinstance(spent, int | float) and final > spent + 0.001:
                yield f"training_seconds is {spent}, its history has {final}"
            continue
        if values.index[0] != 0 or values.iloc[0] != 0:
            yield f"{metric} is {values.iloc[0]} at update {values.index[0]}, not 0 at 0"
        if final != train.get(metric):
            yield f"{metric} is {shown(train.get(metric))}, its history ends with {final}"


def _probe(grid: Grid, curves: Curves, samples: int) -> Iterator[str]:
    """Yield probe scores that are no share of the probe's items, or of their samples."""
    items = grid.config.world.probe_items
    of = dict.fromkeys((*PROBE, OPTIONAL_PROBE), (items, "items"))
    for metric, (count, what) in {**of, SAMPLED_PROBE: (items * samples, "samples")}.items():
        counts = curves.get(metric, NOTHING) * count
        wrong = counts[(counts - counts.round()).abs() > ROUNDING * count]
        if not wrong.empty:
            value = curves[metric][wrong.index[0]]
            yield f"{metric} is {value} at update {wrong.index[0]}, no share of {count} {what}"
    if OPTIONAL_PROBE in curves:
        both = (curves["probe_accuracy"] + curves[OPTIONAL_PROBE]).dropna()
        for step in both.index[both > 1 + ROUNDING][:1]:
            yield (
                f"{OPTIONAL_PROBE} is {curves[OPTIONAL_PROBE][step]} at update {step}, beside "
                f"probe_accuracy {curves['probe_accuracy'][step]}"
            )
    longest = grid.config.evaluation.max_new_tokens
    lengths = curves.get("probe_length", NOTHING)
    if (lengths > longest).any():
        yield f"probe_length is {lengths.max()}, above the budget of {longest} tokens"


def _steps(
    cell: Cell, settings: TrainedSettings, curves: Curves, absent: Counter[str]
) -> Iterator[str]:
    """Yield metrics that were recorded at other updates than the settings give.

    Values that may be left out are counted in `absent`; most of them must be there.
    """
    last = settings.updates(cell.size or 0)
    scored = sorted({*range(0, last + 1, settings.probe_every), last})
    every = 1 if isinstance(settings, RlSettings) else min(gcd(10, settings.save_every), last)
    logged = [*range(every, last + 1, every)]
    metrics: dict[str, list[int]] = dict.fromkeys((*TOTALS, *PROBE), scored)
    metrics |= dict.fromkeys(LOGGED, logged)
    if SAMPLED_PROBE in curves:
        metrics[SAMPLED_PROBE] = scored if settings.probe_samples else []
    optional = {OPTIONAL_PROBE: scored, ENTROPY: logged}
    if isinstance(settings, RlSettings):
        drawn = logged[:: settings.updates_per_batch]  # the first update on each rollout batch
        metrics |= {ENTROPY: logged, **dict.fromkeys(LOGGED_BY_RL, drawn)}
        if hasattr(settings, "resample_rounds"):
            metrics["resampled_share"] = drawn
        optional |= dict.fromkeys(OPTIONAL_BY_RL, drawn)
    for metric, due in optional.items():
        wrong = sorted({*map(int, curves.get(metric, NOTHING).index)} - {*due})
        if wrong:
            yield f"{metric} is recorded at update {wrong[0]}"
    for metric, due in metrics.items():
        held = [int(step) for step in curves[metric].index] if metric in curves else []
        lacking = len({*due} - {*held}) if metric in FINITE and {*held} <= {*due} else 0
        absent.update({metric: lacking} if lacking else {})
        if held != due and not 0 < lacking <= len(due) / 2:
            wrong = sorted({*held} ^ {*due}) or held
            yield f"{metric} is recorded at {len(held)} updates, due {len(due)} (see {wrong[0]})"


def _samples(settings: TrainedSettings, curves: Curves, cell: Cell) -> Iterator[str]:
    """Yield numbers of samples that are not those of so many updates."""
    values = curves["samples"]
    if isinstance(settings, SftSettings):
        due = {step: step * settings.batch_size for step in values.index}
    elif isinstance(settings, RlSettings):
        batch = settings.prompts_per_step * settings.num_generations
        due = {step: ceil(step / settings.updates_per_batch) * batch for step in values.index}
    else:
        return
    redrawn = getattr(settings, "resample_rounds", 0)
    for step, value in values.items():
        most = due[step] * (1 + redrawn)
        if not due[step] <= value <= most:
            yield f"samples is {value} at update {step}, derived as {due[step]}"
            return


def _learning_rate(settings: TrainedSettings, curves: Curves, rows: int) -> Iterator[str]:
    """Yield learning rates that the schedule does not give."""
    for step, value in curves.get("learning_rate", NOTHING).items():
        due = scheduled(settings, rows, int(str(step)) - 1)
        if due is not None and abs(value - due) > 1e-6 * max(due, 1e-12) + 1e-15:
            yield f"learning_rate is {value} at update {step}, derived as {due}"
            return


def scheduled(settings: TrainedSettings, rows: int, done: int) -> float | None:
    """The learning rate after `done` updates, as transformers schedules it; None if unknown."""
    if isinstance(settings, RlSettings):
        name, warmup = "constant_with_warmup", settings.warmup_steps
        peak = settings.learning_rate
    elif isinstance(settings, SftSettings):
        name, warmup, peak = (
            settings.lr_scheduler_type,
            settings.warmup(rows),
            settings.learning_rate,
        )
    else:
        return None
    if done < warmup:
        return peak * done / max(1, warmup)
    left = max(1, settings.updates(rows) - warmup)
    share = {
        "constant_with_warmup": 1.0,
        "linear": max(0.0, (settings.updates(rows) - done) / left),
        "cosine": max(0.0, 0.5 * (1 + cos(pi * (done - warmup) / left))),
    }
    return peak * share[name]


def _rewards(settings: RlSettings, curves: Curves) -> Iterator[str]:
    """Yield rewards that are not the weighted mean of their parts, and impossible shares."""
    if not {"reward", "reward_accuracy", "reward_format"} <= set(curves):
        return
    share = settings.format_weight
    parts = (1 - share) * curves["reward_accuracy"] + share * curves["reward_format"]
    gap = (parts - curves["reward"]).dropna()
    penalised = bool(getattr(settings, "overlong_cache", 0))  # by at most 1 a completion
    wrong = gap[(gap < -ROUNDING) | (gap > (1 if penalised else 0) + ROUNDING)]
    if not wrong.empty:
        step = wrong.index[0]
        yield (f"reward is {curves['reward'][step]} at update {step}, its parts give {parts[step]}")
    yield from _of_batch(settings, curves)
    lengths = curves.get("completion_length", NOTHING)
    if (lengths > settings.max_completion_length).any():
        yield f"completion_length is {lengths.max()}, above {settings.max_completion_length}"


def _of_batch(settings: RlSettings, curves: Curves) -> Iterator[str]:
    """Yield shares of a rollout batch that so many completions cannot have."""
    if settings.updates_per_batch > 1:
        return  # means over several batches
    rollouts = settings.prompts_per_step * settings.num_generations
    of = dict.fromkeys(("reward_accuracy", "reward_format", "truncated_share"), rollouts)
    of |= {"completion_length": rollouts, "undecided_share": rollouts}
    of |= {"zero_variance_share": settings.prompts_per_step}
    if getattr(settings, "resample_rounds", 0):
        of = {}  # means over several batches
    of["resampled_share"] = settings.prompts_per_step
    for metric, count in of.items():
        counts = curves.get(metric, NOTHING) * count
        tolerance = OF_LENGTH * count if metric == "completion_length" else ROUNDING * count
        wrong = counts[(counts - counts.round()).abs() > tolerance]
        if not wrong.empty:
            value, step = wrong.iloc[0] / count, wrong.index[0]
            yield f"{metric} is {value} at update {step}, no share of {count}"


def _resampled(settings: RlSettings, curves: Curves) -> Iterator[str]:
    """Yield numbers of samples that the shares of groups drawn again do not explain."""
    share, rounds = curves.get("resampled_share", NOTHING), getattr(settings, "resample_rounds", 0)
    if share.empty or not rounds or settings.updates_per_batch > 1:
        return
    samples = curves["samples"]
    drawn = samples / (settings.prompts_per_step * settings.num_generations) - samples.index
    updates = (share > 0).cumsum().reindex(samples.index, method="ffill").fillna(0)
    wrong = drawn[(drawn < updates) | (drawn > rounds * updates)]
    if not wrong.empty:
        step = wrong.index[0]
        yield (
            f"samples is {samples[step]} at update {step}, {drawn[step]:.0f} further batches, but "
            f"groups were drawn again in {updates[step]:.0f} updates"
        )


# --- between histories ----------------------------------------------------------------------------


def _starts(
    stored: Stored,
    histories: Mapping[str, Curves],
    trained: list[Trained],
) -> Iterator[str]:
    """Yield first probe scores that other scores of the same weights contradict.

    Samples are the same where they are drawn by the numbers of one seed.
    """
    known: dict[tuple[object, ...], tuple[str, float]] = {}
    for grid, cell, curves in trained:
        pool, train = grid.specs.pool_hash(), stored.records[cell.id]["train"]
        samples = _samples_of(grid, cell)
        for metric in (*PROBE, *((SAMPLED_PROBE,) if is_shipped(grid, cell) else ())):
            if metric not in curves or 0 not in curves[metric].index:
                continue
            held = float(curves[metric][0])
            drawn = (cell.seed, samples) if metric == SAMPLED_PROBE else ()
            key = (pool, str(train.get("start_weights_hash")), metric, *drawn)
            first, value = known.setdefault(key, (cell.id, held))
            if held != value:
                yield (
                    f"{cell.id}: {metric} is {held} at update 0, that of {first} {value}, though "
                    "both start from the same weights"
                )
            start = grid.start(cell)
            if start is not None and drawn and _samples_of(grid, start) != samples:
                continue
            before = histories.get(start.id, {}) if start is not None else {}
            if start is not None and metric in before and before[metric].iloc[-1] != held:
                yield (
                    f"{cell.id}: {metric} is {held} at update 0, but {before[metric].iloc[-1]} at "
                    f"the end of {start.id}, from which it starts"
                )


def _samples_of(grid: Grid, cell: Cell) -> int:
    """The samples of an item of the probe, by the settings of a cell's arm."""
    return int(getattr(grid.arms[cell.arm].settings, "probe_samples", 0))


def _same_sampling(stored: Stored, trained: list[Trained]) -> Iterator[str]:
    """Yield cells without scores of sampled probes that others of the same version have."""
    known: dict[str, tuple[str, bool]] = {}
    for grid, cell, curves in trained:
        if not is_shipped(grid, cell) or not _samples_of(grid, cell):
            continue
        train = stored.records[cell.id]["train"]
        version = shown((train.get("code_commit"), train.get("lock_hash")))
        held = SAMPLED_PROBE in curves
        if NEWER in train and not held:
            yield f"{cell.id}: its history lacks {SAMPLED_PROBE}, though its manifest has {NEWER}"
            continue
        first, other = known.setdefault(version, (cell.id, held))
        if held is not other:
            has, lacks = (cell.id, first) if held else (first, cell.id)
            yield f"{lacks}: its history lacks {SAMPLED_PROBE}, that of {has} has it"


def _same_metrics(trained: list[Trained]) -> Iterator[str]:
    """Yield cells without a metric that others of their grid, model and method have."""
    known: dict[tuple[object, ...], tuple[str, bool]] = {}
    for grid, cell, curves in trained:
        if not is_shipped(grid, cell):
            continue
        held = ENTROPY in curves
        first, other = known.setdefault((id(grid), cell.model, cell.arm), (cell.id, held))
        if held is not other:
            has, lacks = (cell.id, first) if held else (first, cell.id)
            yield f"{lacks}: its history lacks {ENTROPY}, that of {has} has it"
