"""A grid small enough to run whole in a test: everything real but the sizes."""

import yaml

from reassess.core import numerics
from reassess.core.project import ROOT
from reassess.grid.study import Grid
from reassess.methods import discover

RL = {
    "max_steps": 3,
    "prompts_per_step": 2,
    "num_generations": 2,
    "max_completion_length": 8,
    "save_every": 1,
    "probe_every": 2,
    "resample_rounds": 1,
    "overlong_cache": 2,
}
SFT = {"max_steps": 6, "batch_size": 4, "warmup_steps": 1, "save_every": 2, "probe_every": 3}
TINY = {"none": {}, "sft": SFT, "rl": RL}
STUDIES = ("capacity", "scale", "distribution", "transfer", "reward", "controls")


def tiny_config(
    folder, methods=("base", "sft"), models=("llava-w32",), plugins=(), settings=None, **changes
):
    """Write a tiny grid's config into `folder`; return its path. Every discovered method is an arm.

    Args:
        folder: where to.
        methods: names of the arms that run.
        models: names of the models that run.
        plugins: folders with methods.
        settings: by arm, settings in place of its tiny ones.
        changes: parts of the config to replace; of `world`, keys.
    """
    studies = dict.fromkeys(STUDIES)
    studies["capacity"] = {
        "question": "does it run?",
        "models": list(models),
        "methods": list(methods),
        "sizes": [12],
    }
    config = {
        "extends": str(ROOT / "config.yaml"),
        "grid": "tiny",
        "numerics": numerics.current(),  # `fast` on a processor that has no other
        "plugins": [str(path) for path in plugins],
        "world": {
            "pool_rows": 24,
            "split_items": 6,
            "main_items": None,
            "probe_items": 4,
            "base": {"rows": 24, "steps": 3, "direct_rows": 8, "direct_steps": 1},
            "teacher": {"rows": 8, "steps": 1},
        },
        "teachers": {"llava": "llava-w32", "qwen3-vl": "qwen3vl-w32"},
        # An untrained teacher has no correct trace to sample; the world writes them out instead.
        "distributions": {"same-family": {"source": "rendered", "style": "native"}},
        "evaluation": {"max_new_tokens": 8},
        "methods": {name: tiny_settings(method) for name, method in discover(plugins).items()},
        "studies": studies,
    }
    half = {**config["methods"]["grpo"], "uses": "grpo", "format_weight": 0.5}
    config["methods"]["grpo-half"] = half
    config["methods"] |= settings or {}
    config["world"] |= changes.pop("world", {})
    config |= changes
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def tiny_settings(method):
    """Return settings with which a method trains in seconds, by the names of its settings."""
    fields = method.Settings.model_fields
    return {name: value for name, value in TINY[method.kind].items() if name in fields}


def tiny_grid(folder, **options):
    """Return a tiny grid whose files lie below `folder`."""
    places = {"results": str(folder / "results"), "scratch": str(folder / "scratch")}
    return Grid.load(tiny_config(folder, **options, **places))
