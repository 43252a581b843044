"""The order of the rooms: imports run downwards only, no circle anywhere, and late imports have a reason."""

import ast
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "reassess"

# A room imports only from rooms further down.
ROOMS = (
    "cli",
    "bench",
    "cluster",
    "workflow",
    "verify",
    "bundles",
    "figures",
    "analysis",
    "evaluation",
    "worlds",
    "grid",
    "methods",
    "training",
    "data",
    "verifier",
    "config",
    "core",
)

# Packages that a command which only reads files must not wait for, and the seconds that importing
# what is used of them takes alone, the best of three (two quiet cores, x86-64, 2026-11-25). A
# function-level import saves them. deepspeed and vllm are not installed there.
HEAVY = {
    "torch": 1.30,
    "torchvision": 2.93,
    "transformers": 4.52,
    "trl": 6.01,
    "lm_eval": 2.38,
    "datasets": 0.79,
    "accelerate": 1.48,
    "peft": 4.66,
    "deepspeed": None,
    "vllm": None,
    "pandas": 0.34,
    "numpy": 0.07,
    "pyarrow": 0.10,
    "matplotlib": 0.40,
    "seaborn": 1.37,
    "scipy": 0.67,
    "PIL": 0.02,
    "math_verify": 0.49,
    "huggingface_hub": 0.17,
    "tokenizers": 0.02,
    "safetensors": 1.29,
    "trackio": 0.43,
    "pebble": 0.07,
}

# Function-level imports of our own light modules, each with its reason and, in seconds, its gain.
LATE = {
    ("cli.entry", "cli.main"): ("a job that the fork server runs needs nothing of it", 0.25),
}


def module_of(path):
    parts = list(path.relative_to(SRC).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in SRC.rglob("*.py")}


def imports_of(module):
    """Yield (imported module, whether at module level, whether for types only)."""
    tree = ast.parse(FILES[module].read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    top = {id(inner) for node in tree.body for inner in nodes_outside_functions(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [
                f"{node.module}.{alias.name}"
                if f"{node.module}.{alias.name}".removeprefix("reassess.") in FILES
                else node.module
                for alias in node.names
            ]
        else:
            continue
        for name in names:
            yield name, id(node) in top, id(node) in typing_only


def nodes_outside_functions(node):
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from nodes_outside_functions(child)


def own(name):
    return name.removeprefix("reassess.") if name.startswith("reassess.") else None


IMPORTS = {module: list(imports_of(module)) for module in FILES}


def room(module):
    return module.split(".")[0]


def test_every_package_is_a_room_and_few_modules_stand_beside_them():
    packages = {path.parent.name for path in SRC.glob("*/__init__.py")}
    assert packages == set(ROOMS)
    assert len([path for path in SRC.glob("*.py") if path.name != "__init__.py"]) <= 4


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_only_from_rooms_below_it(name):
    wrong = [
        f"{module} imports {target}"
        for module, targets in IMPORTS.items()
        if room(module) == name
        for target in map(own, (imported for imported, _, _ in targets))
        if target is not None and ROOMS.index(room(target)) < ROOMS.index(name)
    ]
    assert wrong == []


def circles(edges):
    """Return the strongly connected components of more than one module (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in edges.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            part = []
            while not part or part[-1] != node:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for node in edges:
        if node not in index:
            visit(node)
    return found


def test_a_circle_is_found():
    assert circles({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}) == [["a", "b", "c"]]


def test_no_modules_import_each_other_in_a_circle():
    edges = {
        module: [target for name, _, _ in targets if (target := own(name)) in FILES]
        for module, targets in IMPORTS.items()
    }
    assert circles(edges) == []


def heavy_modules():
    """Return our modules that import a heavy package at module level, themselves or through others."""
    heavy, before = set(), None
    while before != heavy:
        before = set(heavy)
        for module, targets in IMPORTS.items():
            if any(
                at_top and not for_types and (name.split(".")[0] in HEAVY or own(name) in heavy)
                for name, at_top, for_types in targets
            ):
                heavy.add(module)
    return heavy


def test_imports_in_functions_spare_a_heavy_package_or_are_listed():
    heavy = heavy_modules()
    wrong = [
        f"{module} imports {name} in a function"
        for module, targets in IMPORTS.items()
        for name, at_top, _ in targets
        if not at_top
        and (target := own(name)) is not None
        and target not in heavy
        and (module, target) not in LATE
    ]
    assert wrong == []


def test_what_reads_files_only_imports_no_heavy_package():
    light = ("cli.main", "grid.study", "workflow.rules", "workflow.jobs", "workflow.plan")
    light += ("cluster.status", "verifier", *(name for name in FILES if room(name) == "methods"))
    assert sorted(set(light) & heavy_modules()) == []
    assert not set(HEAVY) & set(sys.stdlib_module_names)
