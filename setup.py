"""Puts Snakefile, rules, profiles, configs, locks and the .pth file into a wheel.

Everything else is in pyproject.toml.
"""

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
    """Also copies the files beside the code into `reassess/_project`, and the .pth file to the top.

    An editable installation has no place for a .pth file; the Makefile copies it there.
    """

    def run(self) -> None:
        """Build."""
        super().run()
        if self.editable_mode:
            return
        shutil.copy(HERE / "envs" / "zz_reassess_shim.pth", self.build_lib)
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
