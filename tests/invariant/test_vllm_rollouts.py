"""Rollouts by vLLM, with a stand-in for its engine: what it is given and when it is refreshed."""

from types import SimpleNamespace

import pytest
from small_runs import RL, grpo, values

from reassess.core.errors import ReassessError
from reassess.training.layout import Layout
from reassess.training.vllm_engine import image_placeholder


class Engine:
    """Takes the place of TRL's vLLM: expands placeholders as vLLM does, and records its calls."""

    times = 3

    def __init__(self, model, processing_class, **options):
        self.model, self.processor, self.options, self.mode = (
            model,
            processing_class,
            options,
            options["mode"],
        )
        self.prompts, self.synced, self.emptied = [], 0, 0
        self.vllm_client = SimpleNamespace(
            get_server_info=lambda: {"model_config": {"logprobs_mode": "processed_logprobs"}}
        )
        self.llm = SimpleNamespace(llm_engine=SimpleNamespace(reset_encoder_cache=self._empty))

    def _empty(self):
        self.emptied += 1

    def sync_weights(self):
        self.synced += 1

    def generate(self, prompts, images, num_generations, profiler=None):
        assert images is not None and len(images) == len(prompts)
        self.prompts += prompts
        placeholder = image_placeholder(self.processor)
        end = self.processor.tokenizer.eos_token_id
        read = [
            [
                piece
                for token in row
                for piece in [token] * (self.times if token == placeholder else 1)
            ]
            for row in prompts
        ]
        words = self.processor.tokenizer("a b c d e f g", add_special_tokens=False)["input_ids"]
        completions = [[words[place % 7], words[0], end] for place in range(len(prompts))]
        return read, completions, [[[-2.0]] * 3] * len(prompts), None


@pytest.fixture
def engine(monkeypatch, fresh, rows):
    """Return the engines that TRL makes in a test."""
    from trl.trainer import grpo_trainer

    made = []

    def make(**options):
        made.append(Engine(**options))
        return made[0]

    monkeypatch.setattr(grpo_trainer, "VLLMGeneration", make)
    monkeypatch.setattr(grpo_trainer, "is_vllm_available", lambda: True, raising=False)
    monkeypatch.setattr(
        Engine, "times", int((rows.prompts[0] == image_placeholder(fresh[1])).sum())
    )
    return made


def test_a_colocated_engine_gets_one_placeholder_an_image_and_drops_images_with_the_weights(
    fresh, rows, items, tmp_path, engine
):
    history = grpo(fresh, rows, items, tmp_path, Layout(rollouts="vllm"))
    (made,) = engine
    placeholder = image_placeholder(fresh[1])
    assert {prompt.count(placeholder) for prompt in made.prompts} == {1}
    assert made.synced == made.emptied == RL.max_steps
    assert (
        made.options["temperature"],
        made.options["top_p"],
        made.options["top_k"],
        made.options["min_p"],
    ) == (1.0, 1.0, 0, None)
    assert made.options["enable_sleep_mode"]
    assert (
        made.options["max_model_length"] == max(map(len, rows.prompts)) + RL.max_completion_length
    )
    assert made.options["generation_kwargs"]["logit_bias"][placeholder] == -100
    assert len(values(history, "reward")) == RL.max_steps


def test_a_prompt_that_the_engine_reads_otherwise_stops_the_run(
    fresh, rows, items, tmp_path, engine, monkeypatch
):
    monkeypatch.setattr(Engine, "times", Engine.times + 1)
    with pytest.raises(ReassessError, match="visual tokens"):
        grpo(fresh, rows, items, tmp_path, Layout(rollouts="vllm"))


def test_a_server_gets_expanded_prompts_and_is_refused_a_tower_that_trains(
    fresh, rows, items, tmp_path, engine, monkeypatch
):
    monkeypatch.setattr(Engine, "times", 1)
    served = Layout(rollouts="vllm", vllm_mode="server")
    with pytest.raises(ReassessError, match="freeze_vision"):
        grpo(fresh, rows, items, tmp_path / "refused", served)
    grpo(fresh, rows, items, tmp_path / "served", served, freeze_vision=True)
    placeholder = image_placeholder(fresh[1])
    assert {prompt.count(placeholder) for prompt in engine[0].prompts} == {
        int((rows.prompts[0] == placeholder).sum())
    }
    assert engine[0].emptied == 0
