"""The rules: their shape, lint, what a dry run plans, and that files can be asked for by name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from synthetic import make_bundle
from tiny import tiny_config

from reassess.bench.cpu import large_grid
from reassess.core.manifest import ROOT
from reassess.figures import figure_names
from reassess.grid.study import Grid
from reassess.workflow.jobs import JOBS

SNAKEMAKE = [
    sys.executable,
    "-m",
    "snakemake",
    "--snakefile",
    str(ROOT / "Snakefile"),
    "--cores",
    "2",
]

# What Snakemake's linter says of rules here and is not heeded, and why.
JUSTIFIED = {
    "Specify a conda environment or container for each rule.": "one pinned environment holds Snakemake and every job (envs/)",
}


def snakemake(folder, *words):
    return subprocess.run([*SNAKEMAKE, *words], cwd=folder, capture_output=True, text=True)


def test_lint_finds_nothing_but_what_is_justified():
    done = subprocess.run([*SNAKEMAKE, "--lint"], cwd=ROOT, capture_output=True, text=True)
    findings = re.findall(r"^ +\* (.*?):?$", done.stdout + done.stderr, re.MULTILINE)
    assert findings, "the linter said nothing at all"
    assert {finding.rstrip(":") for finding in findings} <= set(JUSTIFIED)


def test_snakefmt_is_content():
    done = subprocess.run(
        [sys.executable, "-m", "snakefmt", "--check", "Snakefile", "workflow"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_snakefile_shows_the_whole_house_in_under_50_lines():
    text = (ROOT / "Snakefile").read_text()
    assert (
        len([line for line in text.splitlines() if line.strip() and not line.startswith("#")]) < 50
    )
    included = re.findall(r'include: "workflow/rules/(\w+)\.smk"', text)
    assert sorted(included) == sorted(path.stem for path in (ROOT / "workflow/rules").glob("*.smk"))


def rules():
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for name, body in re.findall(
            r"^ *rule (\w+):\n(.*?)(?=^ *rule |\Z)", path.read_text(), re.DOTALL | re.MULTILINE
        ):
            if "shell:" in body:
                yield name, body


@pytest.mark.parametrize(("name", "body"), [pytest.param(*rule, id=rule[0]) for rule in rules()])
def test_every_rule_has_one_shape_and_takes_its_files_and_resources_from_its_job(name, body):
    order = [
        "output:",
        "log:",
        "benchmark:",
        "threads:",
        "resources:",
        "params:",
        "message:",
        "shell:",
    ]
    places = [re.search(rf"^ +{word}", body, re.MULTILINE) for word in order]
    assert all(places), [word for word, place in zip(order, places, strict=True) if place is None]
    starts = [place.start() for place in places]
    assert starts == sorted(starts)
    # An attempt that failed for want of memory or time is followed by one that has more.
    for part in ("log", "benchmark", "mem_mb=memory", "runtime=runtime"):
        left, _, right = part.partition("=")
        assert re.search(rf"{left}\W\s*{name}_job\.{right or left}\b", body), part
    assert f"reassess job {name.replace('_', '-')} " in body


def test_every_job_has_a_rule_and_every_rule_a_job():
    assert {name for name, _ in rules()} == {job.name for job in JOBS}


def test_every_name_that_reaches_a_shell_is_quoted():
    for name, body in rules():
        shell = body.partition("shell:")[2]
        for field in re.findall(r"{([^}]+)}", shell):
            assert field.endswith(":q") or field == "params.partial", (name, field)


def test_a_cell_can_be_asked_for_by_its_file(tmp_path):
    config = tiny_config(tmp_path, methods=["base", "sft", "sft-grpo"])
    wanted = "results/tiny/cells/llava-w32/same-family/12/sft-grpo/seed1/scores.json"
    done = snakemake(tmp_path, "--config", f"config={config}", "--dry-run", "--", wanted)
    assert done.returncode == 0, done.stderr
    counts = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE))
    assert counts["train"] == "2"  # the cell and its cold start
    assert counts["evaluate"] == "1"
    nothing = snakemake(
        tmp_path,
        "--config",
        f"config={config}",
        "--dry-run",
        "--",
        wanted.replace("sft-grpo", "sft-grpp"),
    )
    assert nothing.returncode != 0
    assert "did you mean" in nothing.stdout + nothing.stderr


def test_a_large_grid_is_planned_whole(tmp_path):
    config = tmp_path / "large.yaml"
    config.write_text(yaml.safe_dump(large_grid(200, tmp_path)))
    done = snakemake(
        tmp_path, "--config", f"config={config}", "--dry-run", "--quiet", "rules", "--", "cells"
    )
    counts = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE))
    assert counts["train"] == counts["evaluate"] == "200"


def test_a_wrong_config_stops_before_any_job(tmp_path):
    config = tiny_config(tmp_path, seeds=[1, 1])
    done = snakemake(tmp_path, "--config", f"config={config}")
    assert done.returncode != 0
    assert "tiny.yaml: seeds: found [1, 1]" in done.stdout + done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_figures_are_redrawn_from_a_bundle_alone_and_nothing_is_trained(tmp_path):
    """Cells, scratch and figures gone: the bundle is all there is, and the same bytes come back."""
    import shutil

    from reassess.core.files import sha256_file
    from reassess.figures import draw_figures

    grid = make_bundle(tmp_path)
    out = grid.paths.results / "figures"
    draw_figures(grid.paths.bundle, out)
    before = {path.name: sha256_file(path) for path in out.iterdir()}
    for folder in (out, grid.paths.results / "cells"):
        shutil.rmtree(folder)
    config = f"config={ROOT / 'config.yaml'}"
    done = snakemake(tmp_path, "--config", config, "bundle=results/micro/bundle", "--", "figures")
    assert done.returncode == 0, done.stderr
    assert {path.name: sha256_file(path) for path in out.iterdir()} == before
    assert len(before) == 3 * len(figure_names())
    ran = set(re.findall(r"^Job \d+: (\w+)", done.stderr, re.MULTILINE))
    assert ran <= {"figure", "tables", "claims"}
    assert not (tmp_path / "scratch/micro/checkpoints").exists()


def test_an_edited_comment_is_no_reason_to_train_and_a_spec_is(tmp_path):
    """The profile's triggers: params hold the spec hash, code is not among them."""
    profile = yaml.safe_load((ROOT / "workflow/profiles/default/config.yaml").read_text())
    assert set(profile["rerun-triggers"]) == {"mtime", "params", "input"}
    text = (ROOT / "workflow/rules/train.smk").read_text()
    assert "spec=train_job.spec" in text
    assert Grid.load(tiny_config(tmp_path)).cells


def test_nothing_committed_is_an_input_of_a_job():
    """Checkout times are arbitrary: a committed input would retrain cells, or make them look done."""
    for _, body in rules():
        inputs = re.search(r"input:\n(.*?)output:", body, re.DOTALL)
        assert inputs is None or not re.search(
            r"config\.yaml|envs/|src/|reference", inputs.group(1)
        )
    assert Path(ROOT / "results/README.md").exists()
