"""The rules: their shape, lint, what a dry run plans, and that files can be asked for by name."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from synthetic import make_bundle
from tiny import tiny_config

from reassess.bench.workflow import large_grid
from reassess.core.files import write_text
from reassess.core.project import ROOT
from reassess.figures import figure_names
from reassess.grid.study import Grid
from reassess.workflow.jobs import JOBS, jobs_of
from reassess.workflow.notes import note_of
from reassess.workflow.rules import CELL, any_of

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
    "Shell command directly uses variable CONFIG from outside of the rule": "as a parameter, the spelling of the config's path would count as one of its rule",
    "Specify a conda environment or container for each rule.": "one pinned environment holds Snakemake and every job (envs/)",
}


def snakemake(folder, *words):
    return subprocess.run([*SNAKEMAKE, *words], cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
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


def test_every_rule_file_is_included():
    included = re.findall(r'include: "workflow/rules/(\w+)\.smk"', (ROOT / "Snakefile").read_text())
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
            assert field.endswith(":q"), (name, field)


def test_no_parameter_of_a_rule_is_a_path_of_the_config():
    for name, body in rules():
        assert "CONFIG" not in body.partition("params:")[2].partition("message:")[0], name


def test_every_job_is_the_process_that_snakemake_started():
    """A shell in between would die of a signal before the job has saved."""
    for name, body in rules():
        assert re.search(r'shell:\s+"exec reassess job ', body), name


NASTY = [
    "sft$(id>PWNED)",
    "a b",
    "a;b",
    "a'b",
    "../../evil",
    "a\nb",
    "-x",
    "a`id`",
    "a{b}",
    "",
    "é",
    "a+b",
]


@pytest.mark.parametrize("name", NASTY)
def test_what_is_no_name_matches_no_wildcard(name):
    pattern = re.compile(any_of(["sft", name]))
    assert pattern.fullmatch("sft")
    assert not pattern.fullmatch(name)
    assert not re.fullmatch(CELL, f"model/rows/12/{name}/seed1")
    assert not re.fullmatch(CELL, f"{name}/base/seed1")
    assert re.fullmatch(any_of([name]), "") is None


def test_a_dot_in_a_name_is_a_dot():
    assert re.fullmatch(any_of(["v1.5"]), "v1.5")
    assert not re.fullmatch(any_of(["v1.5"]), "v1x5")


@pytest.mark.parametrize("cell", ["m/base/seed1", "m/rows/12/sft/seed10", "m.a/r-b/5/s_c/seed0"])
def test_cells_match_as_a_whole(cell):
    assert re.fullmatch(CELL, cell)
    for wrong in (
        f"{cell}/more",
        f"/{cell}",
        f"x/{cell}",
        cell.replace("/seed", "/../seed"),
        f"{cell}\n",
    ):
        assert not re.fullmatch(CELL, wrong)


def test_a_shell_runs_nothing_that_a_config_names(tmp_path):
    """The second wall: as if the config had not been checked, and no pattern stood before it."""
    from snakemake.utils import format

    evil = "sft$(id>PWNED)`id>PWNED`;id>PWNED #'\"\n"
    words = type("Words", (), {"__getattr__": lambda self, name: evil})()
    for name, body in rules():
        shell = "".join(re.findall(r'"(.*)"', body.partition("shell:")[2]))
        command = shell.replace("exec reassess", "printf '%s\\0'").partition(" > ")[0]
        names = dict.fromkeys(("wildcards", "params", "output", "input"), words)
        written = format(command, **names, log=evil, CONFIG=evil)
        done = subprocess.run(written, shell=True, cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, (name, done.stderr)
        assert evil.encode() in done.stdout.split(b"\0"), (name, written)
        assert list(tmp_path.iterdir()) == [], name


@pytest.mark.slow
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


@pytest.mark.slow
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
    planned = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    drawn = {"draw_figure": len(figure_names()), "tabulate": 1, "test_claims": 1}
    assert {name: int(planned[name]) for name in set(planned) - {"figures", "total"}} == drawn
    assert not (tmp_path / "scratch/micro/checkpoints").exists()


@pytest.mark.slow
def test_an_edited_rule_is_no_reason_to_run_a_job_again_and_a_changed_spec_is(tmp_path):
    """With the default profile, in a copy of the rules."""
    shutil.copy(ROOT / "Snakefile", tmp_path)
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    config = tiny_config(tmp_path, results="results", scratch="scratch")
    profile = str(tmp_path / "workflow/profiles/default")
    command = [sys.executable, "-m", "snakemake", "--profile", profile, "--cores", "1"]

    def make(*options):
        words = [*command, *options, "--config", f"config={config}", "--", "build_pool"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    make()
    assert "Nothing to be done" in make("--dry-run")
    rules_file = tmp_path / "workflow/rules/data.smk"
    rules_file.write_text(rules_file.read_text().replace('"pool: every split"', '"the pool"'))
    with rules_file.open("a") as appended:
        appended.write("# an edited comment\n")
    assert "Nothing to be done" in make("--dry-run")
    tiny_config(tmp_path, results="results", scratch="scratch", seeds=[1, 2])
    assert "Nothing to be done" in make("--dry-run")  # the pool does not depend on seeds of cells
    changed = yaml.safe_load(config.read_text())
    changed["world"]["seed"] = 7
    config.write_text(yaml.safe_dump(changed))
    assert "Nothing to be done" not in make("--dry-run")


@pytest.mark.parametrize("config", ["config.yaml", "config/stand-in.yaml", "config/paper.yaml"])
def test_nothing_committed_is_an_input_or_output_of_a_job(config, monkeypatch):
    """Checkout times are arbitrary: a committed input would run cells again, or make them look done."""
    monkeypatch.chdir(ROOT)
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True)
    committed = {Path(name).resolve() for name in listed.stdout.splitlines()}
    grid, files = Grid.load(config), set()
    for job in jobs_of(grid):
        for key in job.needed():
            files |= {Path(path).resolve() for path in (*job.inputs(key), *job.outputs(key))}
    assert files
    assert not files & committed
    above = {parent for path in committed for parent in path.parents}
    assert not files & above  # nor a folder that holds something committed


def test_parsing_the_snakefile_changes_nothing(tmp_path):
    """Notes and signals are the business of `reassess run` and of jobs, not of a dry run."""
    config = tiny_config(tmp_path)
    notes = tmp_path / ".snakemake" / "incomplete"
    notes.mkdir(parents=True)
    grid = Grid.load(config)
    for cell in grid.trained:
        write_text(note_of(notes, grid.paths.train_manifest(cell)), "{}")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    done = snakemake(tmp_path, "--config", f"config={config}", "--dry-run", "--", "cells")
    assert done.returncode == 0, done.stderr
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert {path: after.get(path) for path in before} == before
