"""Every level that is cheap, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reassess.bundles.archive import frozen, renamed
from reassess.bundles.checksums import files_of, tampered
from reassess.bundles.signing import Signature, check
from reassess.core.errors import ReassessError
from reassess.core.files import MALFORMED
from reassess.core.text import printable
from reassess.verify.contents import verify_contents
from reassess.verify.figures import verify_figures
from reassess.verify.report import VerifyReport
from reassess.verify.scores import verify_scores

RESTS_ON = (
    "completions, lengths, histories and weights rest on whoever packed it; "
    "`reassess verify train` trains cells again"
)


@dataclass
class Verification:
    """The outcome of all cheap levels.

    Attributes:
        levels: the report of each, by name.
        signature: who signed the bundle, if anybody.
    """

    levels: Mapping[str, VerifyReport]
    signature: Signature

    @property
    def passed(self) -> bool:
        """Whether every level was checked and none found a difference."""
        return all(report.passed for report in self.levels.values())

    def text(self) -> str:
        """The report for a person; its last line is the verdict."""
        parts = [f"[{name}]\n{report.text()}" for name, report in self.levels.items()]
        return "\n\n".join([*parts, self.verdict()])

    def verdict(self) -> str:
        """One line: consistent or not, and who vouches for it."""
        if self.passed:
            joint = ", " if self.signature.state == "good" else "; "
            return printable(f"consistent{joint}{self.signature.note()}; {RESTS_ON}")
        wrong = [name for name, report in self.levels.items() if report.differences]
        unchecked = [name for name, report in self.levels.items() if report.unchecked]
        parts = [
            *([f"NOT CONSISTENT ({', '.join(wrong)})"] if wrong else []),
            *([f"NOT FULLY CHECKED ({', '.join(unchecked)})"] if unchecked else []),
        ]
        return "; ".join(parts)


def verify_all(path: Path, *, trust: bool = False, signers: Path | None = None) -> Verification:
    """Run every level but training, all on the same files: those that the signature is of.

    Args:
        path: the bundle.
        trust: whether plug-ins and further files that its config names are loaded.
        signers: a list of allowed signers; with one, the bundle must be signed by one of them.

    Raises:
        ReassessError: there is no such bundle, or the list of signers cannot be read.
    """
    with frozen(path) as root:
        archive, signature = _archive(root, signers)
        levels: dict[str, Callable[[], VerifyReport]] = {
            "contents": lambda: verify_contents(root, trust=trust),
            "figures": lambda: verify_figures(root),
            "scores": lambda: verify_scores(root),
        }
        reports = {"archive": archive, **{name: _level(run) for name, run in levels.items()}}
        for report in reports.values():
            report.reword(lambda text: renamed(text, root, path))
    return Verification(reports, signature)


def _archive(root: Path, signers: Path | None) -> tuple[VerifyReport, Signature]:
    """Whether the files are those that were packed, and who signed them."""
    report = VerifyReport(
        agreement="as its checksums list them",
        leaves_open="who wrote the checksums, unless somebody you trust signed them",
    )
    report.add(tampered(root))
    signature = check(root, signers)
    report.add(signature.differences())
    report.notes.append(signature.note())
    report.checked = f"{len(files_of(root))} files"
    return report, signature


def _level(run: Callable[[], VerifyReport]) -> VerifyReport:
    """A level's report; one that cannot run is a level that was not checked."""
    try:
        return run()
    except ReassessError as error:
        return VerifyReport(checked="this level", unchecked=[str(error)])
    except MALFORMED as error:
        problem = f"not as this version writes it ({type(error).__name__}: {error})"
        return VerifyReport(checked="this level", unchecked=[problem])
