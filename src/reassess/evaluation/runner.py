"""Scoring one checkpoint on every benchmark: one process, one call of lm-eval, one start-up.

Call `reassess.training.loading.quiet` before this module is imported: it imports libraries that
read their environment once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import pandas as pd
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from reassess.config.schema import Config, Evaluation
from reassess.core.errors import ReassessError
from reassess.core.project import ROOT
from reassess.data.items import Item
from reassess.data.pool import read_pool
from reassess.data.questions import AskedItem, questions_of
from reassess.evaluation.engine import (
    Completion,
    ItemModel,
    Responder,
    SamplingParams,
    answer_by_engine,
    answer_by_method,
)
from reassess.evaluation.plugins import Told, ask, ask_elsewhere
from reassess.evaluation.sampling import sampled_scores
from reassess.grid.benchmarks import Benchmark
from reassess.grid.world import WorldRules
from reassess.methods import Method, source_of
from reassess.training.enclosure import grid_folders
from reassess.training.layout import Layout
from reassess.verifier import Verdict, grade_all

PROPERTIES = ("hops", "filled")  # of an item, where its world has them
Scores = dict[str, dict[str, float]]  # by benchmark


def evaluate_checkpoint(
    checkpoint: Path,
    pool: Path,
    world: WorldRules[Config],
    benchmarks: Mapping[str, Benchmark],
    method: Method,
    layout: Layout,
    protocol: Evaluation,
    *,
    seed: int,
) -> tuple[pd.DataFrame, Scores]:
    """The predictions, one row an item, and the scores of each benchmark.

    Args:
        checkpoint: the folder of the checkpoint; not opened if the method answers by itself.
        pool: the folder of the split files.
        world: makes items and prompts.
        benchmarks: the benchmarks, by name.
        method: its `view` decides what the model sees, its `respond` may answer without a model;
            neither is told an answer.
        layout: the engine and its share of the hardware.
        protocol: token budget, batch, and whether further samples are drawn.
        seed: of further samples, and of methods that answer at random.

    Raises:
        ReassessError: the checkpoint or a split is missing or damaged, lm-eval's score is not the
            verifier's, or the method looked at what it is not shown.
    """
    splits: dict[str, list[AskedItem]] = {
        name: read_pool(pool / f"{name}.parquet", world.item_type) for name in benchmarks
    }
    items = [item for split in splits.values() for item in split]
    asked = [item.asked() for item in items]
    told = _told(
        method, items, asked, world, [seed + number for number in range(protocol.samples or 1)]
    )
    respond: Responder[Item]
    if told.completions is None:
        shown = {item.id: item for item in (asked if told.views is None else told.views)}
        respond = answer_by_engine(
            checkpoint,
            world,
            lambda item: shown[item.id],
            layout,
            protocol.batch_size,
            protocol.max_new_tokens,
        )
    else:
        respond = answer_by_method(items, told.completions)
    model = ItemModel(_grading(respond), world.item_type)
    lm_eval_results = _run_lm_eval(model, pool, benchmarks)
    predictions = _predictions(splits, model.completions)
    if protocol.samples:
        sampling = SamplingParams(protocol.samples, protocol.sample_temperature, seed)
        predictions = predictions.assign(**_sample_columns(items, respond(items, sampling)))
    return predictions, scores_of(predictions, lm_eval_results)


def _told(
    method: Method,
    items: Sequence[AskedItem],
    asked: Sequence[AskedItem],
    world: WorldRules[Config],
    seeds: Sequence[int],
) -> Told:
    """What a method answers, or shows to the model; a plug-in is asked in another process."""
    words = {item.id: world.text_of(item) for item in asked}
    questions = questions_of(items, lambda item: words[item.id])
    own = (Method.respond, Method.view)
    if (type(method).respond, type(method).view) == own:
        return Told(None, None)
    if source_of(type(method)) is None:
        return ask(method, questions, asked, seeds)
    hidden = [*grid_folders(world.config), ROOT / ".git"]  # whose history has committed results
    return ask_elsewhere(method, questions, asked, seeds, hidden)


def _grading(respond: Responder[Item]) -> Responder[Item]:
    """Answer, and grade side by side what lm-eval then scores one by one.

    The verdicts are remembered, so that each completion is judged once.
    """

    def answer(items: Sequence[Item], sampling: SamplingParams) -> list[list[Completion]]:
        answers = respond(items, sampling)
        _verdicts(items, answers)
        return answers

    return answer


def _verdicts(
    items: Sequence[Item], answers: Sequence[Sequence[Completion]]
) -> list[list[Verdict]]:
    """The verdict on each completion of each item."""
    owners = [item for item, own in zip(items, answers, strict=True) for _ in own]
    verdicts = grade_all(
        [one.text for own in answers for one in own],
        [item.answer for item in owners],
        [item.answer_kind for item in owners],
    )
    rest = iter(verdicts)
    return [list(islice(rest, len(own))) for own in answers]


def _run_lm_eval(model: ItemModel, pool: Path, benchmarks: Mapping[str, Benchmark]) -> Scores:
    """lm-eval's own results by benchmark."""
    folders: list[str | Path] = list(
        dict.fromkeys(str(benchmark.source.parent) for benchmark in benchmarks.values())
    )
    # Without the default index, which reads ten thousand task files.
    tasks = TaskManager(include_path=folders, include_defaults=False, metadata={"pool": str(pool)})
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    results = simple_evaluate(
        model=model,
        tasks=[benchmark.task for benchmark in benchmarks.values()],
        task_manager=tasks,
        log_samples=False,
        bootstrap_iters=0,
    )
    assert results is not None  # ranks above 0 get None
    return {
        name: dict(results["results"][benchmark.task]) for name, benchmark in benchmarks.items()
    }


def _sample_columns(
    items: Sequence[Item], sampled: Sequence[Sequence[Completion]]
) -> dict[str, Sequence[int | str]]:
    """Columns of further samples: how many, their verdicts counted, and their texts as JSON."""
    verdicts = _verdicts(items, sampled)
    return {
        "samples": [len(completions) for completions in sampled],
        "sampled_correct": [sum(one.correct for one in own) for own in verdicts],
        "sampled_undecided": [sum(one.undecided for one in own) for own in verdicts],
        "sampled": [json.dumps([one.text for one in completions]) for completions in sampled],
    }


def _predictions(
    splits: Mapping[str, Sequence[Item]], completions: Mapping[str, Completion]
) -> pd.DataFrame:
    rows = []
    for name, split in splits.items():
        answers = [completions[item.id] for item in split]
        verdicts = _verdicts(split, [[answer] for answer in answers])
        for item, completion, (verdict,) in zip(split, answers, verdicts, strict=True):
            rows.append(
                {
                    "benchmark": name,
                    "id": item.id,
                    "prompt_hash": completion.prompt_hash,
                    "completion": completion.text,
                    "extracted": verdict.extracted,
                    "answer": item.answer,
                    "answer_kind": item.answer_kind,
                    "correct": verdict.correct,
                    "format_ok": verdict.format_ok,
                    "undecided": verdict.undecided,
                    "length": completion.length,
                    "truncated": completion.truncated,
                    "family": item.family,
                    **{name: getattr(item, name, None) for name in PROPERTIES},
                }
            )
    return pd.DataFrame(rows)


def scores_of(predictions: pd.DataFrame, lm_eval_results: Scores) -> Scores:
    """The scores of each benchmark; what the verifier left undecided is counted, and not correct.

    Raises:
        ReassessError: lm-eval's accuracy is not that of the verifier, which graded `predictions`.
    """
    scores = {}
    for name, rows in predictions.groupby("benchmark", sort=False):
        count, correct = len(rows), int(rows["correct"].sum())
        accuracy = lm_eval_results[str(name)]["acc,none"]
        if abs(accuracy * count - correct) > 1e-6 * count:
            raise ReassessError(
                f"benchmark {name!r}: lm-eval scores {accuracy}, the verifier {correct} of {count}"
            )
        scores[str(name)] = {
            "n": count,
            "correct": correct,
            "accuracy": accuracy,
            "stderr": (accuracy * (1 - accuracy) / max(count - 1, 1)) ** 0.5,
            "undecided": int(rows["undecided"].sum()),
            "format": float(rows["format_ok"].mean()),
            "truncated": float(rows["truncated"].mean()),
            "mean_length": float(rows["length"].mean()),
            **(_sampled_scores(rows) if "samples" in rows else {}),
        }
    return scores


def _sampled_scores(rows: pd.DataFrame) -> dict[str, float]:
    return {**sampled_scores(rows), "sampled_undecided": int(rows["sampled_undecided"].sum())}
