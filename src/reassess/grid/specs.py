"""What decides each result, as a dictionary, and its hash: the one reason to run a job again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reassess.config.schema import Config
from reassess.core import numerics
from reassess.core.files import Json, canonical_json, sha256_text
from reassess.core.seeds import derive_seed
from reassess.grid.benchmarks import Benchmark
from reassess.grid.cells import Arm, Base, Cell, replicate_of
from reassess.grid.world import AnyWorld
from reassess.methods import source_of
from reassess.verifier import VERSION as VERIFIER

Spec = Json  # whatever decides a result

SAMPLING = 2  # version of how tokens are drawn; raised when the same seed gives other completions
ROW_DRAW = 1  # version of how a seed draws its rows
PREDICTIONS = 2  # version of the table of predictions; raised when older evaluations lack a column


class Specs:
    """The specs of one grid. A hash is computed once: large grids need the same ones many times."""

    def __init__(
        self,
        config: Config,
        world: AnyWorld,
        arms: Mapping[str, Arm],
        benchmarks: Mapping[str, Benchmark],
    ) -> None:
        """Keep what the specs are made of."""
        self._config, self._world, self._arms = config, world, arms
        self._benchmarks = benchmarks
        self._hashes: dict[tuple[str, ...], str] = {}

    def _once(self, key: tuple[str, ...], spec: Callable[[], Spec]) -> str:
        if key not in self._hashes:
            self._hashes[key] = sha256_text(canonical_json(spec()))
        return self._hashes[key]

    # --- what all methods share --------------------------------------------------------------

    def pool(self) -> Spec:
        """What decides the content of the pool."""
        return self._world.pool_spec(self._benchmarks)

    def pool_hash(self) -> str:
        """The hash of `pool`."""
        return self._once(("pool",), self.pool)

    def base(self, name: str) -> Spec:
        """What decides a base checkpoint, by its name."""
        base = Base.of_name(name)
        spec = self._world.base_spec(base.model, self.pool_hash())
        return spec if base.replicate == 1 else {**spec, "replicate": base.replicate}

    def base_hash(self, name: str) -> str:
        """The hash of `base`."""
        return self._once(("base", name), lambda: self.base(name))

    def teacher(self, family: str, distribution: str) -> Spec:
        """What decides the teacher of a family's traces in a distribution."""
        return self._world.teacher_spec(family, distribution, self.base_hash)

    def teacher_hash(self, family: str, distribution: str) -> str:
        """The hash of `teacher`."""
        key = ("teacher", family, distribution)
        return self._once(key, lambda: self.teacher(family, distribution))

    def traces(self, family: str, distribution: str) -> Spec:
        """What decides a family's traces."""
        settings = self._config.distributions[distribution]
        spec = {
            "pool": self.pool_hash(),
            "source": settings.source,
            **self._world.traces_spec(distribution),
        }
        if settings.source != "teacher":
            return spec
        return {
            **spec,
            "teacher": self.teacher_hash(family, distribution),
            "samples": settings.samples,
            "temperature": settings.temperature,
            "max_new_tokens": settings.max_new_tokens,
            "verifier": VERIFIER,
            "sampling": SAMPLING,
            **numerics.spec(self._config.numerics),
        }

    def traces_hash(self, family: str, distribution: str) -> str:
        """The hash of `traces`."""
        key = ("traces", family, distribution)
        return self._once(key, lambda: self.traces(family, distribution))

    def rows(self, family: str, distribution: str) -> Spec:
        """What decides a family's rows: traces of every distribution with the same questions."""
        return {
            name: self.traces_hash(family, name) for name in self.sharing_questions(distribution)
        }

    def rows_hash(self, family: str, distribution: str) -> str:
        """The hash of `rows`."""
        key = ("rows", family, distribution)
        return self._once(key, lambda: self.rows(family, distribution))

    def sharing_questions(self, distribution: str) -> list[str]:
        """The distributions that train on the same questions: those of the same split."""
        split = self._world.train_split
        return [name for name in self._config.distributions if split(name) == split(distribution)]

    # --- cells -------------------------------------------------------------------------------

    def train(self, cell: Cell) -> Spec:
        """Everything that can change a cell's weights."""
        arm, start = self._arms[cell.arm], self.start(cell)
        spec: Spec = {
            "cell": {"model": cell.model, "arm": cell.arm, "seed": cell.seed},
            "base": self.base_hash(self.base_of(cell).name),
            "method": {
                "name": arm.method.name,
                "version": arm.method.version,
                "kind": arm.method.kind,
                "settings": arm.settings.model_dump(),
            },
            "start": self.train_hash(start) if start else None,
        }
        if (source := source_of(arm.method)) is not None:  # nobody raises the version of a plug-in
            spec["method"]["source"] = source["sha256"]
        if cell.distribution is not None:
            family = self._config.models[cell.model].family
            spec["cell"] |= {"distribution": cell.distribution, "size": cell.size}
            spec["rows"] = self.rows_hash(family, cell.distribution)
            if self.row_draw(cell) is not None:
                spec["rows_drawn"] = ROW_DRAW
        if arm.method.kind == "rl":
            spec["verifier"] = VERIFIER
        if arm.method.kind == "rl" or self._has_sampled_rows(cell):
            spec["sampling"] = SAMPLING
        spec |= numerics.spec(self._config.numerics)
        return spec | self._world.training_spec(cell.model)

    def _has_sampled_rows(self, cell: Cell) -> bool:
        distribution = cell.distribution
        return distribution is not None and (
            self._config.distributions[distribution].source == "teacher"
        )

    def train_hash(self, cell: Cell) -> str:
        """The hash of `train`: the reason for which Snakemake trains a cell again."""
        return self._once(("train", cell.id), lambda: self.train(cell))

    def start(self, cell: Cell) -> Cell | None:
        """The cell whose checkpoint this one starts from; None for the base model."""
        start = self._arms[cell.arm].start
        return None if start is None else cell.of_arm(start)

    def base_of(self, cell: Cell) -> Base:
        """The base checkpoint from which a cell's chain of training starts, by its seed alone."""
        return Base(cell.model, replicate_of(cell.seed, self._config.world.bases))

    def row_draw(self, cell: Cell) -> int | None:
        """The seed by which a cell's rows are drawn; None where they are the first ones.

        It is of world and seed alone: all methods and distributions draw the same questions.
        """
        if not self._config.row_draws or cell.seed == 1:
            return None
        return derive_seed("rows", self._config.world.seed, cell.seed)

    def evaluation(self, cell: Cell) -> Spec:
        """Everything that can change a cell's scores: its training and the protocol."""
        protocol = self._config.evaluation.model_dump(exclude={"folders", "judge"})
        spec = {
            "train": self.train_hash(cell),
            "pool": self.pool_hash(),
            "evaluation": protocol,
            "predictions": PREDICTIONS,
            "verifier": VERIFIER,
            **numerics.spec(self._config.numerics),
        }
        return spec | {"sampling": SAMPLING} if protocol["samples"] else spec

    def evaluation_hash(self, cell: Cell) -> str:
        """The hash of `evaluation`."""
        return self._once(("evaluation", cell.id), lambda: self.evaluation(cell))
