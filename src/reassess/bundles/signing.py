"""Who says so: the checksums of an archive, signed with an SSH key.

`ssh-keygen -Y` of OpenSSH (8.2 or later) signs and verifies; nothing else is needed, and many
people have a key. The signature (`SHA256SUMS.sig`) is of the list of checksums, and so of every
file. Whose keys count is a list of allowed signers as `ssh-keygen(1)` describes it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reassess.bundles.checksums import SIGNATURE, SUMS
from reassess.core.errors import ReassessError
from reassess.core.files import replacing

PROGRAM = "ssh-keygen"
NAMESPACE = "reassess-bundle"  # a signature made for anything else is none of a bundle
LONGEST = 2**16  # bytes of a signature
GOOD = re.compile(
    rf'Good "{NAMESPACE}" signature (?:for .* )?with (\S+ key SHA256:\S+)$', re.MULTILINE
)
# What `ssh-keygen` writes, and nothing else: text around it, or in it, would seem to be signed.
ARMOR = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/=]+\n)+)-----END SSH SIGNATURE-----\n"
)

State = Literal["unsigned", "unchecked", "good", "bad"]


@dataclass(frozen=True)
class Signature:
    """The outcome of a check.

    Attributes:
        state: `unsigned`; `unchecked`: signed, but nobody said whose keys count; `good`: by one of
            the allowed signers; `bad`: anything else.
        key: type and fingerprint of the key, if known.
        principal: the name of the signer in the list of allowed signers, if `good`.
        problem: why it is a difference, if it is one.
    """

    state: State
    key: str = ""
    principal: str = ""
    problem: str = ""

    def differences(self) -> list[str]:
        """The problem, if there is one."""
        return [f"{SIGNATURE}: {self.problem}"] if self.problem else []

    def note(self) -> str:
        """One line for a person; names are quoted, so that they cannot pass for anything else."""
        match self.state:
            case "unsigned":
                return "not signed: nobody vouches for this bundle"
            case "unchecked":
                by = f"signed with {self.key}" if self.key else f"signed, but {PROGRAM} is missing"
                return f"{by}; not checked whose key that is (--signer FILE checks it)"
            case "good":
                return f"signed by {self.principal!r} with {self.key}"
            case _:
                return f"signature not accepted: {self.problem}"


def require_key(key: Path) -> None:
    """Refuse what cannot sign before anything is done.

    Raises:
        ReassessError: `ssh-keygen` is missing, or there is no such key.
    """
    _require_program()
    if not key.is_file():
        raise ReassessError(f"no key {key} to sign with; `{PROGRAM} -t ed25519 -f {key}` makes one")


def sign(root: Path, key: Path) -> None:
    """Sign the checksums of an archive.

    Args:
        root: its folder, with checksums.
        key: a private key, or a public one whose private half an SSH agent holds. A passphrase is
            asked for on the terminal.

    Raises:
        ReassessError: the key cannot sign; says why.
    """
    require_key(key)
    with tempfile.TemporaryDirectory(prefix="reassess-sign-") as temporary:
        copy = Path(temporary) / SUMS
        shutil.copyfile(root / SUMS, copy)
        done = _run("sign", "-f", str(key), "-n", NAMESPACE, str(copy))
        made = copy.with_name(SIGNATURE)
        if done.returncode != 0 or not made.is_file():
            raise ReassessError(
                f"{key} cannot sign ({_said(done)}). A key with a passphrase needs a terminal, or "
                f"an agent: `ssh-add {key}`, then sign with {_public(key)}"
            )
        with replacing(root / SIGNATURE) as target:
            shutil.copyfile(made, target)


def check(root: Path, signers: Path | None = None) -> Signature:
    """Check the signature of an archive's checksums (not the checksums themselves).

    Args:
        root: its folder.
        signers: a list of allowed signers; none: whose key it is, is not checked. With one, an
            unsigned archive has a problem too.

    Raises:
        ReassessError: the list cannot be read, or `ssh-keygen` is missing and there is a list.
    """
    if signers is not None:
        _require_program()
        _require_readable(signers)
    if not (root / SIGNATURE).is_file():
        wanted = "there is none, and the bundle should be signed" if signers is not None else ""
        return Signature("unsigned", problem=wanted)
    if not (root / SUMS).is_file() or not _is_one_signature(root / SIGNATURE):
        problem = f"not exactly one signature of {SUMS}, as {PROGRAM} writes it; get another copy"
        return Signature("bad", problem=problem)
    if shutil.which(PROGRAM) is None:
        return Signature("unchecked")
    sums = (root / SUMS).read_bytes()
    of_signature = ("-n", NAMESPACE, "-s", str(root / SIGNATURE))
    done = _run("check-novalidate", *of_signature, stdin=sums)
    match = GOOD.match(done.stdout)
    if done.returncode != 0 or match is None:
        return Signature("bad", problem=f"not of this {SUMS} ({_said(done)})")
    if signers is None:
        return Signature("unchecked", key=match[1])
    return _by_one_of(signers, match[1], of_signature, sums)


def _is_one_signature(path: Path) -> bool:
    """Whether a file is one armored signature (OpenSSH's PROTOCOL.sshsig) without a spare byte."""
    match = ARMOR.fullmatch(path.read_bytes()) if path.stat().st_size <= LONGEST else None
    if match is None:
        return False
    lines = match[1].splitlines()
    text = b"".join(lines)
    if len(lines[-1]) > len(lines[0]) or len({len(line) for line in lines[:-1]}) > 1:
        return False
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    fields = []  # key, namespace, reserved, name of the hash, signature; behind name and version
    end = 10
    while end < len(blob):
        start = end + 4
        end = start + int.from_bytes(blob[end:start], "big")
        fields.append(blob[start:end])
    whole = end == len(blob) and len(fields) == 5
    return whole and blob.startswith(b"SSHSIG") and not fields[2] and base64.b64encode(blob) == text


def _by_one_of(signers: Path, key: str, of_signature: tuple[str, ...], sums: bytes) -> Signature:
    """Whether a signature that is whole was made by one whom the list allows."""
    problem = "its key is not in the list"
    for principal in _principals(Path(of_signature[-1]), signers):
        allowed = ("-f", str(signers), "-I", principal)
        done = _run("verify", *allowed, *of_signature, stdin=sums)
        if done.returncode == 0 and GOOD.match(done.stdout):
            return Signature("good", key, principal)
        problem = f"{principal!r}: {_said(done)}"
    return Signature("bad", key, problem=f"by no signer that {signers} allows ({key}; {problem})")


def _principals(signature: Path, signers: Path) -> Iterator[str]:
    """Yield those whom the list allows to sign with the key: names, or patterns of names.

    A pattern stands for itself: it matches itself.
    """
    done = _run("find-principals", "-f", str(signers), "-s", str(signature))
    for line in done.stdout.split("\n") if done.returncode == 0 else []:
        yield from (name for name in line.split(",") if name and not name.startswith("!"))


def _run(action: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [PROGRAM, "-Y", action, *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    out, err = (stream.decode(errors="backslashreplace") for stream in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """The last words of the program, on one line and printable."""
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    last = lines[-1] if lines else f"exit code {done.returncode}"
    return last if last.isprintable() else repr(last)


def _public(key: Path) -> str:
    return str(key) if key.suffix == ".pub" else f"{key}.pub"


def _require_program() -> None:
    if shutil.which(PROGRAM) is None:
        raise ReassessError(
            f"{PROGRAM} is not installed; it signs and checks signatures, and is a part of OpenSSH "
            "(8.2 or later)"
        )


def _require_readable(signers: Path) -> None:
    try:
        signers.read_bytes()
    except OSError as error:
        raise ReassessError(
            f"the list of allowed signers {signers} cannot be read ({error.strerror}). A line of "
            f'it is a name, a key type and a key: `name namespaces="{NAMESPACE}" ssh-ed25519 AAAA…`'
        ) from error
