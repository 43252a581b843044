"""Scoring one checkpoint on every benchmark: one process, one call of lm-eval, start-up paid once."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reassess.core.errors import ReassessError
from reassess.training.loading import quiet

quiet()

from lm_eval import simple_evaluate  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

from reassess.config.schema import Evaluation  # noqa: E402
from reassess.data.pool import read_pool  # noqa: E402
from reassess.evaluation.engine import (  # noqa: E402
    Answered,
    Drawing,
    ItemModel,
    answer_by_engine,
    answer_by_method,
)
from reassess.evaluation.sampling import sampled_scores  # noqa: E402
from reassess.grid.benchmarks import Benchmark  # noqa: E402
from reassess.grid.world import WorldRules  # noqa: E402
from reassess.training.layout import Layout  # noqa: E402
from reassess.verifier.grading import judge  # noqa: E402

if TYPE_CHECKING:
    import pandas as pd

PROPERTIES = ("hops", "filled")  # of an item, where its world has them


def evaluate_checkpoint(
    checkpoint: Path,
    pool: Path,
    world: WorldRules[Any],
    benchmarks: Mapping[str, Benchmark],
    method: Any,
    layout: Layout,
    protocol: Evaluation,
    *,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, dict[str, float]]]:
    """Return the predictions, one row an item, and the scores of each benchmark.

    Args:
        checkpoint: the folder of the checkpoint; not opened if the method answers by itself.
        pool: the folder of the split files.
        world: gives items and prompts.
        benchmarks: the benchmarks, by name.
        method: its `view` decides what the model sees, its `respond` may answer without a model.
        layout: the engine and its share of the hardware.
        protocol: token budget, batch, and whether further samples are drawn.
        seed: of further samples, and of methods that answer at random.

    Raises:
        ReassessError: the checkpoint or a split is missing or damaged, or lm-eval's score is not the verifier's.
    """
    items = {name: read_pool(pool / f"{name}.parquet", world.item_type) for name in benchmarks}
    asked = [item for split in items.values() for item in split]
    if method.respond(asked[:1], seed) is None:
        answer = answer_by_engine(
            checkpoint, world, method.view, layout, protocol.batch_size, protocol.max_new_tokens
        )
    else:
        answer = answer_by_method(method, seed)
    model = ItemModel(answer, world.item_type)
    scored = _run_lm_eval(model, pool, benchmarks)
    predictions = _predictions(items, model)
    if protocol.samples:
        drawn = answer(asked, Drawing(protocol.samples, protocol.sample_temperature, seed))
        predictions = predictions.assign(**_sampled(asked, drawn))
    return predictions, _scores(predictions, scored)


def _run_lm_eval(
    model: ItemModel, pool: Path, benchmarks: Mapping[str, Benchmark]
) -> dict[str, dict[str, float]]:
    """Return lm-eval's own results by benchmark."""
    folders: list[str | Path] = list(
        dict.fromkeys(str(one.source.parent) for one in benchmarks.values())
    )
    # The default index reads ten thousand task files that are not wanted here.
    tasks = TaskManager(include_path=folders, include_defaults=False, metadata={"pool": str(pool)})
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    results = simple_evaluate(
        model=model,
        tasks=[one.task for one in benchmarks.values()],
        task_manager=tasks,
        log_samples=False,
        bootstrap_iters=0,
    )
    assert results is not None  # only ranks above 0 get nothing
    return {name: dict(results["results"][one.task]) for name, one in benchmarks.items()}


def _sampled(items: list[Any], drawn: list[list[Answered]]) -> dict[str, list[Any]]:
    """Return the columns of further samples: how many, how many are correct, and their texts as JSON."""
    verdicts = [
        [judge(one.completion, item.answer, item.answer_kind).correct for one in own]
        for item, own in zip(items, drawn, strict=True)
    ]
    return {
        "samples": [len(own) for own in drawn],
        "sampled_correct": [sum(own) for own in verdicts],
        "sampled": [json.dumps([one.completion for one in own]) for own in drawn],
    }


def _predictions(items: dict[str, list[Any]], model: ItemModel) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for name, split in items.items():
        for item in split:
            answered = model.answered[item.id]
            verdict = judge(answered.completion, item.answer, item.answer_kind)
            rows.append(
                {
                    "benchmark": name,
                    "id": item.id,
                    "prompt_hash": answered.prompt_hash,
                    "completion": answered.completion,
                    "extracted": verdict.extracted,
                    "answer": item.answer,
                    "answer_kind": item.answer_kind,
                    "correct": verdict.correct,
                    "format_ok": verdict.format_ok,
                    "length": answered.length,
                    "truncated": answered.truncated,
                    "family": item.family,
                    **{name: getattr(item, name, None) for name in PROPERTIES},
                }
            )
    return pd.DataFrame(rows)


def _scores(
    predictions: pd.DataFrame, scored: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    """Return the scores of each benchmark, having held lm-eval's accuracy against the predictions."""
    scores = {}
    for name, rows in predictions.groupby("benchmark", sort=False):
        count, correct = len(rows), int(rows["correct"].sum())
        accuracy = scored[str(name)]["acc,none"]
        if abs(accuracy * count - correct) > 1e-6 * count:
            raise ReassessError(
                f"benchmark {name!r}: lm-eval scores {accuracy}, the verifier {correct} of {count}"
            )
        scores[str(name)] = {
            "n": count,
            "correct": correct,
            "accuracy": accuracy,
            "stderr": (accuracy * (1 - accuracy) / max(count - 1, 1)) ** 0.5,
            "format": float(rows["format_ok"].mean()),
            "truncated": float(rows["truncated"].mean()),
            "mean_length": float(rows["length"].mean()),
            **(sampled_scores(rows) if "samples" in rows else {}),
        }
    return scores
