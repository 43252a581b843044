"""The grid: every cell of every study, its files, and the resolved spec that decides whether it must run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reassess.config import Config, Study, load_config
from reassess.config_errors import explain
from reassess.errors import ReassessError, unknown
from reassess.evaluation.pack import Benchmark, benchmarks_of
from reassess.files import canonical_json, sha256_text
from reassess.method import Kind, Method, MethodSettings, find
from reassess.world import world_of

PREDICTIONS = 2  # what the table of predictions holds; raised when evaluations of before lack something


@dataclass(frozen=True, order=True)
class Cell:
    """One row of the grid. `distribution` and `size` are None for arms that train nothing."""

    model: str
    distribution: str | None
    size: int | None
    arm: str
    seed: int

    @property
    def id(self) -> str:
        """The cell's name and its folder below `cells/`."""
        axes = [self.model] if self.distribution is None else [self.model, self.distribution, str(self.size)]
        return "/".join([*axes, self.arm, f"seed{self.seed}"])


@dataclass(frozen=True)
class Arm:
    """A configured method."""

    name: str
    method: type[Method]
    settings: MethodSettings

    def build(self) -> Method:
        """Return the method with this arm's settings."""
        return self.method(self.settings)

    @property
    def start(self) -> str | None:
        """The arm it starts from; None for the base model."""
        start = getattr(self.settings, "start", "base")
        return None if start == "base" else str(start)


class Grid:
    """A config, resolved. Cheap to make: nothing heavy is imported and no file is read."""

    def __init__(self, config: Config, source: Path = Path("config.yaml")) -> None:
        """Resolve `config`, read from `source`.

        Raises:
            ReassessError: a name that does not exist, a size larger than the pool, a wrong method setting.
        """
        self.config = config
        self.source = source
        self.world = world_of(config)
        self._hashes: dict[tuple[str, ...], str] = {}
        self._check_names()
        self.arms = {name: self._arm(name) for name in config.methods}
        self._check_starts()

    @classmethod
    def load(cls, path: Path | str) -> Grid:
        """Read and resolve a config file."""
        return cls(load_config(Path(path)), Path(path))

    # --- checks -------------------------------------------------------------------------------------------------

    def _fail(self, key: str, problem: str) -> ReassessError:
        return ReassessError(f"{self.source}: {key}: {problem}")

    def _check_names(self) -> None:
        config = self.config
        families = {model.family for model in config.models.values()}
        for family, teacher in config.teachers.items():
            if family not in families:
                raise self._fail(f"teachers.{family}", unknown("family", family, sorted(families)))
            if teacher not in config.models:
                raise self._fail(f"teachers.{family}", unknown("model", teacher, config.models))
            if config.models[teacher].family != family:
                raise self._fail(f"teachers.{family}", f"{teacher!r} is of family {config.models[teacher].family!r}")
        for family in sorted(families - set(config.teachers)):
            raise self._fail("teachers", f"family {family!r} has no teacher")
        known = benchmarks_of(self.world.pack, config.evaluation.folders)
        for benchmark in config.evaluation.benchmarks:
            if benchmark not in known:
                raise self._fail("evaluation.benchmarks", unknown("benchmark", benchmark, known))
        if (judge := config.evaluation.judge) is not None and judge not in config.models:
            raise self._fail("evaluation.judge", unknown("model", judge, config.models))
        for name, study in config.studies.items():
            self._check_study(name, study)

    def _check_study(self, name: str, study: Study) -> None:
        axes: dict[str, tuple[list[str], Mapping[str, object]]] = {
            "models": (study.models, self.config.models),
            "methods": (study.methods, self.config.methods),
            "distributions": (study.distributions, self.config.distributions),
        }
        for axis, (values, allowed) in axes.items():
            for value in values:
                if value not in allowed:
                    raise self._fail(f"studies.{name}.{axis}", unknown(axis[:-1], value, allowed))
        largest = self.config.world.pool_rows
        for size in study.sizes:
            if size > largest:
                raise self._fail(f"studies.{name}.sizes", f"size {size} is larger than world.pool_rows ({largest})")

    def _arm(self, name: str) -> Arm:
        raw = dict(self.config.methods[name] or {})
        key = f"methods.{name}"
        uses = str(raw.pop("uses", name))
        try:
            method = find(uses, self.config.plugins)
        except ReassessError as error:
            raise self._fail(key, str(error)) from error
        try:
            return Arm(name, method, method.Settings.model_validate(raw))
        except ValidationError as error:
            raise ReassessError(explain(error, self.source, method.Settings, key)) from error

    def _check_starts(self) -> None:
        for name in self.arms:
            seen = [name]
            while (start := self.arms[seen[-1]].start) is not None:
                if start not in self.arms:
                    raise self._fail(f"methods.{seen[-1]}.start", unknown("arm", start, ["base", *self.arms]))
                if self.arms[start].method.kind == "none":
                    raise self._fail(f"methods.{seen[-1]}.start", f"arm {start!r} trains nothing; use 'base'")
                if start in seen:
                    raise self._fail(f"methods.{name}.start", f"goes in a circle: {' -> '.join([*seen, start])}")
                seen.append(start)

    # --- cells --------------------------------------------------------------------------------------------------

    @cached_property
    def study_cells(self) -> dict[str, list[Cell]]:
        """The cells of each study, sorted."""
        return {name: sorted(set(self._cells_of(study)), key=_order) for name, study in self.config.studies.items()}

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """Every cell that is evaluated, by id: the union of the studies."""
        return {cell.id: cell for cell in sorted({c for cells in self.study_cells.values() for c in cells}, key=_order)}

    def _cells_of(self, study: Study) -> Iterator[Cell]:
        seeds = study.seeds or self.config.seeds
        for model, name in product(study.models, study.methods):
            if self.arms[name].method.kind == "none":
                yield Cell(model, None, None, name, seeds[0])
                continue
            for distribution, size, seed in product(study.distributions, study.sizes, seeds):
                yield Cell(model, distribution, size, name, seed)

    @cached_property
    def trained(self) -> dict[str, Cell]:
        """Every cell that is trained, by id: those evaluated, and those they start from."""
        found: dict[str, Cell] = {}
        for cell in self.cells.values():
            here: Cell | None = cell if self.kind(cell) != "none" else None
            while here is not None and here.id not in found:
                found[here.id] = here
                here = self.start(here)
        return found

    def cell(self, cell_id: str) -> Cell:
        """Return the cell of that id.

        Raises:
            ReassessError: no such cell; names the nearest.
        """
        found = self.cells.get(cell_id) or self.trained.get(cell_id)
        if found is None:
            raise ReassessError(f"{self.source}: {unknown('cell', cell_id, [*self.trained, *self.cells])}")
        return found

    def kind(self, cell: Cell) -> Kind:
        """Return what the cell's method does: `none`, `sft` or `rl`."""
        return self.arms[cell.arm].method.kind

    def start(self, cell: Cell) -> Cell | None:
        """Return the cell whose checkpoint this one starts from; None for the base model."""
        start = self.arms[cell.arm].start
        return None if start is None else Cell(cell.model, cell.distribution, cell.size, start, cell.seed)

    @cached_property
    def benchmarks(self) -> dict[str, Benchmark]:
        """The benchmarks of the config, by name, in its order."""
        known = benchmarks_of(self.world.pack, self.config.evaluation.folders)
        return {name: known[name] for name in self.config.evaluation.benchmarks}

    @property
    def splits(self) -> list[str]:
        """The splits of the pool: training rows, the probe, and one for each benchmark."""
        return self.world.pool_splits(self)

    def family(self, model: str) -> str:
        """Return the family of a model."""
        return self.config.models[model].family

    def teacher_model(self, family: str) -> str:
        """Return the model whose base the family's teacher continues."""
        return self.config.teachers[family]

    # --- files --------------------------------------------------------------------------------------------------

    @property
    def results(self) -> Path:
        """`results/<grid>`: small files."""
        return self.config.results / self.config.grid

    @property
    def scratch(self) -> Path:
        """`<scratch>/<grid>`: weights, trainer checkpoints, logs."""
        return self.config.scratch / self.config.grid

    def pool_file(self, split: str) -> Path:
        """Return the file of a split."""
        return self.results / "pool" / f"{split}.parquet"

    def base_dir(self, model: str) -> Path:
        """Return the folder of a model's base checkpoint."""
        return self.scratch / "models" / model / "base"

    def teacher_dir(self, family: str, distribution: str) -> Path:
        """Return the folder of the checkpoint that a distribution's traces are sampled from."""
        return self.world.teacher_dir(self, family, distribution)

    def traces_file(self, family: str, distribution: str) -> Path:
        """Return the file of a family's traces in a distribution."""
        return self.results / "traces" / family / f"{distribution}.parquet"

    def shard_file(self, family: str, distribution: str, shard: int) -> Path:
        """Return the file of one shard of a family's sampled traces."""
        return self.scratch / "traces" / family / distribution / f"{shard}.parquet"

    def rows_file(self, family: str, distribution: str) -> Path:
        """Return the file of the rows that a family trains on in a distribution."""
        return self.results / "rows" / family / f"{distribution}.parquet"

    def prepared_file(self, family: str, distribution: str) -> Path:
        """Return the file of tokenised rows and their pixel values."""
        return self.scratch / "prepared" / family / f"{distribution}.safetensors"

    def cell_dir(self, cell: Cell) -> Path:
        """Return the folder of a cell's results."""
        return self.results / "cells" / cell.id

    def checkpoint_dir(self, cell: Cell) -> Path:
        """Return the folder of the checkpoint a cell is evaluated from; the base model's if it trains nothing."""
        return self.base_dir(cell.model) if self.kind(cell) == "none" else self.scratch / "checkpoints" / cell.id

    def work_dir(self, cell: Cell) -> Path:
        """Return the folder of a cell's trainer checkpoints, which outlive a killed job."""
        return self.scratch / "trainer" / cell.id

    def lock_file(self, cell: Cell) -> Path:
        """Return the file that a cell's training job holds locked."""
        return self.scratch / "locks" / f"{cell.id.replace('/', '.')}.lock"

    def log_file(self, rule: str, name: str) -> Path:
        """Return the log of a rule for one cell, model or family."""
        return self.scratch / "logs" / rule / f"{name}.log"

    # --- specs and seeds ----------------------------------------------------------------------------------------

    def pool_spec(self) -> dict[str, Any]:
        """Return what decides the pool's content."""
        return self.world.pool_spec(self.benchmarks)

    def base_spec(self, model: str) -> dict[str, Any]:
        """Return what decides a base checkpoint."""
        return self.world.base_spec(model, self.pool_hash())

    def teacher_spec(self, family: str, distribution: str) -> dict[str, Any]:
        """Return what decides the teacher of a family's traces in a distribution."""
        return self.world.teacher_spec(family, distribution, self.base_hash)

    def traces_spec(self, family: str, distribution: str) -> dict[str, Any]:
        """Return what decides a family's traces."""
        found = self.config.distributions[distribution]
        spec = {"pool": self.pool_hash(), "source": found.source, **self.world.traces_spec(distribution)}
        if found.source != "teacher":
            return spec
        sampling = {"samples": found.samples, "temperature": found.temperature, "max_new_tokens": found.max_new_tokens}
        return {**spec, "teacher": self.teacher_hash(family, distribution), **sampling}

    def rows_spec(self, family: str, distribution: str) -> dict[str, Any]:
        """Return what decides which rows a family trains on in a distribution."""
        return {name: self.traces_hash(family, name) for name in self.sharing_rows(distribution)}

    def sharing_rows(self, distribution: str) -> list[str]:
        """Return the distributions that train on the same questions as this one: those of the same split."""
        split = self.world.train_split
        return [name for name in self.config.distributions if split(name) == split(distribution)]

    def spec(self, cell: Cell) -> dict[str, Any]:
        """Return the cell's resolved spec: everything that can change its weights or its scores."""
        arm, start = self.arms[cell.arm], self.start(cell)
        method = {
            "name": arm.method.name,
            "version": arm.method.version,
            "kind": arm.method.kind,
            "settings": arm.settings.model_dump(),
        }
        spec: dict[str, Any] = {
            "cell": {"model": cell.model, "arm": cell.arm, "seed": cell.seed},
            "base": self.base_hash(cell.model),
            "method": method,
            "start": self.spec_hash(start) if start else None,
        }
        if cell.distribution is not None:
            family = self.family(cell.model)
            spec["cell"] |= {"distribution": cell.distribution, "size": cell.size}
            spec["rows"] = self.rows_hash(family, cell.distribution)
        return spec | self.world.training_spec(cell.model)

    def evaluation_spec(self, cell: Cell) -> dict[str, Any]:
        """Return what decides a cell's scores: its training spec and the protocol."""
        protocol = self.config.evaluation.model_dump(exclude={"folders", "judge"})
        return {"train": self.spec_hash(cell), "pool": self.pool_hash(), "evaluation": protocol, "predictions": PREDICTIONS}

    def _once(self, key: tuple[str, ...], spec: Callable[..., dict[str, Any]], *arguments: Any) -> str:
        """Return the hash of a spec, worked out once: a plan of ten thousand cells asks for the same ones again and again."""
        if key not in self._hashes:
            self._hashes[key] = _hash(spec(*arguments))
        return self._hashes[key]

    def pool_hash(self) -> str:
        """Return the hash of `pool_spec`."""
        return self._once(("pool",), self.pool_spec)

    def base_hash(self, model: str) -> str:
        """Return the hash of `base_spec`."""
        return self._once(("base", model), self.base_spec, model)

    def teacher_hash(self, family: str, distribution: str) -> str:
        """Return the hash of `teacher_spec`."""
        return self._once(("teacher", family, distribution), self.teacher_spec, family, distribution)

    def traces_hash(self, family: str, distribution: str) -> str:
        """Return the hash of `traces_spec`."""
        return self._once(("traces", family, distribution), self.traces_spec, family, distribution)

    def rows_hash(self, family: str, distribution: str) -> str:
        """Return the hash of `rows_spec`."""
        return self._once(("rows", family, distribution), self.rows_spec, family, distribution)

    def spec_hash(self, cell: Cell) -> str:
        """Return the hash of `spec`: the reason for which Snakemake trains a cell again."""
        return self._once(("cell", cell.id), self.spec, cell)

    def evaluation_hash(self, cell: Cell) -> str:
        """Return the hash of `evaluation_spec`."""
        return _hash(self.evaluation_spec(cell))


def _hash(spec: dict[str, Any]) -> str:
    return sha256_text(canonical_json(spec))


def _order(cell: Cell) -> tuple[str, str, int, str, int]:
    return (cell.model, cell.distribution or "", cell.size or 0, cell.arm, cell.seed)
