"""The default grid: the slice that `make` runs, of one seed and one family.

`config.yaml` is generated from it, with the descriptions of the keys.
"""

from __future__ import annotations

from reassess.core.files import Json

DEFAULT: Json = {
    "numerics": "portable",
    "world": {"main_items": 2000},
    "models": {
        "llava-w32": {"family": "llava", "width": 32, "tier": "weak"},
        "llava-w64": {"family": "llava", "width": 64, "tier": "strong"},
        "qwen3vl-w32": {"family": "qwen3-vl", "width": 32, "tier": "weak"},
        "qwen3vl-w64": {"family": "qwen3-vl", "width": 64, "tier": "strong"},
    },
    "teachers": {"llava": "llava-w64", "qwen3-vl": "qwen3vl-w64"},
    "distributions": {
        "same-family": {"source": "teacher", "samples": 4, "temperature": 1.0},
        "foreign": {"source": "rendered", "style": "words"},
    },
    "methods": {
        "base": {},
        "random-choice": {},
        "blank-image": {},
        "sft": {},
        "grpo": {},
        "dapo": {},
        "sft-grpo": {},
        "grpo-half": {"uses": "grpo", "format_weight": 0.5},
        "format-reward": {},
    },
    "studies": {
        "capacity": {
            "question": "Does SFT or RL bring more, by model?",
            "models": ["llava-w32", "llava-w64"],
            "methods": ["base", "sft", "grpo"],
            "sizes": [2000],
        },
        "scale": {
            "question": "How much data does each need?",
            "models": ["llava-w64"],
            "methods": ["base", "sft", "grpo", "dapo"],
            "sizes": [20, 200, 2000],
        },
        "distribution": {
            "question": "What do traces from elsewhere cost?",
            "models": ["llava-w64"],
            "methods": ["base", "sft"],
            "distributions": ["same-family", "foreign"],
            "sizes": [2000],
        },
        "transfer": {
            "question": "What does training on pictures do to the same task in words?",
            "models": ["llava-w64"],
            "methods": ["base", "sft", "grpo"],
            "sizes": [2000],
        },
        "reward": {
            "question": "Does a rising reward mean a rising accuracy?",
            "models": ["llava-w64"],
            "methods": ["grpo", "grpo-half", "sft-grpo"],
            "sizes": [20],
        },
        "controls": {
            "question": "Where is the floor?",
            "models": ["llava-w64"],
            "methods": ["base", "random-choice", "blank-image", "format-reward"],
            "sizes": [20],
        },
    },
}
