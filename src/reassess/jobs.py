"""The two jobs of a cell: training and evaluation."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import Any

from reassess.files import read_json, sha256_text, write_json, write_parquet
from reassess.grid import Cell, Grid
from reassess.locks import exclusive
from reassess.manifest import Manifest
from reassess.seeds import derive_seed


def train_cell(grid: Grid, cell: Cell) -> None:
    """Train a cell by its method; writes checkpoint, history and manifest.

    One job a cell: where an orphan of a killed run is still training it, this one waits and takes over its result.
    """
    from reassess.training import launch
    from reassess.training.run import TrainingRun

    run, method = TrainingRun(grid, cell), grid.arms[cell.arm].build()
    if launch.is_worker():  # the process that launched this one holds the lock
        launch.work(run, method)
        return
    with exclusive(grid.lock_file(cell)):
        if run.is_finished():
            print(f"cell {cell.id} was finished meanwhile by another job; its result is taken over")
            return
        launch.train(run, method)


def evaluate_cell(grid: Grid, cell: Cell) -> None:
    """Score a cell's checkpoint on every benchmark; writes predictions and, last, the scores.

    The processor the model was trained with must be the one it is evaluated with: one image pipeline for both.
    """
    from reassess.errors import ReassessError
    from reassess.evaluation.runner import evaluate_checkpoint
    from reassess.training.loading import load_processor

    manifest = Manifest("evaluate", grid.evaluation_spec(cell), grid.evaluation_hash(cell))
    folder = grid.cell_dir(cell)
    checkpoint = grid.checkpoint_dir(cell)
    template_hash = sha256_text(str(load_processor(checkpoint).chat_template))
    trained: dict[str, Any] | None = None
    if grid.kind(cell) != "none":
        trained = read_json(folder / "train.json")
        if trained["template_hash"] != template_hash:
            raise ReassessError(f"{checkpoint}: its chat template is not the one cell {cell.id} was trained with")
    predictions, scores = evaluate_checkpoint(
        checkpoint,
        grid.pool_file("train").parent,
        grid.world,
        grid.benchmarks,
        grid.arms[cell.arm].build(),
        grid.world.engine_layout(cell.model),
        grid.config.evaluation,
        seed=derive_seed("evaluate", cell.seed),
    )
    write_parquet(folder / "predictions.parquet", predictions)
    manifest.add(template_hash=template_hash, weights_hash=trained["weights_hash"] if trained else None)
    benchmarks = {name: asdict(score) if is_dataclass(score) else score for name, score in scores.items()}
    content = {"cell": cell.id, "spec_hash": grid.evaluation_hash(cell), "train_hash": grid.spec_hash(cell)}
    write_json(folder / "scores.json", {**content, "benchmarks": benchmarks, "manifest": manifest.close()})


def judge_cell(grid: Grid, cell: Cell) -> None:
    """Let the configured model judge a cell's stored answers; writes its verdicts and, last, the judged scores."""
    import pandas as pd

    from reassess.data.pool import read_pool
    from reassess.evaluation import second
    from reassess.evaluation.language_model import GREEDY, answer_by_engine
    from reassess.files import read_parquet

    protocol, folder = grid.config.evaluation, grid.cell_dir(cell)
    name = str(protocol.judge)
    manifest = Manifest("judge", grid.evaluation_spec(cell), grid.evaluation_hash(cell))
    predictions = read_parquet(folder / "predictions.parquet")
    items = {benchmark: read_pool(grid.pool_file(benchmark), grid.world.item_type) for benchmark in grid.benchmarks}
    asked = second.asked_of(predictions, second.as_questions(items, grid.world.text_of))
    checkpoint, layout, prompts = grid.base_dir(name), grid.world.engine_layout(name), second.JudgePrompts()
    answer = answer_by_engine(checkpoint, prompts, lambda one: one, layout, protocol.batch_size, second.BUDGET)
    replies = [one.completion for (one,) in answer(asked, GREEDY)]
    judged = predictions[["benchmark", "id", "correct"]].copy()
    judged["reply"] = replies
    judged["judged"] = pd.Series(map(second.read_reply, replies), dtype=object, index=judged.index)
    write_parquet(folder / "judged.parquet", judged)
    content = {"cell": cell.id, "judge": name, "version": second.VERSION, "prompt_hash": second.prompt_hash()}
    write_json(folder / "judged.json", {**content, "benchmarks": second.judged_scores(judged), "manifest": manifest.close()})
