"""Puts Snakefile, rules, profiles, configs and locks into a wheel; everything else is in pyproject.toml."""

import ast
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


def carried() -> tuple[str, ...]:
    """Return the names in `reassess.core.project.CARRIED`, without importing the package."""
    tree = ast.parse((HERE / "src/reassess/core/project.py").read_text())
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CARRIED"
    )
    return ast.literal_eval(value)


class BuildWithProject(build_py):
    """Also copies the files beside the code into `reassess/_project`."""

    def run(self) -> None:
        """Build."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "reassess" / "_project"
        shutil.rmtree(target, ignore_errors=True)
        for name in carried():
            source = HERE / name
            if source.is_dir():
                shutil.copytree(source, target / name)
            else:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target / name)


setup(cmdclass={"build_py": BuildWithProject})
