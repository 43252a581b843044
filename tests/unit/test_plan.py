"""The cost model against published sizes, FLOPs and step times, and a plan that adds up."""

import json
import math
import shutil
from dataclasses import replace

import pytest
import yaml
from synthetic import grid_in

from reassess.core.errors import ReassessError
from reassess.core.project import ROOT
from reassess.figures import figure_names
from reassess.grid.costs import Estimate
from reassess.grid.study import Grid
from reassess.workflow import jobs
from reassess.workflow.jobs.job import CellKey
from reassess.workflow.plan import RuleCost, as_table, plan, requests
from reassess.workflow.resources import for_data
from reassess.worlds.hub.costs import benchmark_items
from reassess.worlds.hub.pins import Pin, Pins
from reassess.worlds.hub.shapes import SHAPES, shape_of
from reassess.worlds.hub.world import hub_of


def training(grid, cell):
    return jobs.Train(grid).resources(CellKey(cell.id))


def evaluation(grid, cell):
    return jobs.Evaluate(grid).resources(CellKey(cell.id))


def sampling(grid, family, distribution):
    return jobs.SampleShard(grid).resources(jobs.SampleShard.key(family, distribution, 0))


def gathering(grid):
    return jobs.Collect(grid).resources(jobs.Collect.key())


PAPER = Grid.load(ROOT / "config" / "paper.yaml")


@pytest.mark.parametrize(
    ("repo", "total"),
    [
        ("Qwen/Qwen2-VL-2B-Instruct", 2_208_985_600),
        ("Qwen/Qwen2-VL-7B-Instruct", 8_291_375_616),
        ("Qwen/Qwen2.5-VL-3B-Instruct", 3_754_622_976),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 8_292_166_656),
        ("Qwen/Qwen2.5-VL-32B-Instruct", 33_452_718_336),
    ],
)
def test_shapes_have_the_published_number_of_parameters(repo, total):
    assert SHAPES[repo].parameters == pytest.approx(total, rel=1e-3)


@pytest.mark.parametrize(
    ("size", "layers", "head", "visual"),
    [("2-VL-2B", 2.62, 0.47, 5.1), ("2.5-VL-3B", 5.55, 0.62, 5.2), ("2.5-VL-7B", 13.05, 1.09, 5.2)],
)
def test_flops_a_token_are_those_counted_elsewhere(size, layers, head, visual):
    """GFLOP forward: a token of the layers, a scored token of the head, a visual token of the tower."""
    shape = SHAPES[f"Qwen/Qwen{size}-Instruct"]
    assert 2 * shape.body / 1e9 == pytest.approx(layers, abs=0.01)
    assert 2 * shape.head / 1e9 == pytest.approx(head, abs=0.01)
    assert 4 * 2 * shape.tower / 1e9 == pytest.approx(visual, abs=0.1)


def test_shapes_from_a_config_file_count_like_the_model_itself(tmp_path):
    from reassess.training.flops import flops_model
    from reassess.worlds.hub.config import Pixels, Prompt
    from reassess.worlds.hub.items import messages_of
    from reassess.worlds.hub.testing.data_sets import example_items
    from reassess.worlds.hub.testing.models import build_model, save_as_published
    from reassess.worlds.hub.testing.tokenizer import stand_in_tokenizer

    items = example_items(["geoqa"])
    tokenizer = stand_in_tokenizer(items, lambda item: messages_of(item, Prompt()))
    for repo in ("a/Qwen2-VL-2B", "a/Qwen2.5-VL-7B"):
        model, processor = build_model(repo, tokenizer, Pixels())
        folder = tmp_path / repo.replace("/", "-")
        save_as_published(model, processor, folder)
        counted, shape = flops_model(model), shape_of(repo, folder)
        # Norms and biases are no matrix products; the model's own count includes them.
        assert shape.parameters == pytest.approx(
            sum(one.numel() for one in model.parameters()), rel=0.03
        )
        assert shape.flops(False).training([90], 20, [16, 16]) == pytest.approx(
            counted.training([90], 20, [16, 16]), rel=0.05
        )
    with pytest.raises(ReassessError, match=r"a/b.*shapes\.py"):
        shape_of("a/b", tmp_path)


def cell(arm, model="qwen2.5-vl-7b", size=20000):
    return next(
        one
        for one in PAPER.trained.values()
        if (one.arm, one.model, one.size, one.seed) == (arm, model, size, 1)
    )


# EasyR1 on 8 H100 with 512 x 5 rollouts of about 700 tokens: 145 s a step (7B), 120 s (3B). The
# estimate counts 775 tokens a sequence, so it is never below these; the factors are ours.
@pytest.mark.parametrize(
    ("model", "seconds", "factor"), [("qwen2.5-vl-7b", 145, 1.2), ("qwen2.5-vl-3b", 120, 1.4)]
)
def test_a_step_of_an_rl_run_takes_the_published_time_within_a_factor(model, seconds, factor):
    one = cell("grpo", model)
    settings = PAPER.arms["grpo"].settings
    steps = settings.updates(one.size) / settings.updates_per_batch
    assert steps == 79  # two passes over 20,000 prompts
    estimate = PAPER.world.training_cost(PAPER, one)
    startup = estimate.gpus * PAPER.config.costs.startup_minutes / 60
    gpu_seconds = 3600 * (estimate.gpu_hours - startup) / steps
    assert 8 * seconds <= gpu_seconds <= 8 * seconds * factor


def repriced(**changes):
    costs = PAPER.config.costs.model_copy(update=changes)
    return Grid(PAPER.config.model_copy(update={"costs": costs}))


def test_an_rl_run_costs_three_forward_passes_over_the_stated_rate():
    """The formula written out for one cell: forward FLOPs of text and image, times three, by rate."""
    one, shape, costs = cell("grpo"), SHAPES["Qwen/Qwen2.5-VL-7B-Instruct"], PAPER.config.costs
    sequences = math.ceil(2 * 20000 / 512) * 512 * 5
    tokens = costs.text_tokens + costs.visual_tokens + costs.rollout_tokens
    language = 2 * shape.body * tokens + 2 * shape.head * costs.rollout_tokens
    language += 2 * shape.layers * shape.hidden * tokens**2
    patches = 4 * costs.visual_tokens
    seen = shape.tower_full * patches + (shape.tower_depth - shape.tower_full) * 64
    vision = 2 * shape.tower * patches + 4 * shape.tower_width * patches * seen
    seconds = 3 * (language + vision) * sequences / (1e12 * costs.peak_tflops * costs.rl_mfu_large)
    hours = seconds / 3600 + 8 * costs.startup_minutes / 60
    assert PAPER.world.training_cost(PAPER, one).gpu_hours == pytest.approx(hours)


def test_costs_are_in_proportion_to_work_and_inversely_to_rates():
    free = {"startup_minutes": 0}
    for arm, rate in (("grpo", "rl_mfu_large"), ("sft", "sft_mfu")):
        one = cell(arm)
        usual = repriced(**free)
        cost = usual.world.training_cost(usual, one).gpu_hours
        faster = repriced(**free, **{rate: 2 * getattr(PAPER.config.costs, rate)})
        assert faster.world.training_cost(faster, one).gpu_hours == pytest.approx(cost / 2)
        half = usual.world.training_cost(usual, cell(arm, size=10000)).gpu_hours
        assert half == pytest.approx(cost / 2, rel=0.02)  # whole batches
    shard = PAPER.world.shard_cost(PAPER, "qwen-vl", "same-family")
    double = repriced(engine_tokens_7b=2 * PAPER.config.costs.engine_tokens_7b)
    halved = double.world.shard_cost(double, "qwen-vl", "same-family")
    startup = shard.gpus * PAPER.config.costs.startup_minutes / 60
    assert halved.gpu_hours - startup == pytest.approx((shard.gpu_hours - startup) / 2)


def test_costs_follow_rows_methods_and_frozen_towers():
    cost = PAPER.world.training_cost
    assert cost(PAPER, cell("sft")).gpu_hours > 3 * (
        cost(PAPER, cell("sft", size=2000)).gpu_hours - 0.4
    )
    assert (
        cost(PAPER, cell("dapo")).gpu_hours
        > cost(PAPER, cell("grpo")).gpu_hours
        > cost(PAPER, cell("sft")).gpu_hours
    )
    assert cost(PAPER, cell("sft")).gpus == 8
    assert PAPER.world.shard_cost(PAPER, "qwen-vl", "same-family").gpus == 2  # 32B
    assert PAPER.world.shard_cost(PAPER, "qwen-vl", "same-family-7b").gpus == 1


def test_a_plan_adds_up_and_names_every_rule_that_costs_something():
    lines = plan(PAPER)
    assert [line.rule for line in lines] == ["fetch", "sample_shard", "train", "evaluate", "total"]
    *parts, total = lines
    assert total.jobs == sum(line.jobs for line in parts)
    assert total.gpu_hours == pytest.approx(sum(line.gpu_hours for line in parts))
    train = next(line for line in lines if line.rule == "train")
    assert train.jobs == len(PAPER.trained)
    assert train.gpu_hours == pytest.approx(
        sum(PAPER.world.training_cost(PAPER, one).gpu_hours for one in PAPER.trained.values())
    )
    text = as_table(lines, 2.0, "EUR")
    assert f"{2 * total.gpu_hours:,.0f} EUR" in text
    assert "longest job" in text


def test_lines_add_and_keep_the_largest():
    line = RuleCost("x")
    line.add(Estimate(gpus=4, gpu_hours=8, scratch_gb=5, disk_gb=1, download_gb=2))
    line.add(Estimate(gpus=1, gpu_hours=1, scratch_gb=9))
    assert (line.jobs, line.gpu_hours, line.longest_hours, line.largest_scratch_gb) == (2, 9, 2, 9)
    total = RuleCost("total")
    total.plus(line)
    assert total == replace(line, rule="total")


def test_jobs_get_twice_their_estimate_and_memory_by_gpu(tmp_path):
    one = cell("grpo")
    hours = PAPER.world.training_cost(PAPER, one).hours
    assert training(PAPER, one).minutes == pytest.approx(120 * hours, abs=1)
    assert (training(PAPER, one).gpus, training(PAPER, one).cpus, training(PAPER, one).memory) == (
        8,
        64,
        8 * 65536,
    )
    scored = evaluation(PAPER, one)
    assert (scored.gpus, scored.cpus, scored.memory) == (1, 8, 65536) and scored.minutes >= 15
    shard = sampling(PAPER, "qwen-vl", "same-family")
    assert (shard.gpus, shard.memory) == (2, 2 * 65536) and shard.minutes > 30
    micro = grid_in(tmp_path)
    trained = next(iter(micro.trained.values()))
    assert (
        training(micro, trained).minutes,
        training(micro, trained).memory,
        training(micro, trained).cpus,
    ) == (30, 1500, 1)
    assert (for_data(micro).memory, for_data(PAPER).memory) == (1500, 16384)


def test_the_most_that_each_rule_asks_for(tmp_path):
    found = requests(PAPER, {})
    assert found["train"].gpus == max(model.gpus for model in PAPER.config.models.values())
    assert found["train"].minutes == max(
        training(PAPER, one).minutes for one in PAPER.trained.values()
    )
    drawn = len(figure_names()) + len(("tables", "claims"))
    assert found["draw"] == replace(gathering(PAPER), minutes=gathering(PAPER).minutes + 5 * drawn)
    unused = {"judge", "build_tokenizer", "build_teacher"}  # no judge; nothing is trained before
    assert set(found) == {job.name for job in jobs.JOBS} - unused | {"draw"}
    judged = Grid(
        PAPER.config.model_copy(
            update={
                "evaluation": PAPER.config.evaluation.model_copy(update={"judge": "qwen2.5-vl-32b"})
            }
        )
    )
    judge = requests(judged, {})["judge"]
    assert all(
        (one.gpus, one.cpus, one.memory <= 2000) == (0, 1, True)
        for one in requests(grid_in(tmp_path), {}).values()
    )
    profile = {
        "set-resources": [
            "train:cpus_per_task=48",
            "train:mem_mb=attempt*9",
            "evaluate:gpu=2",
            "train:slurm_extra='x=1'",
        ]
    }
    nested = {"set-resources": {"train": {"cpus_per_task": 48}, "evaluate": {"gpu": 2}}}
    assert requests(PAPER, profile) == requests(PAPER, nested)
    asked = requests(PAPER, profile)
    assert asked["train"] == replace(found["train"], cpus=48) and asked["evaluate"] == replace(
        found["evaluate"], gpus=2
    )
    assert (
        judge.gpus == PAPER.world.engine_layout("qwen2.5-vl-32b").processes
        and judge.memory == judge.gpus * 65536
    )


def test_what_reads_all_scores_is_given_memory_and_time_by_their_number(tmp_path):
    micro = grid_in(tmp_path)
    assert micro.world.items_scored(micro) == 2000 + 5 * 300
    assert gathering(micro).memory == 1000 + math.ceil(60 * len(micro.cells) * 3500 / 2**20)
    published = PAPER.config.costs.benchmark_items
    assert PAPER.world.items_scored(PAPER) == sum(published[name] for name in PAPER.benchmarks)
    scores = len(PAPER.cells) * PAPER.world.items_scored(PAPER)
    assert gathering(PAPER).minutes == 5 + math.ceil(scores / 1e6)
    stand_in = Grid.load(ROOT / "config" / "stand-in.yaml")
    assert stand_in.world.items_scored(stand_in) == 6 * len(stand_in.benchmarks)


def test_a_benchmark_states_its_own_size_unless_the_config_does():
    costs, known = PAPER.config.costs, PAPER.benchmarks["mmmu"]
    unknown = replace(known, name="unknown")
    sized = replace(unknown, metadata={**known.metadata, "items": 321})
    assert benchmark_items(costs, replace(sized, name="mmmu")) == costs.benchmark_items["mmmu"]
    assert benchmark_items(costs, sized) == 321
    assert benchmark_items(costs, unknown) == costs.other_benchmark_items
    for wrong in (0, "many", True):
        with pytest.raises(ReassessError, match=r"mmmu\.yaml: metadata\.items"):
            benchmark_items(costs, replace(sized, metadata={"items": wrong}))


def test_pinned_sizes_replace_assumptions(tmp_path):
    shutil.copy(ROOT / "config" / "pins.yaml", tmp_path / "pins.yaml")
    pins = Pins.load(tmp_path / "pins.yaml")
    pins.pinned["dataset", "openai/gsm8k"] = Pin("0" * 40, {"a.parquet": [7_000_000_000, None]})
    pins.save()
    config = {
        "extends": str(ROOT / "config" / "paper.yaml"),
        "world": {"pins": str(tmp_path / "pins.yaml")},
    }
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(config))
    grid = Grid.load(tmp_path / "grid.yaml")
    before = {line.rule: line for line in plan(PAPER)}["fetch"].download_gb
    assert {line.rule: line for line in plan(grid)}["fetch"].download_gb == pytest.approx(
        before + 6
    )
    weights = sum(
        2 * SHAPES[model.hub].parameters / 1e9 for model in hub_of(grid).config.models.values()
    )
    assert before > weights
    assert json.dumps(grid.specs.pool())  # plain data
