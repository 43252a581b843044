"""Whether what training read and spent fits its rows, its completions, and the cells beside it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pandas as pd

from reassess.training.rl_settings import RlSettings
from reassess.training.settings import TrainedSettings
from reassess.training.sft_settings import SftSettings
from reassess.verify.cells import is_shipped, width_of
from reassess.verify.curves import Curves, Trained
from reassess.verify.stored import Stored

FEWEST = 2  # tokens of a sample: one of its prompt, one of its completion
UNCOUNTED = 0.05  # of completions: padding that a model wrote itself is not counted as tokens
LONGER = 8  # times as many FLOPs a token as another cell of the model and kind: longer sequences
OTHER_KIND = 30  # and than one of another kind, which generates, or sees images more often
LAST_DIGITS = 1e-9  # of sums of FLOPs, which are added up in parts


def check_budgets(stored: Stored, trained: list[Trained], notes: list[str]) -> Iterator[str]:
    """Yield tokens, FLOPs and times that these cells cannot have.

    Args:
        stored: the bundle.
        trained: its trained cells with whole histories.
        notes: receives amounts that are unlikely, but that unusual rows or completions can have.
    """
    shipped = [
        one
        for one in trained
        if is_shipped(one[0], one[1]) and isinstance(_settings(one), TrainedSettings)
    ]
    for grid, cell, curves in shipped:
        for problem in _amounts(curves, width_of(grid, cell.model)):
            yield f"{cell.id}: {problem}"
    yield from _same_rows(stored, shipped)
    yield from _passes(shipped)
    yield from _seconds(trained)
    notes += [*_prompts(shipped), *_flops_a_token(shipped), *_formulas(stored, trained)]


def _settings(one: Trained) -> object:
    grid, cell, _ = one
    return grid.arms[cell.arm].settings


# --- within one history ---------------------------------------------------------------------------


def _amounts(curves: Curves, width: int | None) -> Iterator[str]:
    """Yield tokens that are no number of tokens of so many samples, and FLOPs too few for them."""
    samples, tokens, flops = (curves[name] for name in ("samples", "tokens", "flops"))
    broken = tokens[tokens % 1 != 0]
    if not broken.empty:
        yield f"tokens is {broken.iloc[0]} at update {broken.index[0]}, no whole number"
    few = tokens[tokens < FEWEST * samples]
    if not few.empty:
        step = few.index[0]
        yield f"tokens is {few.iloc[0]} at update {step}, below {FEWEST} a sample ({samples[step]})"
    if width is None:
        return
    # A layer has more weights than the square of its width, and a product costs two a weight.
    low = flops[flops < 2 * width * width * tokens]
    if not low.empty:
        step = low.index[0]
        yield f"flops is {low.iloc[0]} at update {step}, too few for {tokens[step]} tokens"


# --- between histories ----------------------------------------------------------------------------


def _same_rows(stored: Stored, shipped: list[Trained]) -> Iterator[str]:
    """Yield SFT cells that spent other amounts than cells with the same rows in the same order."""
    known: dict[tuple[object, ...], tuple[str, pd.Series[float]]] = {}
    for one in shipped:
        (grid, cell, curves), settings = one, _settings(one)
        if not isinstance(settings, SftSettings):
            continue
        rows = stored.records[cell.id]["train"].get("rows_hash")
        key = (
            grid.family(cell.model), cell.distribution, cell.size, cell.seed, rows,
            settings.batch_size, settings.updates(cell.size or 0), settings.probe_every,
        )  # fmt: skip
        frozen = cell.model, settings.freeze_vision, settings.lora_rank is None
        of: dict[str, tuple[object, ...]] = {"tokens": key, "flops": (*key, *frozen)}
        for name, shared in of.items():
            first, other = known.setdefault((name, *shared), (cell.id, curves[name]))
            held = curves[name]
            if (
                not held.index.equals(other.index)
                or ((held - other).abs() > LAST_DIGITS * other.abs()).any()
            ):
                yield (
                    f"{cell.id}: {name} are others than those of {first}, which read the same rows"
                )


def _passes(shipped: list[Trained]) -> Iterator[str]:
    """Yield SFT cells that read other tokens in whole passes over the same rows."""
    known: dict[tuple[object, ...], tuple[str, float]] = {}
    for one in shipped:
        (grid, cell, curves), settings = one, _settings(one)
        if not isinstance(settings, SftSettings):
            continue
        key = (
            grid.family(cell.model), cell.distribution, cell.size, grid.specs.pool_hash(),
            grid.specs.row_draw(cell),
        )  # fmt: skip
        passes = curves["samples"] / (cell.size or 1)
        for step in passes.index[(passes > 0) & (passes % 1 == 0)]:
            held = float(curves["tokens"][step] / passes[step])
            first, other = known.setdefault(key, (cell.id, held))
            if held != other:
                yield (
                    f"{cell.id}: {held} tokens a pass over its rows at update {step}, of {first} "
                    f"{other}"
                )
                break


def _prompts(shipped: list[Trained]) -> Iterator[str]:
    """Yield RL cells whose tokens are not those of their completions and of the same prompts."""
    known: dict[tuple[object, ...], tuple[str, pd.Series[float]]] = {}
    for one in shipped:
        (grid, cell, curves), settings = one, _settings(one)
        lengths = curves.get("completion_length")
        if (
            not isinstance(settings, RlSettings)
            or lengths is None
            or getattr(settings, "resample_rounds", 0) > 0
            or settings.updates_per_batch > 1
        ):
            continue
        rollouts = settings.prompts_per_step * settings.num_generations
        steps = curves["tokens"].index
        written = (lengths * rollouts).cumsum().reindex(steps, method="ffill").fillna(0)
        prompts, slack = curves["tokens"] - written, UNCOUNTED * written + curves["samples"]
        few = prompts[prompts + slack < curves["samples"]]
        if not few.empty:
            yield (
                f"{cell.id}: tokens is {curves['tokens'][few.index[0]]} at update {few.index[0]}, "
                f"too few for completions of {written[few.index[0]]:.0f} tokens and their prompts"
            )
        key = (
            grid.family(cell.model), cell.distribution, cell.size, cell.seed,
            settings.prompts_per_step, settings.num_generations, settings.probe_every,
            grid.specs.pool_hash(),
        )  # fmt: skip
        first, other = known.setdefault(key, (cell.id, prompts))
        gap = (prompts - other).abs().dropna()
        wrong = gap[gap > 2 * slack.reindex(gap.index)]
        if not wrong.empty:
            step = wrong.index[0]
            yield (
                f"{cell.id}: {prompts[step]:.0f} tokens of prompts at update {step}, of {first} "
                f"{other[step]:.0f}, which has the same prompts"
            )


def _flops_a_token(shipped: list[Trained]) -> Iterator[str]:
    """Yield cells with many more or fewer FLOPs a token than others of their model, or a smaller.

    FLOPs follow from tokens and shapes but for the lengths of sequences and the sizes of images.
    """
    known: dict[tuple[int, tuple[object, ...]], list[tuple[float, str]]] = {}
    widths: dict[tuple[object, ...], dict[int, list[tuple[float, str]]]] = {}
    for one in shipped:
        (grid, cell, curves), settings = one, _settings(one)
        assert isinstance(settings, TrainedSettings)
        frozen = settings.freeze_vision, settings.lora_rank is None
        tokens, flops = float(curves["tokens"].iloc[-1]), float(curves["flops"].iloc[-1])
        if not tokens:
            continue
        held = flops / tokens, cell.id
        kind = grid.kind(cell)
        group = getattr(settings, "num_generations", None)  # sees its image once
        known.setdefault((LONGER, (cell.model, kind, group, *frozen)), []).append(held)
        known.setdefault((OTHER_KIND, (cell.model, *frozen)), []).append(held)
        if (width := width_of(grid, cell.model)) is not None:
            of_family = widths.setdefault((grid.family(cell.model), kind, *frozen), {})
            of_family.setdefault(width, []).append(held)
    for (most, _), ratios in known.items():
        (low, first), (high, last) = min(ratios), max(ratios)
        if high > low * most:
            yield (
                f"{first}: {low:.0f} FLOPs a token, {last} of the same model {high:.0f}, which "
                "the lengths of sequences do not explain"
            )
    for of_family in widths.values():
        for (_, smaller), (_, larger) in pairwise(sorted(of_family.items())):
            (high, first), (low, last) = max(smaller), min(larger)
            if low <= high:
                yield (f"{last}: {low:.0f} FLOPs a token, {first} of a smaller model {high:.0f}")


def _formulas(stored: Stored, trained: list[Trained]) -> Iterator[str]:
    """Yield that FLOPs were counted by several formulas, which are not to be compared."""
    cells: dict[str, list[str]] = {}
    for _, cell, _ in trained:
        formula = str(stored.records[cell.id]["train"].get("flops_formula"))
        cells.setdefault(formula, []).append(cell.id)
    if len(cells) > 1:
        named = "; ".join(f"{len(of)} by {name} ({of[0]})" for name, of in sorted(cells.items()))
        yield f"FLOPs were counted by {len(cells)} formulas: {named}"


def _seconds(trained: list[Trained]) -> Iterator[str]:
    """Yield cells whose times are those of another cell, to the last digit."""
    known: dict[tuple[float, ...], str] = {}
    for _, cell, curves in trained:
        seconds = tuple(curves["seconds"])
        if len(seconds) < 2 or not seconds[-1]:
            continue
        first = known.setdefault(seconds, cell.id)
        if first != cell.id:
            yield f"{cell.id}: its times are those of {first}, to the last digit"
