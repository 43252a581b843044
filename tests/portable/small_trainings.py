"""Small trainings in portable numerics, from fresh weights to hashes: what every CPU must agree on.

As a program, on this processor or under an emulator of another, it prints the hashes as JSON:

    python tests/portable/small_trainings.py                 # operations, trainings of both families
    python tests/portable/small_trainings.py --family llava  # operations, trainings of one
    python tests/portable/small_trainings.py --family none   # operations alone
    python tests/portable/small_trainings.py --write         # also into expected.json, the committed

They are committed: a change that is meant to change bits writes them anew, with the reason in its
commit.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

from reassess.core import numerics

PROGRAM = Path(__file__)
EXPECTED = PROGRAM.with_name("expected.json")
FAMILIES = ("llava", "qwen3-vl")
WIDTH, ITEMS = 64, 16


def results(families=FAMILIES):
    """Return by name the hash of each operation and of what each training makes, as it comes about."""
    numerics.fix("portable")
    from reassess.core.fingerprint import fingerprint

    found = {"operations": fingerprint()["operations"], "trainings": {}}
    with tempfile.TemporaryDirectory() as folder:
        for family in families:
            found["trainings"] |= dict(trained(family, Path(folder)))
    return found


def trained(family, folder):
    """Yield the hash of each result of a family: of weights and of tokens."""
    from reassess.training.generate import generate
    from reassess.training.preprocessed import preprocess
    from reassess.training.rl import train_grpo
    from reassess.training.rl_settings import RlSettings
    from reassess.training.sft import train_sft
    from reassess.training.sft_settings import SftSettings
    from reassess.worlds.micro.items import make_item
    from reassess.worlds.micro.models import build_model, build_tokenizer
    from reassess.worlds.micro.prompts import prompt
    from reassess.worlds.micro.traces import render_trace

    if not (folder / "tokenizer").exists():
        build_tokenizer(folder / "tokenizer")
        tokenizer = (folder / "tokenizer" / "tokenizer.json").read_bytes()
        yield "tokenizer", hashlib.sha256(tokenizer).hexdigest()
    items = [make_item("train", 7, index) for index in range(ITEMS)]
    model, processor = build_model(family, WIDTH, 5, folder / "tokenizer")
    traces = [render_trace(item, "native") for item in items]
    rows = preprocess(items, traces, processor, prompt)
    yield f"{family}, fresh", weights(model)
    settings = SftSettings(max_steps=4, batch_size=8, warmup_steps=1, learning_rate=1e-2)
    work = folder / f"{family}-sft"
    train_sft(model, processor, rows, settings, order_seed=2, work=work, save=False)
    yield f"{family}, SFT", weights(model)
    settings = RlSettings(
        max_steps=3,
        prompts_per_step=2,
        num_generations=4,
        max_completion_length=16,
        learning_rate=1e-3,
        warmup_steps=1,
    )
    train_grpo(
        model,
        processor,
        rows,
        items,
        settings,
        order_seed=1,
        sampling_seed=1,
        work=folder / f"{family}-grpo",
        extra_rewards=[uneven],
        save=False,
    )
    yield f"{family}, GRPO", weights(model)
    pad, end = processor.tokenizer.pad_token_id, processor.tokenizer.eos_token_id
    tokens = generate(model, rows, range(ITEMS), pad=pad, end=end, max_new_tokens=16)
    text = json.dumps([row.tolist() for row in tokens])
    yield f"{family}, greedy", hashlib.sha256(text.encode()).hexdigest()


def uneven(completions, **_):
    """A reward that differs between the completions of models that have hardly been trained."""
    return [len(str(completion)) % 7 / 7 for completion in completions]


def weights(model):
    total = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        total.update(name.encode() + value.contiguous().numpy().tobytes())
    return total.hexdigest()


def differences(found, expected):
    """Return the names of what was found and is not as expected."""
    return [
        name
        for part, hashes in found.items()
        for name, digest in hashes.items()
        if expected[part][name] != digest
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--family", choices=[*FAMILIES, "none"], action="append")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    answers, sys.stdout = sys.stdout, sys.stderr  # trainers print
    chosen = options.family or FAMILIES
    made = results([family for family in chosen if family != "none"])
    if options.write:
        EXPECTED.write_text(json.dumps(made, indent=1) + "\n")
    print(json.dumps(made), file=answers)
