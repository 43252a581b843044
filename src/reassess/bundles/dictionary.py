"""The data dictionary: what every column of a bundle means.

It is written into each archive, and a test compares it with the columns.
"""

from __future__ import annotations

AXES = {
    "cell": "the cell: model/distribution/size/method/seed",
    "model": "name of the model in the config",
    "tier": "weak or strong",
    "family": "model family; its members share tokenizer, template and frozen rows",
    "distribution": "where the traces come from; empty for methods that train nothing",
    "size": "number of frozen rows trained on; empty for methods that train nothing",
    "method": "arm of the comparison",
    "kind": "sft, rl or none",
    "seed": "seed of the run",
}
SCORES = {
    **AXES,
    "benchmark": "benchmark of the config",
    "item": "id of the question",
    "correct": "whether the verifier calls the answer right",
    "format_ok": "whether the completion is reasoning and one answer after it",
    "length": "length of the completion, in tokens",
    "truncated": "whether the completion met the token budget",
    "item_family": "kind of question",
    "hops": "steps that the question needs (micro world)",
    "filled": "filled cells of the picture (micro world)",
    "undecided": "whether the verifier reached no verdict within its limits: not correct",
    "samples": "further completions drawn for pass@k",
    "sampled_correct": "how many of them are right",
    "judged": "verdict of the judge model; empty where its reply could not be read",
}
PREDICTIONS = {
    "cell": AXES["cell"],
    "benchmark": SCORES["benchmark"],
    "item": SCORES["item"],
    "prompt_hash": "SHA-256 of the prompt's text",
    "completion": "what the model wrote, greedily",
    "extracted": "the answer found in it; empty if none",
    "answer": "the right answer",
    "answer_kind": "how the two are compared",
    "sampled": "texts of the further completions, as JSON",
}
HISTORY = {
    **AXES,
    "step": "updates done; 0 is the start",
    "metric": "what was measured: reward, loss, probe_accuracy, samples, tokens, flops, "
    "seconds, ...",
    "value": "its value",
}
MANIFESTS = {
    **AXES,
    "status": "done or failed",
    "error": "of a failed cell: its error and the last lines of its log, or why it was left out",
    "spec_hash": "SHA-256 of everything that decides the trained weights",
    "rows_hash": "SHA-256 of the rows trained on, in order: of their content; of their ids where "
    "it does not begin with `content:`",
    "samples": "rows or rollouts trained on",
    "updates": "optimizer updates",
    "tokens": "tokens processed in training",
    "flops": "floating-point operations of training, estimated",
    "seconds": "seconds of the training job",
    "peak_memory_mb": "largest resident size of the training job, in MiB",
    "resumed": "whether the run went on from a trainer checkpoint after an interruption",
    "manifest": "the manifests of training and evaluation, as JSON",
}
TABLES = {"scores": SCORES, "predictions": PREDICTIONS, "history": HISTORY, "manifests": MANIFESTS}
# By table and column, the meanings that earlier versions wrote into their archives.
EARLIER = {
    ("manifests", "error"): ("of a failed cell: its error and the last lines of its log",),
    ("manifests", "rows_hash"): ("SHA-256 of the ids of the rows trained on, in order",),
}
