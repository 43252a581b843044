"""The documents are true: links, commands, targets, paths, files and the order of rooms exist."""

import inspect
import re
from pathlib import Path

import pytest
import typer.main
from test_imports import ROOMS

from reassess.cli.generate import jobs_page
from reassess.cli.main import app
from reassess.core.project import ROOT
from reassess.grid.paths import Paths
from reassess.workflow.jobs import JOBS

GENERATED = {"jobs.md", "methods"}
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(ROOT / name for name in ("envs/README.md", "results/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"(?:^ {4}.*\n?|^```[a-z]*\n(?:.*\n)*?```$)", re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
PLACEHOLDER = re.compile(r"\{[^{}]*\}")
TOP = ("src", "tests", "docs", "config", "claims", "envs", "workflow", ".github", ".ci")


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def code_of(name):
    """Return the lines of code blocks and the spans of code in the text, on one line each."""
    text = text_of(name)
    blocks = [line.strip() for block in BLOCK.findall(text) for line in block.splitlines()]
    spans = [" ".join(span.split()) for span in SPAN.findall(BLOCK.sub("", text))]
    return blocks + spans


# --- links and paths -------------------------------------------------------------------------


def anchors(path):
    """Return the anchors of a page, as forges make them from its headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_resolves(name):
    page, broken = ROOT / name, []
    for link in re.findall(r"\]\(([^)]+)\)", FENCE.sub("", text_of(name))):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("name", NAMES)
def test_every_path_of_the_project_that_a_page_names_exists(name):
    missing = [
        span
        for span in SPAN.findall(FENCE.sub("", text_of(name)))
        if span.split("/")[0] in TOP and "/" in span and re.fullmatch(r"[\w./-]+", span)
        if not (ROOT / span).exists() and not (ROOT / "src/reassess" / span).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("name", NAMES)
def test_every_module_that_a_page_names_exists(name):
    missing = []
    for span in SPAN.findall(FENCE.sub("", text_of(name))):
        if not re.fullmatch(r"reassess(\.\w+)+", span) or span == "reassess.methods":
            continue
        folder, *rest = ROOT / "src" / "reassess", *span.split(".")[1:]
        while rest and (folder / rest[0]).is_dir():
            folder /= rest.pop(0)
        module = folder / "__init__.py"
        if rest and (folder / f"{rest[0]}.py").is_file():
            module = folder / f"{rest.pop(0)}.py"
        if any(not re.search(rf"\b{one}\b", module.read_text()) for one in rest):
            missing.append(span)
    assert missing == []


@pytest.mark.parametrize("name", [name for name in NAMES if not GENERATED & set(Path(name).parts)])
def test_lines_have_at_most_100_columns(name):
    long = [line for line in text_of(name).splitlines() if len(line) > 100 and line[0] != "|"]
    assert long == []


# --- commands --------------------------------------------------------------------------------


def commands(name):
    """Yield the words of each `reassess …` that a page shows."""
    for line in code_of(name):
        for part in re.split(r"\s+#\s|&&|\|(?![\w-])|;|\$\(", line):
            words = part.split()
            if words[:1] == ["reassess"] and len(words) > 1:
                yield words[1:]


def problem_of(words):
    """Return what is wrong with a command: no such command or option, or an old spelling."""
    command = typer.main.get_command(app)
    words = list(words)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if re.fullmatch(r"[A-Z]+|…", words[0]):  # a placeholder for any of them
            return None
        choices = words.pop(0).split("|")
        unknown = [choice for choice in choices if choice not in command.commands]
        if unknown:
            return f"no command {unknown}"
        command = command.commands[choices[0]]
        if command.hidden:
            return f"{choices[0]} is an old spelling"
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    given = {
        word.strip("[]").partition("=")[0] for word in words if word.lstrip("[").startswith("--")
    }
    return f"no option {sorted(given - options)}" if given - options else None


@pytest.mark.parametrize("name", NAMES)
def test_every_command_that_a_page_shows_exists(name):
    problems = {" ".join(words): problem_of(words) for words in commands(name)}
    assert {command: problem for command, problem in problems.items() if problem} == {}


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("job train --cell a", None),
        ("bundle pack|draw|merge|verify", None),
        ("job NAME", None),
        ("job trian", "no command"),
        ("run --profil slurm", "no option"),
        ("cells", "old spelling"),
    ],
)
def test_a_wrong_command_is_found(command, problem):
    found = problem_of(command.split())
    assert found is None if problem is None else problem in found


def test_commands_are_found_at_all():
    assert len([words for name in NAMES for words in commands(name)]) > 50


@pytest.mark.parametrize("name", NAMES)
def test_every_target_of_make_that_a_page_shows_exists(name):
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    shown = {
        target for line in code_of(name) for target in re.findall(r"(?:^|&& )make ([a-z-]+)", line)
    }
    assert shown - targets == set()


# --- rooms, jobs and files -------------------------------------------------------------------

ARCHITECTURE = "docs/architecture.md"


def test_the_rooms_are_those_that_the_imports_are_checked_by_in_their_order():
    listed = re.findall(r"^\*\*`(\w+)`\*\*", text_of(ARCHITECTURE), re.MULTILINE)
    assert listed == list(ROOMS)


def test_every_module_file_in_the_list_of_rooms_exists():
    rooms = text_of(ARCHITECTURE).partition("## Rooms")[2].partition("## One run")[0]
    for paragraph in re.findall(r"^\*\*`(\w+)`\*\*(.*?)\n\n", rooms, re.MULTILINE | re.DOTALL):
        for file in re.findall(r"`([\w/]+\.py)`", paragraph[1]):
            assert (ROOT / "src/reassess" / paragraph[0] / file).is_file(), file
        for folder in re.findall(r"`([\w/]+/)`", paragraph[1]):
            parent = ROOT / "src/reassess" / paragraph[0]
            assert (parent / folder).is_dir() or (parent.parent / folder).is_dir(), folder


def test_every_job_is_in_the_table_with_its_command():
    page = jobs_page()
    for job in JOBS:
        assert f"| `{job.name}` | `reassess job {job.command()}" in page


def templates():
    """Return the patterns of all files: those of `Paths`, and what jobs write beside them."""
    paths, patterns = Paths(Path("R"), Path("S")), set()
    for name, member in inspect.getmembers(Paths, lambda one: not name_is_private(one)):
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            patterns.add(str(getattr(paths, name)))
        elif inspect.isfunction(member):
            arguments = list(inspect.signature(member).parameters.values())[1:]
            values = [f"{{{one.name}}}" for one in arguments if one.kind != one.VAR_POSITIONAL]
            patterns.add(str(member(paths, *values)))
    return patterns | {file for span in SPAN.findall(jobs_page()) for file in expanded(span)}


def name_is_private(member):
    return getattr(member, "__name__", "").startswith("_")


def expanded(span):
    """Return a pattern of files, such as `R/{a,b}.json`, as a shell expands it."""
    match = re.search(r"\{([^{}]*,[^{}]*)\}", span)
    if match is None:
        return [span]
    return [
        pattern
        for choice in match[1].split(",")
        for pattern in expanded(span[: match.start()] + choice + span[match.end() :])
    ]


def exists(pattern, known):
    """Return whether a pattern names files, or a folder of them; placeholders match any name."""
    plain = re.sub(PLACEHOLDER, "{}", pattern.rstrip("/"))
    return any(
        re.fullmatch(re.sub(r"\\\{\\\}", "[^/]+", re.escape(re.sub(PLACEHOLDER, "{}", one))), plain)
        or re.sub(PLACEHOLDER, "{}", one).startswith(f"{plain}/")
        for one in known
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_file_that_a_page_says_is_written_exists(name):
    known = templates()
    spans = [
        re.sub(r"^results/(micro|smoke|<grid>)/", "R/", span)
        for span in SPAN.findall(FENCE.sub("", text_of(name)))
    ]
    written = [file for span in spans if re.match(r"[RS]/", span) for file in expanded(span)]
    assert [file for file in written if not exists(file, known)] == []


def test_a_wrong_file_is_found():
    known = templates()
    assert exists("R/cells/{id}/train.json", known) and exists("S/fetched", known)
    assert not exists("S/receipts/{kind}.json", known)
    assert not exists("R/cells/{cell}/training.json", known)


def test_the_columns_of_the_bundle_are_those_of_the_dictionary():
    from reassess.bundles.dictionary import AXES, TABLES

    page = text_of(ARCHITECTURE).partition("### Bundle")[2].partition("## Methods")[0]
    named = set(SPAN.findall(page))
    for columns in TABLES.values():
        assert set(columns) <= named
    assert set(AXES) <= named


# --- the rest --------------------------------------------------------------------------------


def test_the_glossary_has_at_most_15_terms_of_one_line_each():
    terms = re.findall(r"^\| \*\*(.+?)\*\*", text_of("docs/glossary.md"), re.MULTILINE)
    assert 10 <= len(terms) <= 15


def test_every_decision_is_listed_and_has_its_three_parts():
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text()
    for path in sorted(folder.glob("[0-9]*.md")):
        text = path.read_text()
        assert f"({path.name})" in index
        assert re.search(r"^\d{4}-\d\d-\d\d, ", text, re.MULTILINE)
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ]
        assert len(text.splitlines()) <= 40


def test_the_method_shown_is_a_method(tmp_path):
    from reassess.methods import discover

    (code,) = re.findall(r"```python\n(.*?)```", text_of(ARCHITECTURE), re.DOTALL)
    (tmp_path / "shown.py").write_text(code)
    assert discover([tmp_path])["my-sft"].kind == "sft"
