"""The mode of numerics: what it needs, when it is fixed, and what processes that are started take on."""

import json
import os
import platform
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
from tiny import tiny_config, tiny_grid

from reassess.bundles.collect import study_of
from reassess.bundles.merge import study_of_both
from reassess.config.defaults import DEFAULT
from reassess.core import numerics
from reassess.core.errors import ReassessError
from reassess.core.fingerprint import differing, fingerprint, hash_of
from reassess.core.manifest import Manifest
from reassess.grid.checks import check_numerics
from reassess.grid.study import Grid
from reassess.training.layout import Layout
from reassess.workflow.jobs import BuildPool
from reassess.workflow.jobs.job import NoKey
from reassess.worlds.micro.config import MicroConfig

FLAGS = "fpu sse2 avx avx2 bmi1 bmi2 f16c fma movbe"
TOLD = {numerics.VARIABLE: "portable"}
KINDS = {**numerics.ENVIRONMENT, **TOLD}


def cpuinfo(tmp_path, **fields):
    path = tmp_path / "cpuinfo"
    lines = [f"{name.replace('_', ' ')}\t: {value}" for name, value in fields.items()]
    path.write_text("\n".join([*lines, "", *lines]) + "\n")
    return path


@pytest.mark.parametrize("lacking", ["avx2", "fma"])
def test_a_processor_without_the_instructions_is_refused(tmp_path, lacking, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    numerics.require_instructions(cpuinfo(tmp_path, flags=FLAGS))
    flags = " ".join(flag for flag in FLAGS.split() if flag != lacking)
    with pytest.raises(ReassessError, match=rf"x86-64-v3.* {lacking}\b.*numerics: fast"):
        numerics.require_instructions(cpuinfo(tmp_path, flags=flags))


def test_another_architecture_is_refused_and_a_missing_proc_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    numerics.require_instructions(tmp_path / "nowhere")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(ReassessError, match="aarch64.*numerics: fast"):
        numerics.require_instructions(cpuinfo(tmp_path, flags=FLAGS))


def test_family_model_and_stepping(tmp_path):
    path = cpuinfo(tmp_path, cpu_family=25, model=1, model_name="AMD EPYC", stepping=1)
    assert numerics.processor(path) == {"family": 25, "model": 1, "stepping": 1}
    assert numerics.processor(cpuinfo(tmp_path, model="unknown")) == {}
    assert numerics.processor(tmp_path / "nowhere") == {}


def in_process(code, **variables):
    """Run code in a process of its own, in no mode but what the variables ask for."""
    kept = {name: value for name, value in os.environ.items() if name not in KINDS}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **variables}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SHOW = """
import json, os, sys
print(json.dumps([numerics.current(), dict(os.environ), "numpy" in sys.modules]))
"""
IMPORT = "import reassess\nfrom reassess.core import numerics\n"


def test_portable_is_fixed_before_a_library_loads():
    mode, environment, loaded = json.loads(
        in_process(IMPORT + "numerics.fix('portable')" + SHOW, MKL_ENABLE_INSTRUCTIONS="AVX2")
    )
    assert mode == "portable" and not loaded
    assert environment | KINDS == environment
    assert "MKL_ENABLE_INSTRUCTIONS" not in environment


LOOK = """
import importlib.util, sys
numerics.fix("portable")
for _ in range(2):
    assert importlib.util.find_spec("torch") is not None and "torch" not in sys.modules
import torch
from reassess.core.portable_kernels import in_place
print(in_place())
"""


@pytest.mark.slow
def test_who_looks_for_torch_before_it_is_imported_takes_no_kernel_away():
    """As transformers does, which asks whether there is one."""
    assert in_process(IMPORT + LOOK) == "True"


@pytest.mark.slow
def test_portable_without_its_kernels_has_no_fingerprint():
    code = """
import sys
from reassess.core.errors import ReassessError
from reassess.core.fingerprint import fingerprint
numerics.fix("portable")
sys.meta_path.pop(0)
try:
    fingerprint()
except ReassessError as error:
    print(error)
"""
    assert "without the kernels" in in_process(IMPORT + code)


def test_after_a_library_it_is_too_late():
    code = """
import numpy
from reassess.core import numerics
from reassess.core.errors import ReassessError
try:
    numerics.fix("portable")
except ReassessError as error:
    print(error)
"""
    assert "numpy was loaded before" in in_process(code)


def test_a_process_takes_on_the_mode_of_the_one_that_starts_it():
    mode, environment, _ = json.loads(in_process(IMPORT + SHOW, **TOLD))
    assert mode == "portable" and environment | KINDS == environment


def test_fast_in_a_process_that_was_started_in_portable():
    mode, environment, _ = json.loads(in_process(IMPORT + "numerics.fix('fast')" + SHOW, **TOLD))
    assert mode == "fast" and not {*KINDS} - {"OMP_NUM_THREADS"} & {*environment}


portable = pytest.mark.skipif(
    numerics.current() != "portable", reason="this processor has not the instructions"
)


def test_nothing_of_portable_is_made_in_another_mode(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    grid = tiny_grid(tmp_path / "here", numerics="portable")
    manifest = Manifest("train", {"numerics": "portable"}, "hash")
    monkeypatch.setattr(numerics, "current", lambda: "fast")
    with pytest.raises(ReassessError, match=r"portable.*computes in `fast`.*numerics.fix"):
        BuildPool(grid).perform(NoKey())
    assert not grid.paths.results.exists()
    with pytest.raises(ReassessError, match=r"portable.*computes in `fast`"):
        manifest.close()
    assert Manifest("train", {}, "hash").close()["numerics"]["mode"] == "fast"


PLUGIN = """
import numpy
from reassess.methods.grpo import Grpo


class WithNumpy(Grpo):
    name = "with-numpy"
    citation = "a test"
"""
JOB = """
from reassess.cli.main import act
from reassess.workflow.jobs import BuildPool
BuildPool.run = lambda job, key: print(numerics.current())
assert act(["job", "build-pool", "--config", {path!r}]) == 0
"""
RUN = """
from reassess.workflow import run
def stop(profile):
    print(numerics.current())
    raise KeyboardInterrupt
run._find_commands = stop
run.run(run.Path({path!r}))
"""


@portable
@pytest.mark.parametrize("code", [JOB, RUN])
def test_numerics_are_fixed_before_a_plug_in_imports_numpy(tmp_path, code):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "with_numpy.py").write_text(PLUGIN)
    config = tiny_config(
        tmp_path,
        plugins=[plugins],
        results=str(tmp_path / "results"),
        scratch=str(tmp_path / "scratch"),
        numerics="portable",
    )
    assert in_process(IMPORT + code.format(path=str(config))).splitlines()[-1] == "portable"


@pytest.mark.slow
@portable
def test_whatever_surrounds_it_portable_computes_the_same():
    code = IMPORT + "numerics.fix('portable')\n"
    code += "from reassess.core.fingerprint import fingerprint\n"
    code += "import json; print(json.dumps(fingerprint()))"
    surroundings = {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "NPY_DISABLE_CPU_FEATURES": "AVX2",
        "OMP_NUM_THREADS": "2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Nehalem",
    }
    assert differing(json.loads(in_process(code, **surroundings)), fingerprint()) == []


@pytest.mark.slow
@portable
def test_other_kernels_are_named():
    code = "from reassess.core.fingerprint import fingerprint\n"
    code += "import json; print(json.dumps(fingerprint()))"
    surroundings = {"OPENBLAS_CORETYPE": "Nehalem", "OMP_NUM_THREADS": "1"}
    found = differing(json.loads(in_process(code, **surroundings)), fingerprint())
    assert {"numpy matmul", "matmul", "attention", "exp"} & {*found}


def test_a_fingerprint_is_the_same_twice_and_leaves_the_generator_alone():
    import torch

    state = torch.get_rng_state()
    first = fingerprint()
    fingerprint.cache_clear()
    assert fingerprint() == first and first["hash"] == hash_of(first["operations"])
    assert torch.equal(torch.get_rng_state(), state)


def small_config(**changes):
    return MicroConfig.model_validate({**deepcopy(DEFAULT), **changes})


def test_the_mode_is_part_of_every_spec_that_computes():
    fast, ours = (Grid(small_config(numerics=mode)) for mode in ("fast", "portable"))
    cell = "llava-w32/same-family/2000/sft/seed1"
    for spec in (
        lambda grid: grid.specs.base("llava-w32"),
        lambda grid: grid.specs.traces("llava", "same-family"),
        lambda grid: grid.specs.train(grid.cell(cell)),
        lambda grid: grid.specs.evaluation(grid.cell(cell)),
    ):
        assert spec(ours)["numerics"] == "portable" and "numerics" not in spec(fast)
    foreign = [grid.specs.traces("llava", "foreign") for grid in (fast, ours)]
    assert foreign[0] == foreign[1]  # written, not computed


def test_fast_is_what_configs_that_do_not_say_mean():
    given = {name: value for name, value in DEFAULT.items() if name != "numerics"}
    config = MicroConfig.model_validate(given)
    assert config.numerics == "fast" and "numerics" not in config.model_dump()


def test_gpus_and_vllm_are_refused_in_portable():
    config, source = small_config(), Path("some.yaml")
    check_numerics(config, source, [Layout()])
    for layout, key in (
        (Layout(device="cuda"), "device"),
        (Layout(rollouts="vllm"), "rollouts"),
    ):
        with pytest.raises(ReassessError, match=rf"some.yaml: numerics: .*execution.{key}.*fast"):
            check_numerics(config, source, [layout])
        check_numerics(small_config(numerics="fast"), source, [layout])


def test_what_portable_promises_nothing_for_is_refused():
    config, source = small_config(), Path("some.yaml")
    for layout, named in (
        (Layout(precision="bfloat16"), r"execution.precision is 'bfloat16'.*`precision: float32`"),
        (Layout(processes=2), r"models\.\*\.gpus: 2.*`gpus: 0`"),
    ):
        with pytest.raises(ReassessError, match=rf"some.yaml: numerics: .*{named}.*fast"):
            check_numerics(config, source, [layout])
        check_numerics(small_config(numerics="fast"), source, [layout])


def test_bundles_of_both_modes_do_not_merge():
    ours, fast = (study_of(Grid(small_config(numerics=mode)), {}) for mode in ("portable", "fast"))
    assert study_of_both(deepcopy(ours), deepcopy(ours))["config"]["numerics"] == "portable"
    with pytest.raises(ReassessError, match="numerics"):
        study_of_both(ours, fast)


def test_fingerprints_are_compared_by_operation():
    ours = fingerprint()
    other = {**ours, "operations": {**ours["operations"], "exp": "0" * 12}}
    assert differing(ours, ours) == [] and differing(ours, other) == ["exp"]
    assert differing(ours, {**ours, "version": ours["version"] + 1}) is None
