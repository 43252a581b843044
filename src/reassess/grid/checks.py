"""What a config can get wrong beyond its types: names that do not exist, circular starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from reassess.config.messages import explain
from reassess.config.names import repeated
from reassess.config.schema import Config, Study
from reassess.core.errors import ReassessError, unknown
from reassess.grid.cells import Arm
from reassess.methods import find
from reassess.training.layout import Layout


def _error(source: Path, key: str, problem: str) -> ReassessError:
    return ReassessError(f"{source}: {key}: {problem}")


def check_names(config: Config, source: Path, benchmarks: Iterable[str]) -> None:
    """Check every name that one part of a config takes from another.

    Args:
        config: the config.
        source: its file, for messages.
        benchmarks: the names of all benchmarks that exist.

    Raises:
        ReassessError: a name that does not exist, or a size larger than the pool.
    """
    families = {model.family for model in config.models.values()}
    for family, teacher in config.teachers.items():
        key = f"teachers.{family}"
        if family not in families:
            raise _error(source, key, unknown("family", family, sorted(families)))
        if teacher not in config.models:
            raise _error(source, key, unknown("model", teacher, config.models))
        if config.models[teacher].family != family:
            of = config.models[teacher].family
            raise _error(source, key, f"{teacher!r} is of family {of!r}")
    for family in sorted(families - set(config.teachers)):
        raise _error(source, "teachers", f"family {family!r} has no teacher")
    existing = list(benchmarks)
    for benchmark in config.evaluation.benchmarks:
        if benchmark not in existing:
            problem = unknown("benchmark", benchmark, existing)
            raise _error(source, "evaluation.benchmarks", problem)
    if (judge := config.evaluation.judge) is not None and judge not in config.models:
        raise _error(source, "evaluation.judge", unknown("model", judge, config.models))
    for name, study in config.studies.items():
        _check_study(config, source, name, study)


def check_bases(config: Config, source: Path, replicated: bool) -> None:
    """Check that the world can make as many base checkpoints as the config has.

    Args:
        config: the config.
        source: its file, for messages.
        replicated: whether the world trains its bases.

    Raises:
        ReassessError: it takes them as they were published.
    """
    bases = config.world.bases
    if bases > 1 and not replicated:
        problem = (
            f"{bases}; the {config.world.kind} world takes each base as it was published, which is "
            "one draw of pre-training: leave it at 1"
        )
        raise _error(source, "world.bases", problem)


def check_splits(splits: Sequence[str], source: Path) -> None:
    """Check that no two splits of the pool are one file.

    Raises:
        ReassessError: a benchmark, or a distribution with its own rows, has the name of another
            split.
    """
    if same := repeated(splits):
        problem = (
            f"splits of the pool of one name: {', '.join(same)}; rename the benchmark or the "
            "distribution (`train` and `probe` are the pool's own)"
        )
        raise ReassessError(f"{source}: {problem}")


def check_numerics(config: Config, source: Path, layouts: Iterable[Layout]) -> None:
    """Check that every job computes where `portable` holds: on a CPU, by torch, in one process.

    Raises:
        ReassessError: a layout uses a GPU, vLLM, bfloat16 or several processes.
    """
    if config.numerics == "fast":
        return
    for layout in layouts:
        for key, value in (("device", layout.device), ("rollouts", layout.rollouts)):
            if value in ("cuda", "vllm"):
                problem = f"`portable` holds on CPUs only, and execution.{key} is {value!r}"
                raise _error(source, "numerics", f"{problem}; write `numerics: fast`")
        if layout.precision != "float32":
            problem = (
                "`portable` holds in float32 only, and execution.precision is "
                f"{layout.precision!r}; write `precision: float32` there, or `numerics: fast`"
            )
            raise _error(source, "numerics", problem)
        if layout.processes > 1:
            problem = (
                "`portable` holds in one process only, and a model has "
                f"models.*.gpus: {layout.processes}; write `gpus: 0` there, or `numerics: fast`"
            )
            raise _error(source, "numerics", problem)


def _check_study(config: Config, source: Path, name: str, study: Study) -> None:
    axes: dict[str, tuple[list[str], Mapping[str, object]]] = {
        "models": (study.models, config.models),
        "methods": (study.methods, config.methods),
        "distributions": (study.distributions, config.distributions),
    }
    for axis, (values, allowed) in axes.items():
        for value in values:
            if value not in allowed:
                problem = unknown(axis[:-1], value, allowed)
                raise _error(source, f"studies.{name}.{axis}", problem)
    largest = config.world.pool_rows
    for size in study.sizes:
        if size > largest:
            problem = f"size {size} is larger than world.pool_rows ({largest})"
            raise _error(source, f"studies.{name}.sizes", problem)


def arms_of(config: Config, source: Path) -> dict[str, Arm]:
    """Return the arms of a config by name, with validated settings.

    Raises:
        ReassessError: an unknown method, a wrong setting, a start that does not exist, or an arm
            `base` that trains.
    """
    arms = {name: _arm(config, source, name) for name in config.methods}
    if "base" in arms and arms["base"].method.kind != "none":
        problem = "`start: base` means the model as it is; give an arm that trains another name"
        raise _error(source, "methods.base", problem)
    for name in arms:
        _check_start(arms, source, name)
    return arms


def _arm(config: Config, source: Path, name: str) -> Arm:
    settings = dict(config.methods[name] or {})
    key = f"methods.{name}"
    uses = str(settings.pop("uses", name))
    try:
        method = find(uses, config.plugins)
    except ReassessError as error:
        raise _error(source, key, str(error)) from error
    try:
        return Arm(name, method, method.Settings.model_validate(settings))
    except ValidationError as error:
        raise ReassessError(explain(error, source, method.Settings, key)) from error


def _check_start(arms: Mapping[str, Arm], source: Path, name: str) -> None:
    chain = [name]
    while (start := arms[chain[-1]].start) is not None:
        key = f"methods.{chain[-1]}.start"
        if start not in arms:
            raise _error(source, key, unknown("arm", start, ["base", *arms]))
        if arms[start].method.kind == "none":
            raise _error(source, key, f"arm {start!r} trains nothing; use 'base'")
        if start in chain:
            circle = " -> ".join([*chain, start])
            raise _error(source, f"methods.{name}.start", f"goes in a circle: {circle}")
        chain.append(start)
