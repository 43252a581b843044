"""Whether scores and answers are of the items of the pool, and lengths and prompts follow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import pandas as pd

from reassess.bundles.stored_answers import KEYS, SAMPLED, answers_by_cell, has_sampled
from reassess.core.files import Json, canonical_json, sha256_text
from reassess.data.pool import SplitHashes, golds_hash, hashes_of
from reassess.data.questions import AskedItem
from reassess.grid.cells import Cell
from reassess.grid.study import Grid
from reassess.methods import Method
from reassess.verify.cells import is_shipped, reader_of
from reassess.verify.lengths import Lengths
from reassess.verify.pools import ITEM, PLACE, Pool
from reassess.verify.report import LISTED, listed
from reassess.verify.stored import Stored, differing, shown
from reassess.worlds.base import Reader, world_of

OF_SAMPLES = {  # columns that only a study with further samples fills
    "samples": "further samples",
    "sampled_correct": "right further samples",
    SAMPLED: "texts of further samples",
}
TOGETHER = 1000  # items whose prompts are made at a time
VARIED = 10  # different texts that two models hardly both write, unless they are nearly the same
_SHA256 = re.compile("[0-9a-f]{64}")


class Items:
    """Compares the rows of each cell with the pool that it is scored on."""

    def __init__(self, stored: Stored) -> None:
        """Start with a bundle; pools are made as they are needed."""
        self._stored, self._pools = stored, dict[str, Pool]()
        self._lengths = Lengths()
        self._texts: dict[str, str] = {}
        self._repeated: list[str] = []
        self._verdicts: dict[str, dict[str, int]] = {}
        self.notes: list[str] = []

    def check(self) -> Iterator[str]:
        """Yield what differs, cell by cell."""
        yield from self._columns()
        of = {cell.id: (grid, cell) for grid, cell in self._stored.scored()}
        seen = set()
        for name, answers in answers_by_cell(self._stored.answers):
            if name in seen:
                yield f"{name}: its answers are not together"
            seen.add(name)
            if name not in of:
                yield f"{name}: has answers, but no manifest that says so"
                continue
            scores = self._stored.bundle.scores_of([name])
            yield from self._cell(*of[name], scores, answers)
        for name in sorted({*of} - seen):
            yield f"{name}: done by its manifest, but without answers"
        yield from self._pool_hashes()
        yield from self._judges()
        yield from self._lengths.conclude()
        self.notes += self._repeated[:LISTED]
        if (more := len(self._repeated) - LISTED) > 0:
            self.notes.append(f"and {more} more cells with the completions of another")
        self.notes += self._lengths.notes
        if any(pool.splits is None for pool in self._pools.values()):
            self.notes.append(
                "this world's pool is not generated: right answers and properties of items were "
                "compared between cells, and with the hashes of the pool where the bundle has them"
            )

    def _columns(self) -> Iterator[str]:
        """Yield columns, empty or not, that no config calls for: no run writes them."""
        settings = [grid.config.evaluation for grid in self._stored.grids]
        uncalled = set() if any(one.judge for one in settings) else {"judged"}
        if not any(one.samples for one in settings):
            uncalled |= {*OF_SAMPLES}
        held = [("scores.parquet", column) for column in self._stored.bundle.scores.columns]
        if has_sampled(self._stored.answers):
            held.append((self._stored.answers.name, SAMPLED))
        yield from (
            f"bundle/{table}: has the column {column}, but no config calls for it"
            for table, column in held
            if column in uncalled
        )

    def pool_of(self, grid: Grid) -> Pool:
        """The pool of a grid; grids with the same spec share one."""
        return self._pools.setdefault(grid.specs.pool_hash(), Pool(grid))

    # --- one cell ----------------------------------------------------------------------------

    def _cell(
        self, grid: Grid, cell: Cell, scores: pd.DataFrame, answers: pd.DataFrame
    ) -> Iterator[str]:
        scores = scores.assign(**{name: scores[name].astype(str) for name in KEYS})
        both = scores.merge(answers, on=KEYS, how="outer", indicator="_side")
        alone = both.loc[both["_side"] != "both", [*PLACE, "_side"]]
        for benchmark, item, side in alone.itertuples(index=False, name=None):
            which = "a score" if side == "left_only" else "an answer"
            yield f"{cell.id} {benchmark} {item}: only {which} is stored"
        both = both[both["_side"] == "both"].set_index(PLACE)
        if not both.index.is_unique:
            return  # found with the tables
        pool = self.pool_of(grid)
        if pool.items is None:
            made = pool.table()
            pool.items = both[ITEM] if made is None else made
            pool.first = cell.id if made is None else ""
        yield from self._of_pool(cell, both, pool)
        yield from self._samples(grid, cell, both)
        yield from self._judged(self._judges_of(grid, cell), cell, both)
        self._alike(cell, both)
        both = both[both.index.isin(pool.items.index)]
        method = grid.arms[cell.arm].method
        if method.respond is not Method.respond:
            yield from self._responses(grid, cell, both)
            return
        yield from self._prompts(grid, cell, both)
        family, budget = grid.family(cell.model), grid.config.evaluation.max_new_tokens
        yield from self._lengths.check(cell.id, family, both, budget, reader_of(grid, cell))

    def _alike(self, cell: Cell, both: pd.DataFrame) -> None:
        """Note a cell whose completions are all those of another cell, whatever both are."""
        texts = both["completion"].sort_index()
        key = sha256_text(canonical_json(texts.reset_index().to_numpy().tolist()))
        first = self._texts.setdefault(key, cell.id)
        if first == cell.id:
            return
        note = f"{cell.id}: every completion is that of {first}"
        hashes = {self._weights_of(name) for name in (cell.id, first)}
        if len(hashes) == 2 and None not in hashes and texts.nunique() >= VARIED:
            note += (
                f", {texts.nunique()} different texts, though their weights differ: either their "
                "training changed hardly anything, or one of them has the other's answers"
            )
        self._repeated.append(note)

    def _weights_of(self, cell: str) -> str | None:
        """The hash of the weights that answered, as a cell's manifest states it."""
        stated = self._stored.records.get(cell, {}).get("evaluate", {}).get("weights_hash")
        return stated if isinstance(stated, str) else None

    def _of_pool(self, cell: Cell, both: pd.DataFrame, pool: Pool) -> Iterator[str]:
        """Yield items that are missing or too many, and properties that are not the item's."""
        items = pool.items
        assert items is not None
        source = f"as in {pool.first}" if pool.first else "derived"
        for place in items.index.difference(both.index)[:LISTED]:
            yield f"{cell.id} {' '.join(map(str, place))}: an item of the pool without a score"
        for place in both.index.difference(items.index)[:LISTED]:
            yield f"{cell.id} {' '.join(map(str, place))}: no item of the pool"
        held, due = both[ITEM].align(items[ITEM], join="inner", axis=0)
        for column in ITEM:
            yield from _unequal(cell.id, column, held[column], due[column], source)

    def _samples(self, grid: Grid, cell: Cell, both: pd.DataFrame) -> Iterator[str]:
        """Yield numbers of further samples other than the protocol's."""
        due = grid.config.evaluation.samples
        if not due:
            for column, what in OF_SAMPLES.items():
                if column in both and both[column].notna().any():
                    yield f"{cell.id}: has {what}, but the config draws none"
            return
        held = both["samples"] if "samples" in both else pd.Series(dtype=float)
        if len(held) != len(both) or not held.eq(due).all():
            yield f"{cell.id}: samples is not {due} throughout, as the config says"
        if "sampled_correct" not in both or both["sampled_correct"].isna().any():
            yield f"{cell.id}: sampled_correct is missing, but the config draws further samples"

    def _judges_of(self, grid: Grid, cell: Cell) -> list[str | None]:
        """The judge of each config that a cell's scores may be of; None of one without a judge."""
        return [one.config.evaluation.judge for one in self._stored.alike(grid, cell)]

    def _judged(
        self, judges: Sequence[str | None], cell: Cell, both: pd.DataFrame
    ) -> Iterator[str]:
        """Yield verdicts of a judge that no config names, or that every config names in vain."""
        if "judged" not in both:
            if all(judges):
                yield f"{cell.id}: has no verdicts of the config's judge"
            return
        verdicts = int(both["judged"].notna().sum())
        named = [judge for judge in judges if judge]
        if verdicts and not named:
            yield f"{cell.id}: has verdicts of a judge, but the config has none"
        elif verdicts or all(judges):
            self._verdicts.setdefault(named[0], {})[cell.id] = verdicts

    def _judges(self) -> Iterator[str]:
        """Note what a judge judged; yield cells without a verdict where others have some."""
        for judge, cells in self._verdicts.items():
            judged = [cell for cell, verdicts in cells.items() if verdicts]
            if not judged:
                self.notes.append(
                    f"the judge {judge} has no verdict on any answer of {len(cells)} cells "
                    f"({listed([*cells])}): none of its replies could be read, or its verdicts "
                    "were taken out"
                )
                continue
            yield from (
                f"{cell}: no answer has a verdict of the judge {judge}, unlike those of {judged[0]}"
                for cell in cells
                if cell not in judged
            )
            self.notes.append(
                f"verdicts of the judge {judge} on {len(judged)} cells ({listed(judged)}) rest on "
                "whoever packed the bundle: what the judge wrote is not in it, and nothing judges "
                "again"
            )

    def _prompts(self, grid: Grid, cell: Cell, both: pd.DataFrame) -> Iterator[str]:
        """Yield prompts that are not those of the items, by their hashes."""
        pool, reader = self.pool_of(grid), reader_of(grid, cell)
        own_view = grid.arms[cell.arm].method.view is not Method.view
        key = grid.family(cell.model), cell.arm if own_view else ""
        if key not in pool.prompts:
            if reader is None or pool.splits is None or not is_shipped(grid, cell):
                pool.prompts[key] = cell.id, both["prompt_hash"]
            else:
                views = pool.ask(cell).views if own_view else None
                hashes = _prompt_hashes(reader, pool.asked if views is None else views)
                pool.prompts[key] = "", pd.Series(hashes, index=pool.places, dtype=object)
        first, due = pool.prompts[key]
        held, due = both["prompt_hash"].align(due, join="inner")
        source = f"as in {first}" if first else "derived"
        yield from _unequal(cell.id, "prompt_hash", held, due, source)

    def _responses(self, grid: Grid, cell: Cell, both: pd.DataFrame) -> Iterator[str]:
        """Yield completions that a method without a model would not give again."""
        pool = self.pool_of(grid)
        if pool.splits is None or not is_shipped(grid, cell):
            return
        from reassess.evaluation.engine import GREEDY, answer_by_method

        items = [item for _, item in pool.benchmarks]
        given = answer_by_method(items, pool.ask(cell).completions or {})(items, GREEDY)
        columns = {"text": "completion", **{n: n for n in ("prompt_hash", "length", "truncated")}}
        again = pd.DataFrame(
            [[getattr(one, name) for name in columns] for (one,) in given],
            columns=list(columns.values()),
            index=pool.places,
            dtype=object,
        )
        held, due = both[[*columns.values()]].align(again, join="inner", axis=0)
        for column in columns.values():
            yield from _unequal(cell.id, column, held[column], due[column], "derived")

    # --- the whole pool ----------------------------------------------------------------------

    def _pool_hashes(self) -> Iterator[str]:
        """Yield hashes of the pool that the items do not have."""
        study = self._stored.bundle.study
        if "pool" not in study:
            records = self._stored.records.values()
            recent = ["environment" in record["evaluate"] for record in records if record]
            # Of bundles that were merged, one may be older than the other.
            if all(recent) if "merged" in study else any(recent):
                yield "study.json.pool: missing, though versions that record `environment` write it"
            else:
                self.notes.append(
                    "this bundle has no hashes of its pool: an earlier version wrote it"
                )
            return
        held = study["pool"]
        grids = {grid.specs.pool_hash(): grid for grid in self._stored.grids}
        names = [name for grid in grids.values() for name in grid.splits]
        yield from (
            f"study.json.pool.{name}: no split of the pool" for name in sorted({*held} - {*names})
        )
        for pool in map(self.pool_of, grids.values()):
            for split in pool.grid.splits:
                if split not in held:
                    yield f"study.json.pool.{split}: missing"
                    continue
                if problem := _no_hashes(held[split]):
                    yield f"study.json.pool.{split}: {problem}"
                    continue
                yield from self._amount(pool.grid, split, held[split]["items"])
                derived = self._hashes(pool, split)
                other = dict(held[split])
                content = other.pop("content_hash", None)
                of_content = derived.pop("content_hash", content)
                if not derived:
                    continue
                yield from differing(other, derived, f"study.json.pool.{split}")
                if content != of_content and other == derived:
                    self.notes.append(
                        f"study.json.pool.{split}: the same questions and answers, but other bytes "
                        "of pictures here (another version of an image library)"
                    )

    def _amount(self, grid: Grid, split: str, items: int) -> Iterator[str]:
        """Yield more items of a split than the config has, or fewer than cells trained on."""
        most = world_of(grid).most_items(split)
        if most is not None and items > most:
            yield f"study.json.pool.{split}.items: {items}, but the config has {most} at most"
        needed = [
            cell.size or 0
            for one, cell in self._stored.scored()
            if one is grid
            and cell.distribution is not None
            and grid.world.train_split(cell.distribution) == split
        ]
        if items < max(needed, default=0):
            yield f"study.json.pool.{split}.items: {items}, but a cell trained on {max(needed)}"

    def _hashes(self, pool: Pool, split: str) -> Json:
        """What can be derived of a split's hashes."""
        if pool.splits is not None:
            return dict(hashes_of(map(asdict, pool.splits[split])))  # type: ignore[call-overload]
        if pool.items is None or split not in pool.grid.benchmarks:
            return {}
        rows = pool.items.loc[[split]].reset_index()
        rows = rows[["item", "answer", "answer_kind", "item_family", "hops", "filled"]]
        rows = rows.astype(object).where(rows.notna(), None)
        return {"items": len(rows), "golds_hash": golds_hash(rows.to_numpy().tolist())}


def _prompt_hashes(reader: Reader, items: Sequence[AskedItem]) -> list[str]:
    """The hash of each item's prompt, a part of the items at a time: pictures take memory."""
    parts = (items[start : start + TOGETHER] for start in range(0, len(items), TOGETHER))
    return [one for part in parts for one in reader.prompt_hashes(part)]


def _no_hashes(held: object) -> str | None:
    """Why an entry is not what a run writes of a split; None if it is."""
    if not isinstance(held, dict) or {*held} != {*SplitHashes.__annotations__}:
        return f"its entries are not {', '.join(sorted(SplitHashes.__annotations__))}"
    if type(held["items"]) is not int or held["items"] < 0:
        return f"items is no number of items ({shown(held['items'])})"
    for name in ("golds_hash", "content_hash"):
        if not isinstance(held[name], str) or not _SHA256.fullmatch(held[name]):
            return f"{name} is no hash ({shown(held[name])})"
    return None


def _unequal(cell: str, column: str, held: pd.Series, due: pd.Series, source: str) -> Iterator[str]:
    """Yield the first items whose value in a column is another one, and how many there are."""
    same = (held == due).fillna(False).astype(bool) | (held.isna() & due.isna())
    places = held.index[~same.to_numpy()]
    for place in places[:LISTED]:
        name = " ".join(map(str, place))
        yield f"{cell} {name}: {column} is {shown(held[place])}, {source} {shown(due[place])}"
    if len(places) > LISTED:
        yield f"{cell}: {column} is another one in {len(places)} of {len(held)} items"
