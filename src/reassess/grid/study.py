"""The grid: every cell of every study, with its files and its specs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product
from pathlib import Path

from reassess.config.claims import Claims, read_claims
from reassess.config.load import load_config
from reassess.config.schema import Config, Study
from reassess.core import numerics
from reassess.core.errors import ReassessError, unknown
from reassess.grid.benchmarks import Benchmark, benchmarks_of
from reassess.grid.cells import Base, Cell, replicate_of
from reassess.grid.checks import (
    arms_of,
    check_bases,
    check_names,
    check_numerics,
    check_splits,
)
from reassess.grid.paths import Paths
from reassess.grid.specs import Specs
from reassess.grid.world import AnyWorld, load_world
from reassess.methods import Kind, discover


class Grid:
    """A config, resolved. Cheap to make: nothing heavy is imported and no file is read.

    Attributes:
        config: the config.
        source: the file it was read from.
        world: the world of the config.
        arms: the configured methods by name.
        benchmarks: the benchmarks of the config by name, in its order.
        paths: where files are.
        specs: what decides results.
    """

    def __init__(self, config: Config, source: Path = Path("config.yaml")) -> None:
        """Resolve `config`, read from `source`.

        Raises:
            ReassessError: a name that does not exist or that two splits of the pool have, a size
                larger than the pool, a wrong method setting, a benchmark's file that would not be
                evaluated as it says, replicates of a base that is not made here.
        """
        self.config = config
        self.source = source
        self.world: AnyWorld = load_world(config)
        existing = benchmarks_of(self.world.pack, config.evaluation.folders)
        check_names(config, source, existing)
        check_bases(config, source, self.world.replicates_bases)
        self.arms = arms_of(config, source)
        self.benchmarks: dict[str, Benchmark] = {
            name: existing[name] for name in config.evaluation.benchmarks
        }
        self.world.check_benchmarks(self.benchmarks)
        check_splits(self.splits, source)
        check_numerics(config, source, map(self.world.layout, config.models))
        self.paths = Paths(config.results / config.grid, config.scratch / config.grid)
        self.specs = Specs(config, self.world, self.arms, self.benchmarks)

    @classmethod
    def load(cls, path: Path | str) -> Grid:
        """Read and resolve a config file."""
        return cls(load_config(Path(path)), Path(path))

    @classmethod
    def load_to_compute(cls, path: Path | str) -> Grid:
        """Read and resolve a config file, in a process that is to compute in its numerics.

        They are fixed before methods are discovered: plug-ins may import numpy or torch, which
        choose their kernels when they are loaded.

        Raises:
            ReassessError: the config is wrong, or its numerics are not to be had in this process.
        """
        config = load_config(Path(path))
        numerics.fix(config.numerics)
        return cls(config, Path(path))

    @cached_property
    def study_cells(self) -> dict[str, list[Cell]]:
        """The cells of each study, sorted."""
        return {
            name: sorted(set(self._cells_of(study)), key=_order)
            for name, study in self.config.studies.items()
        }

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """Every cell that is evaluated, by id: the union of the studies."""
        union = {cell for cells in self.study_cells.values() for cell in cells}
        return {cell.id: cell for cell in sorted(union, key=_order)}

    def _cells_of(self, study: Study) -> Iterator[Cell]:
        seeds = study.seeds or self.config.seeds
        for model, name in product(study.models, study.methods):
            if self.arms[name].method.kind == "none":
                yield from (Cell(model, None, None, name, seed) for seed in self._untrained(seeds))
                continue
            for distribution, size, seed in product(study.distributions, study.sizes, seeds):
                yield Cell(model, distribution, size, name, seed)

    def _untrained(self, seeds: Sequence[int]) -> list[int]:
        """The seeds of arms that train nothing: one for each base that runs of `seeds` start from.

        Where bases are replicated, that is the number of the replicate.
        """
        bases = self.config.world.bases
        if bases == 1:
            return [seeds[0]]
        return sorted({replicate_of(seed, bases) for seed in seeds})

    @cached_property
    def trained(self) -> dict[str, Cell]:
        """Every cell that is trained, by id: those evaluated, and those they start from."""
        trained: dict[str, Cell] = {}
        for cell in self.cells.values():
            link: Cell | None = cell if self.kind(cell) != "none" else None
            while link is not None and link.id not in trained:
                trained[link.id] = link
                link = self.specs.start(link)
        return trained

    def cell(self, cell_id: str) -> Cell:
        """Return the cell of that id.

        Raises:
            ReassessError: no such cell; names the nearest.
        """
        cell = self.cells.get(cell_id) or self.trained.get(cell_id)
        if cell is None:
            problem = unknown("cell", cell_id, [*self.trained, *self.cells])
            raise ReassessError(f"{self.source}: {problem}")
        return cell

    @cached_property
    def claims(self) -> Claims:
        """The claims that the grid's results are to test; their files are read at the first use.

        Raises:
            ReassessError: a file is no claim, or names a method that does not exist.
        """
        claims, methods = read_claims(self.config.claims), discover(self.config.plugins)
        for claim in claims.values():
            for side in claim.estimand.sides:
                if side.method is not None and side.method not in methods:
                    problem = unknown("method", side.method, sorted(methods))
                    raise ReassessError(f"claim {claim.id}: estimand: {problem}")
        return claims

    def kind(self, cell: Cell) -> Kind:
        """What the cell's method does: `none`, `sft` or `rl`."""
        return self.arms[cell.arm].method.kind

    def start(self, cell: Cell) -> Cell | None:
        """The cell whose checkpoint this one starts from; None for the base model."""
        return self.specs.start(cell)

    def start_checkpoint(self, cell: Cell) -> Path:
        """The checkpoint that a cell's training starts from."""
        start = self.start(cell)
        return (
            self.paths.base(self.base(cell)) if start is None else self.paths.checkpoint(start.id)
        )

    def checkpoint(self, cell: Cell) -> Path:
        """The checkpoint that a cell is scored with; the base model's if it trains nothing."""
        if self.kind(cell) == "none":
            return self.paths.base(self.base(cell))
        return self.paths.checkpoint(cell.id)

    def base(self, cell: Cell) -> str:
        """The name of the base checkpoint from which a cell's chain of training starts."""
        return self.specs.base_of(cell).name

    @cached_property
    def bases(self) -> list[str]:
        """The names of all base checkpoints: the first of each model, and those of the cells.

        Teachers, judges and the processor of a family are of the first.
        """
        used = {self.specs.base_of(cell) for cell in self.cells.values()}
        return [
            base.name for base in sorted(used | set(map(Base, self.config.models)), key=self._place)
        ]

    def _place(self, base: Base) -> tuple[int, int]:
        return list(self.config.models).index(base.model), base.replicate

    def named_base(self, name: str) -> Base:
        """The base checkpoint of that name.

        Raises:
            ReassessError: the grid has no such base; names the nearest.
        """
        if name not in self.bases:
            raise ReassessError(f"{self.source}: {unknown('base', name, self.bases)}")
        return Base.of_name(name)

    @property
    def splits(self) -> list[str]:
        """The splits of the pool: training rows, the probe, and one for each benchmark."""
        return self.world.pool_splits(self.benchmarks)

    def family(self, model: str) -> str:
        """The family of a model."""
        return self.config.models[model].family

    def teacher_model(self, family: str) -> str:
        """The model whose base the family's teacher continues."""
        return self.config.teachers[family]


def _order(cell: Cell) -> tuple[str, str, int, str, int]:
    return (cell.model, cell.distribution or "", cell.size or 0, cell.arm, cell.seed)
