"""Every change made to another library still fits that library; these fail when upstream moves."""

import ast
import inspect
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from reassess.core import compat

SRC = str(Path(compat.__file__).parents[2])


@pytest.mark.parametrize("patch", compat.PATCHES, ids=lambda patch: patch.library)
def test_an_installed_library_is_within_the_bound_that_was_tested(patch):
    assert version(patch.library) in SpecifierSet(patch.versions), patch.check
    assert patch.changes and patch.reason and patch.check


def run(code, *options):
    return subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True)


def test_importing_the_package_imports_neither_torch_nor_torchvision():
    run_ = run("import reassess, sys; sys.exit(bool({'torch', 'torchvision'} & set(sys.modules)))")
    assert run_.returncode == 0, run_.stderr


def test_torchvision_describes_the_operators_that_are_declared_and_no_others():
    source = Path(find_spec("torchvision").submodule_search_locations[0], "_meta_registrations.py")
    described = {
        decorator.args[0].value
        for function in ast.walk(ast.parse(source.read_text()))
        if isinstance(function, ast.FunctionDef)
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("register_fake")
    }
    assert described == {f"torchvision::{name}" for name in compat.TORCHVISION_OPERATORS}


TRANSFORMS = "import torchvision.transforms.v2 as t; t.Resize(4); import transformers; transformers.PreTrainedModel"


@pytest.fixture
def torch_without_cuda():
    torch = pytest.importorskip("torch")
    if torch.version.cuda is not None:
        pytest.skip("a CUDA build of torch needs no declaration")


@pytest.mark.slow
def test_every_process_of_the_environment_imports_torchvision():
    """Of programs other than ours too: `lm_eval`, `accelerate`, `trl`."""
    done = run(TRANSFORMS)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_torchvision_is_imported_beside_a_torch_without_cuda_only_with_the_hook(
    torch_without_cuda,
):
    # -S and a path: the packages of the environment without its .pth files.
    folders = f"import sys; sys.path[:0] = [{sysconfig.get_path('purelib')!r}, {SRC!r}]; "
    assert run(f"{folders}import reassess; {TRANSFORMS}", "-S").returncode == 0
    without = run(folders + TRANSFORMS, "-S")
    assert without.returncode != 0, "torchvision no longer needs the hook"
    assert "torchvision::nms" in without.stderr


@pytest.mark.slow
def test_operators_are_declared_only_where_torchvisions_own_library_does_not_load(
    torch_without_cuda,
):
    """A library that fits registers them, and cannot where they are registered already."""
    declared = (
        "torch.ops.load_library = {}; find_spec('torchvision'); "
        "print(hasattr(torch.ops.torchvision, 'nms'))"
    )
    imports = "import reassess, torch; from importlib.util import find_spec; "
    assert run(imports + declared.format("torch.ops.load_library")).stdout == "True\n"
    assert run(imports + declared.format("lambda path: None")).stdout == "False\n"


@pytest.fixture
def accelerate_restored(monkeypatch):
    from accelerate.utils import fsdp_utils

    monkeypatch.setattr(fsdp_utils, "_find_final_norm", fsdp_utils._find_final_norm)
    return fsdp_utils


def test_accelerate_still_asks_one_function_for_the_norm(accelerate_restored):
    stock = accelerate_restored._find_final_norm
    assert list(inspect.signature(stock).parameters) == ["model"]
    assert list(inspect.signature(compat.final_norm).parameters) == ["model"]
    assert "_find_final_norm(model)" in inspect.getsource(accelerate_restored.fsdp2_prepare_model)


@pytest.fixture(scope="module")
def families():
    """A small model of each architecture in use, by name."""
    from transformers import (
        AutoModelForImageTextToText,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        Qwen2_5_VLConfig,
        Qwen2VLConfig,
        Qwen3VLConfig,
    )

    text = {
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "vocab_size": 32,
        "num_attention_heads": 2, "num_key_value_heads": 1, "pad_token_id": 0,
    }  # fmt: skip
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2]}
    tower = {"depth": 2, "num_heads": 2, "patch_size": 2, "spatial_merge_size": 2}
    windowed = {"window_size": 8, "fullatt_block_indexes": [1]}
    tokens = {"image_token_id": 1, "video_token_id": 2}
    clip = CLIPVisionConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        image_size=8, patch_size=4,
    )  # fmt: skip
    configs = {
        "llava": LlavaConfig(
            vision_config=clip, text_config=LlamaConfig(**text), image_token_index=1
        ),
        "qwen2-vl": Qwen2VLConfig(
            text_config={**text, "rope_parameters": rope},
            vision_config={**tower, "embed_dim": 32, "mlp_ratio": 1, "hidden_size": 32},
            **tokens,
        ),
        "qwen2.5-vl": Qwen2_5_VLConfig(
            text_config={**text, "rope_parameters": rope},
            vision_config={
                **tower, **windowed, "hidden_size": 32, "intermediate_size": 32,
                "out_hidden_size": 32,
            },
            **tokens,
        ),
        "qwen3-vl": Qwen3VLConfig(
            text_config={**text, "head_dim": 16, "rope_parameters": rope},
            vision_config={
                **tower, "hidden_size": 32, "intermediate_size": 32, "out_hidden_size": 32,
                "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
            },
            **tokens,
        ),
    }  # fmt: skip
    return {
        name: AutoModelForImageTextToText.from_config(config) for name, config in configs.items()
    }


FAMILIES = ("llava", "qwen2-vl", "qwen2.5-vl", "qwen3-vl")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_norm_of_an_image_text_model_is_found_only_with_the_patch(
    families, family, accelerate_restored
):
    model = families[family]
    stock = accelerate_restored._find_final_norm
    compat.keep_head_with_norm()
    assert accelerate_restored._find_final_norm(model) is model.model.language_model.norm
    assert stock(model) is None, "accelerate finds the norm by itself: drop the patch"


def images(model, count):
    """Return arguments of `get_image_features` for `count` distinct images of one size."""
    import torch

    torch.manual_seed(count)
    vision = model.config.vision_config
    if model.config.model_type == "llava":
        return {"pixel_values": torch.randn(count, 3, vision.image_size, vision.image_size)}
    patch = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    return {
        "pixel_values": torch.randn(count * 16, patch),
        "image_grid_thw": torch.tensor([[1, 4, 4]] * count),
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_features_of_distinct_images_are_repeated_for_their_slots(families, family):
    import torch

    slots = [0, 1, 0]
    model = families[family].eval()
    inner = model.base_model
    stock = inner.get_image_features
    distinct = images(model, 2)
    with torch.no_grad():
        wanted = stock(**distinct)
        shown = dict(distinct)
        if "image_grid_thw" in shown:
            shown["image_grid_thw"] = shown["image_grid_thw"][slots]
        with compat.repeating_image_features(inner, slots):
            repeated = inner.get_image_features(**shown)
    assert inner.get_image_features == stock
    assert len(repeated.pooler_output) == len(slots)
    for slot, features in zip(slots, repeated.pooler_output):
        assert torch.equal(features, wanted.pooler_output[slot])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_calls_the_method_that_is_replaced(families, family):
    inner = type(families[family].base_model)
    assert "pixel_values" in inspect.signature(inner.get_image_features).parameters
    assert "self.get_image_features(" in inspect.getsource(inner)
