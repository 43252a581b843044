"""A checkpoint is what its manifest states, file by file; files have the modes of the umask."""

import os
import shutil
import stat
from contextlib import contextmanager

import pytest
import steps
from tiny import tiny_grid

from reassess.core.errors import ReassessError
from reassess.core.files import read_json, write_json, write_parquet, write_text
from reassess.training.checkpoints import check, describe, weights_hash
from reassess.workflow import jobs
from reassess.workflow.jobs.inputs import check_training_inputs
from reassess.workflow.jobs.job import TracesKey
from reassess.workflow.jobs.train import training_run

FILES = ("model.safetensors", "config.json", "tokenizer.json", "generation_config.json")


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A grid with a trained SFT cell, from which the cell `sft-grpo` starts."""
    grid = tiny_grid(tmp_path_factory.mktemp("weights"), methods=["base", "sft", "sft-grpo"])
    steps.build_before_cells(grid)
    steps.train(grid, cell_of(grid, "sft"))
    return grid


def cell_of(grid, arm):
    return next(cell for cell in grid.cells.values() if cell.arm == arm)


def flip(path):
    """Flip one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@contextmanager
def put_back(*paths):
    """Restore files or folders afterwards."""
    kept = {path: path.read_bytes() if path.is_file() else None for path in paths}
    try:
        yield
    finally:
        for path, content in kept.items():
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)


def check_training(grid, arm):
    cell = cell_of(grid, arm)
    check_training_inputs(grid, cell, training_run(grid, cell))


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_not_scored(grid, name):
    cell = cell_of(grid, "sft")
    path = grid.paths.checkpoint(cell.id) / name
    with put_back(path):
        flip(path)
        with pytest.raises(ReassessError) as caught:
            steps.evaluate(grid, cell)
    message = str(caught.value)
    assert str(path) in message
    assert cell.id in message
    assert str(grid.paths.train_manifest(cell.id)) in message
    assert not grid.paths.scores(cell.id).exists()


def test_a_damaged_base_is_not_scored(grid):
    cell = cell_of(grid, "base")
    path = grid.paths.base(cell.model) / "model.safetensors"
    with put_back(path):
        flip(path)
        with pytest.raises(ReassessError, match=r"model\.safetensors") as caught:
            steps.evaluate(grid, cell)
    assert str(grid.paths.base_manifest(cell.model)) in str(caught.value)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("arm", ["sft", "sft-grpo"])
def test_training_starts_from_no_damaged_checkpoint(grid, arm, name):
    path = grid.start_checkpoint(cell_of(grid, arm)) / name
    with put_back(path):
        flip(path)
        with pytest.raises(ReassessError) as caught:
            check_training(grid, arm)
    assert str(path) in str(caught.value)


def test_a_training_job_checks_what_it_reads(grid, monkeypatch):
    cell = cell_of(grid, "sft-grpo")
    path = grid.start_checkpoint(cell) / "model.safetensors"
    monkeypatch.setattr("reassess.training.launch.train", lambda *_: pytest.fail("it trained"))
    with put_back(path):
        flip(path)
        with pytest.raises(ReassessError, match=r"model\.safetensors"):
            steps.train(grid, cell)


def test_rows_are_prepared_with_no_damaged_tokenizer(grid):
    path = grid.paths.base("llava-w32") / "tokenizer.json"
    with put_back(path):
        flip(path)
        with pytest.raises(ReassessError, match=r"tokenizer\.json"):
            jobs.PrepareRows(grid).run(TracesKey("llava", "same-family"))
        with pytest.raises(ReassessError, match=r"tokenizer\.json"):
            check_training(grid, "sft")


@pytest.mark.parametrize(
    "name",
    [
        "extra.safetensors",
        "pytorch_model.bin",
        "modeling_custom.py",
        "adapter_config.json",
        "chat_template.json",
        "additional_chat_templates/other.jinja",
    ],
)
def test_a_file_that_the_manifest_does_not_state_is_refused_by_name(grid, name):
    cell = cell_of(grid, "sft")
    path = grid.paths.checkpoint(cell.id) / name
    path.parent.mkdir(exist_ok=True)
    with put_back(path):
        path.write_bytes(b"{}")
        with pytest.raises(ReassessError) as caught:
            steps.evaluate(grid, cell)
    if path.parent.name == "additional_chat_templates":
        path.parent.rmdir()
    assert name in str(caught.value)


def test_a_missing_file_is_named(grid):
    cell = cell_of(grid, "sft")
    path = grid.paths.checkpoint(cell.id) / "generation_config.json"
    with put_back(path):
        path.unlink()
        with pytest.raises(ReassessError, match=r"generation_config\.json"):
            steps.evaluate(grid, cell)


def test_marks_of_snakemake_and_shared_folders_are_no_part_of_a_checkpoint(grid):
    cell = cell_of(grid, "sft")
    folder, manifest = grid.paths.checkpoint(cell.id), grid.paths.train_manifest(cell.id)
    for name in (".snakemake_timestamp", ".nfs0000000001", ".DS_Store"):
        with put_back(folder / name):
            (folder / name).write_text("")
            check(folder, manifest, "cell")


def test_a_sound_checkpoint_is_scored_and_its_hash_recorded(grid):
    cell = cell_of(grid, "sft")
    steps.evaluate(grid, cell)
    trained = read_json(grid.paths.train_manifest(cell.id))
    scored = read_json(grid.paths.scores(cell.id))["manifest"]
    assert trained["checkpoint_hash"] == scored["checkpoint_hash"]
    assert trained["weights_hash"] == scored["weights_hash"]
    assert trained["weights_hash"] == weights_hash(grid.paths.checkpoint(cell.id))
    base = read_json(grid.paths.base_manifest(cell.model))
    assert trained["start_weights_hash"] == base["weights_hash"]
    assert trained["start_checkpoint_hash"] == base["checkpoint_hash"]
    grid.paths.scores(cell.id).unlink()


# --- names count -----------------------------------------------------------------------------


def shards(folder, names):
    """A made-up checkpoint of two shards."""
    folder.mkdir()
    for name, content in zip(names, (b"first", b"second"), strict=True):
        (folder / name).write_bytes(content)
    (folder / "config.json").write_text("{}")
    return folder


def test_swapped_and_renamed_shards_have_another_hash(tmp_path):
    first = describe(shards(tmp_path / "a", ["model-1.safetensors", "model-2.safetensors"]))
    swapped = describe(shards(tmp_path / "b", ["model-2.safetensors", "model-1.safetensors"]))
    renamed = describe(shards(tmp_path / "c", ["model-1.safetensors", "model-3.safetensors"]))
    hashes = [one["checkpoint_hash"] for one in (first, swapped, renamed)]
    assert len(set(hashes)) == 3
    assert first["weights_hash"] == renamed["weights_hash"]  # as earlier manifests have it


def test_an_index_may_name_no_file_elsewhere(grid, tmp_path):
    folder = tmp_path / "checkpoint"
    shutil.copytree(grid.paths.base("llava-w32"), folder)
    write_json(
        folder / "model.safetensors.index.json", {"weight_map": {"a": "../base/model.safetensors"}}
    )
    from reassess.training.loading import check_checkpoint

    with pytest.raises(ReassessError, match=r"\.\./base/model\.safetensors"):
        check_checkpoint(folder)


# --- manifests of earlier versions -----------------------------------------------------------


def test_an_earlier_manifest_still_vouches_for_the_weights(grid, tmp_path, capsys):
    cell = cell_of(grid, "sft")
    folder = tmp_path / "checkpoint"
    shutil.copytree(grid.paths.checkpoint(cell.id), folder)
    manifest = read_json(grid.paths.train_manifest(cell.id))
    old = {name: value for name, value in manifest.items() if not name.startswith("checkpoint_")}
    write_json(tmp_path / "train.json", old)
    checked = check(folder, tmp_path / "train.json", f"cell {cell.id}")
    assert checked.hashes["weights_hash"] == manifest["weights_hash"]
    assert str(tmp_path / "train.json") in capsys.readouterr().err
    (folder / "evil.py").write_text("")
    with pytest.raises(ReassessError, match=r"evil\.py"):
        check(folder, tmp_path / "train.json", "cell")
    (folder / "evil.py").unlink()
    flip(folder / "model.safetensors")
    with pytest.raises(ReassessError, match=r"model\.safetensors"):
        check(folder, tmp_path / "train.json", "cell")
    write_json(tmp_path / "train.json", {})
    check(folder, tmp_path / "train.json", "cell")  # nothing is stated; the note says so
    with pytest.raises(ReassessError, match=r"none\.json"):
        check(folder, tmp_path / "none.json", "cell")


# --- between the hash and the end of the job --------------------------------------------------


def test_a_file_replaced_after_it_was_hashed_is_found(grid, tmp_path):
    cell = cell_of(grid, "sft")
    folder = tmp_path / "checkpoint"
    shutil.copytree(grid.paths.checkpoint(cell.id), folder)
    checked = check(folder, grid.paths.train_manifest(cell.id), "cell")
    checked.require_unchanged()
    content = (folder / "config.json").read_bytes()
    (folder / "config.json").unlink()
    (folder / "config.json").write_bytes(content)  # another file, the same content
    checked.require_unchanged()
    flip(folder / "model.safetensors")
    with pytest.raises(ReassessError, match=r"model\.safetensors"):
        checked.require_unchanged()


def test_evaluation_leaves_no_scores_of_a_checkpoint_that_changed_meanwhile(grid, monkeypatch):
    from reassess.evaluation import runner

    cell = cell_of(grid, "sft")
    path = grid.paths.checkpoint(cell.id) / "model.safetensors"
    real = runner.evaluate_checkpoint

    def evaluate(*arguments, **named):
        flip(path)
        return real(*arguments, **named)

    monkeypatch.setattr(runner, "evaluate_checkpoint", evaluate)
    with put_back(path), pytest.raises(ReassessError, match=r"model\.safetensors"):
        steps.evaluate(grid, cell)
    assert not grid.paths.scores(cell.id).exists()


# --- teacher and judge -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A grid whose traces are sampled from a teacher that is trained."""
    grid = tiny_grid(
        tmp_path_factory.mktemp("taught"),
        distributions={"same-family": {"source": "teacher", "samples": 1, "max_new_tokens": 4}},
        evaluation={"max_new_tokens": 8, "judge": "llava-w32"},
    )
    steps.build_pool(grid)
    jobs.BuildTokenizer(grid).run(jobs.BuildTokenizer.key())
    steps.build_base(grid, "llava-w32")
    jobs.BuildTeacher(grid).run(jobs.BuildTeacher.key("llava"))
    return grid


@pytest.mark.parametrize("name", FILES)
def test_no_traces_are_sampled_from_a_damaged_teacher(taught, name):
    path = taught.paths.teacher("llava") / name
    with put_back(path):
        flip(path)
        with pytest.raises(ReassessError) as caught:
            jobs.SampleShard(taught).run(jobs.SampleShard.key("llava", "same-family"))
    assert str(path) in str(caught.value)


def test_no_teacher_is_trained_from_a_damaged_base(taught):
    path = taught.paths.base("llava-w32") / "model.safetensors"
    with put_back(path):
        flip(path)
        with pytest.raises(ReassessError, match=r"model\.safetensors"):
            jobs.BuildTeacher(taught).run(jobs.BuildTeacher.key("llava"))


def test_a_damaged_judge_does_not_judge(taught):
    cell = cell_of(taught, "base")
    steps.evaluate(taught, cell)
    path = taught.paths.base("llava-w32") / "model.safetensors"
    with put_back(path):
        flip(path)
        with pytest.raises(ReassessError, match=r"model\.safetensors"):
            steps.judge(taught, cell)


# --- predictions are bound to their scores ----------------------------------------------------


def test_the_scores_state_the_hash_of_their_predictions(taught):
    from reassess.core.files import sha256_file

    cell = cell_of(taught, "base")
    steps.evaluate(taught, cell)
    steps.judge(taught, cell)
    scored = read_json(taught.paths.scores(cell.id))["manifest"]
    judged = read_json(taught.paths.judged_scores(cell.id))["manifest"]
    assert scored["predictions_hash"] == sha256_file(taught.paths.predictions(cell.id))
    assert judged["predictions_hash"] == scored["predictions_hash"]
    assert judged["judged_hash"] == sha256_file(taught.paths.judged(cell.id))


# --- modes -----------------------------------------------------------------------------------

MODES = [(0o002, 0o664, 0o775), (0o022, 0o644, 0o755), (0o077, 0o600, 0o700)]


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("mask", "file", "folder"), MODES)
def test_files_have_the_mode_of_the_umask(tmp_path, rows, mask, file, folder):
    import pandas as pd

    with umask(mask):
        write_text(tmp_path / "new" / "text.txt", "a")
        write_json(tmp_path / "new" / "file.json", {})
        write_parquet(tmp_path / "new" / "table.parquet", pd.DataFrame({"a": [1]}))
        rows.save(tmp_path / "new" / "rows.safetensors")
        write_text(tmp_path / "new" / "text.txt", "replaced")
    assert mode(tmp_path / "new") == folder
    assert {path.name: mode(path) for path in (tmp_path / "new").iterdir()} == dict.fromkeys(
        ("text.txt", "file.json", "table.parquet", "rows.safetensors"), file
    )


@pytest.mark.parametrize(("mask", "file", "folder"), MODES)
def test_checkpoints_have_the_mode_of_the_umask(tmp_path, fresh, mask, file, folder):
    from reassess.training.loading import save_checkpoint

    with umask(mask):
        save_checkpoint(*fresh, tmp_path / "models" / "base")
    assert mode(tmp_path / "models" / "base") == folder
    found = {path.name: mode(path) for path in (tmp_path / "models" / "base").iterdir()}
    assert found == dict.fromkeys(found, file)


@pytest.mark.parametrize(("mask", "file", "folder"), MODES)
def test_trainer_checkpoints_have_the_mode_of_the_umask(tmp_path, fresh, rows, mask, file, folder):
    from reassess.training.engine import last_checkpoint
    from reassess.training.sft import train_sft
    from reassess.training.sft_settings import SftSettings

    settings = SftSettings(max_steps=1, batch_size=2, learning_rate=1e-3, save_every=1)
    with umask(mask):
        (tmp_path / "work").mkdir()
        train_sft(*fresh, rows, settings, order_seed=1, work=tmp_path / "work")
    saved = last_checkpoint(tmp_path / "work")
    assert mode(saved) == folder
    found = {path.name: mode(path) for path in saved.iterdir()}
    assert found == dict.fromkeys(found, file)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "trainer_state.json"])
def test_no_run_resumes_from_a_damaged_trainer_checkpoint(tmp_path, fresh, rows, cut_at, name):
    from reassess.training.engine import last_checkpoint
    from reassess.training.sft import PreprocessedSftTrainer, train_sft
    from reassess.training.sft_settings import SftSettings

    settings = SftSettings(max_steps=3, batch_size=2, learning_rate=1e-3, save_every=1)
    with cut_at(PreprocessedSftTrainer, 2):
        train_sft(*fresh, rows, settings, order_seed=1, work=tmp_path)
    path = last_checkpoint(tmp_path) / name
    flip(path)
    with pytest.raises(ReassessError) as caught:
        train_sft(*fresh, rows, settings, order_seed=1, work=tmp_path)
    assert str(path) in str(caught.value)
    shutil.rmtree(path.parent)
    _, resumed = train_sft(*fresh, rows, settings, order_seed=1, work=tmp_path)
    assert resumed


def test_files_in_a_folder_of_a_group_belong_to_the_group(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    groups = [group for group in os.getgroups() if group != shared.stat().st_gid]
    if os.geteuid() == 0:
        groups = [54321]
    if not groups:
        pytest.skip("this user is in one group only")
    os.chown(shared, -1, groups[0])
    shared.chmod(0o2775)
    with umask(0o002):
        write_text(shared / "new" / "file.txt", "a")
    assert (shared / "new").stat().st_gid == groups[0]
    assert mode(shared / "new") == 0o2775
    assert (shared / "new" / "file.txt").stat().st_gid == groups[0]
    assert mode(shared / "new" / "file.txt") == 0o664


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReassessError, match=r"file/new\.json"):
        write_json(tmp_path / "file" / "new.json", {})
