"""Who says so: signatures of archives by `ssh-keygen`, and every way in which they can be none."""

import base64
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from synthetic import grid_in, make_bundle

from reassess.bundles import signing
from reassess.bundles.archive import opened, pack
from reassess.bundles.checksums import SIGNATURE, SUMS, tampered, write_sums
from reassess.bundles.drawings import DRAWN_WITH, drawn_with
from reassess.bundles.merge import merge
from reassess.bundles.signing import NAMESPACE, check, sign
from reassess.core.errors import ReassessError
from reassess.core.files import write_json

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="ssh-keygen (OpenSSH) is not installed"
)


def make_key(path, *options, passphrase="", kind="ed25519"):
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path), *options]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """The folder of the keys of Alice and Eve."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("alice", "eve"):
        make_key(folder / name)
    return folder


@pytest.fixture
def archive(tmp_path):
    """The folder of something with checksums."""
    root = tmp_path / "archive"
    (root / "bundle").mkdir(parents=True)
    (root / "bundle/study.json").write_text("{}")
    write_sums(root)
    return root


def allow(path, key, principals="alice@lab", options=""):
    """Write a list of allowed signers with one line."""
    public = key.with_name(f"{key.name}.pub").read_text()
    path.write_text(f"{principals} {options} {public}")
    return path


def state(root, signers=None):
    found = check(root, signers)
    assert (found.differences() != []) is bool(found.problem)
    assert found.note().isprintable()
    return found.state


def test_an_unsigned_archive_is_a_difference_only_where_signers_are_asked_for(archive, keys):
    assert state(archive) == "unsigned"
    assert check(archive).differences() == []
    found = check(archive, allow(keys / "allowed", keys / "alice"))
    assert found.state == "unsigned"
    assert len(found.differences()) == 1


def test_a_signature_names_its_key_and_with_a_list_its_signer(archive, keys, tmp_path):
    sign(archive, keys / "alice")
    assert tampered(archive) == []
    found = check(archive)
    assert (found.state, found.differences(), found.principal) == ("unchecked", [], "")
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", keys / "alice.pub"], capture_output=True, text=True, check=True
    )
    fingerprint = listed.stdout.split()[1]
    assert fingerprint in found.key and fingerprint in found.note()
    found = check(archive, allow(tmp_path / "allowed", keys / "alice"))
    assert (found.state, found.principal, found.differences()) == ("good", "alice@lab", [])
    assert fingerprint in found.note() and "alice@lab" in found.note()


def test_a_key_that_is_not_in_the_list_is_no_signer(archive, keys, tmp_path):
    sign(archive, keys / "eve")
    found = check(archive, allow(tmp_path / "allowed", keys / "alice"))
    assert found.state == "bad" and found.principal == ""
    assert len(found.differences()) == 1
    (tmp_path / "allowed").write_text("")
    assert state(archive, tmp_path / "allowed") == "bad"


def test_every_change_behind_the_signature_is_found(archive, keys, tmp_path):
    allowed = allow(tmp_path / "allowed", keys / "alice")
    sign(archive, keys / "alice")
    (archive / "bundle/study.json").write_text("{ }")
    assert tampered(archive) != []  # the sums still stand, and so does their signature
    assert state(archive, allowed) == "good"
    write_sums(archive)
    assert tampered(archive) == []
    assert state(archive, allowed) == state(archive) == "bad"


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", b"-----BEGIN SSH SIGNATURE-----\n\n-----END SSH SIGNATURE-----\n",
     b"\x00" * 100, b"x" * 100_000],
)  # fmt: skip
def test_what_is_no_signature_is_bad(archive, keys, tmp_path, content):
    (archive / SIGNATURE).write_bytes(content)
    assert state(archive) == "bad"
    assert state(archive, allow(tmp_path / "allowed", keys / "alice")) == "bad"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + b"Endorsed by everybody.\n",
        lambda text: b"Endorsed by everybody.\n" + text,
        lambda text: text + text,
        lambda text: text + b"\n",
        lambda text: text[:-1],
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\n\n", 1),
        lambda text: text.replace(b"\n-----END", b" \n-----END"),
        lambda text: rewrapped(text, 64, 70),
        lambda text: with_reserved(text, b"Endorsed by everybody."),
    ],
    ids=["behind", "before", "twice", "empty-line", "cut", "returns", "gap", "space", "wrapped",
         "reserved"],
)  # fmt: skip
def test_nothing_but_one_signature_is_a_signature(archive, keys, tmp_path, change):
    """`ssh-keygen` itself accepts most of these, and what is added would seem to be signed."""
    sign(archive, keys / "alice")
    allowed = allow(tmp_path / "allowed", keys / "alice")
    assert state(archive, allowed) == "good"
    text = (archive / SIGNATURE).read_bytes()
    assert change(text) != text
    (archive / SIGNATURE).write_bytes(change(text))
    assert state(archive) == state(archive, allowed) == "bad"
    assert "exactly one signature" in check(archive).problem


def rewrapped(text, *lengths):
    """A signature whose lines have other lengths."""
    first, *lines, last = text.splitlines()
    content, wrapped = b"".join(lines), []
    for length in (*lengths, len(content)):
        wrapped.append(content[:length])
        content = content[length:]
    return b"\n".join([first, *wrapped, last, b""])


def with_reserved(text, words):
    """A signature with words in the field that OpenSSH reserves and does not read."""
    first, *lines, last = text.splitlines()
    blob = base64.b64decode(b"".join(lines))
    at = blob.index(NAMESPACE.encode()) + len(NAMESPACE)
    blob = blob[:at] + len(words).to_bytes(4, "big") + words + blob[at + 4 :]
    content = base64.b64encode(blob)
    lines = [content[place : place + 70] for place in range(0, len(content), 70)]
    return b"\n".join([first, *lines, last, b""])


@pytest.mark.parametrize(("kind", "bits"), [("ecdsa", "256"), ("rsa", "1024")])
def test_keys_of_other_kinds_sign_too(archive, tmp_path, kind, bits):
    key = make_key(tmp_path / kind, "-b", bits, kind=kind)
    sign(archive, key)
    assert state(archive, allow(tmp_path / "allowed", key)) == "good"


def test_a_signature_without_sums_or_of_another_archive_is_bad(archive, keys):
    sign(archive, keys / "alice")
    (archive / SUMS).unlink()
    assert state(archive) == "bad"
    (archive / "more").write_text("x")
    write_sums(archive)
    assert state(archive) == "bad"


def test_a_signature_for_another_purpose_is_bad(archive, keys, tmp_path):
    command = ["ssh-keygen", "-Y", "sign", "-q", "-f", keys / "alice", "-n", "file", archive / SUMS]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    allowed = allow(tmp_path / "allowed", keys / "alice")
    assert state(archive) == state(archive, allowed) == "bad"


# --- the list of signers is ssh-keygen's to read ----------------------------------------------


@pytest.mark.parametrize(
    ("principals", "options", "expected", "principal"),
    [
        ("*@lab", "", "good", "*@lab"),
        ("bob@lab,alice@lab", "", "good", "bob@lab"),
        ("!eve@lab,*@lab", "", "good", "*@lab"),
        ('"Alice Smith"', "", "good", "Alice Smith"),
        ("-f", "", "good", "-f"),
        ("alice;id>PWNED", "", "good", "alice;id>PWNED"),
        ("$(id>PWNED)", "", "good", "$(id>PWNED)"),
        ("alice@lab", f'namespaces="{NAMESPACE}"', "good", "alice@lab"),
        ("alice@lab", 'namespaces="file,git"', "bad", ""),
        ("alice@lab", 'valid-before="20200101"', "bad", ""),
        ("alice@lab", 'valid-after="20990101"', "bad", ""),
        ("alice@lab", 'valid-after="20200101"', "good", "alice@lab"),
        ("alice@lab", "cert-authority", "bad", ""),
    ],
)
def test_the_list_is_read_by_its_rules(
    archive, keys, tmp_path, monkeypatch, principals, options, expected, principal
):
    monkeypatch.chdir(tmp_path)
    sign(archive, keys / "alice")
    found = check(archive, allow(tmp_path / "allowed", keys / "alice", principals, options))
    assert (found.state, found.principal) == (expected, principal)
    assert found.note().isprintable()
    assert not list(tmp_path.rglob("PWNED"))


def test_a_certificate_of_an_authority_is_a_signature_of_whom_it_names(archive, keys, tmp_path):
    make_key(tmp_path / "authority")
    shutil.copyfile(keys / "alice", tmp_path / "alice")
    (tmp_path / "alice").chmod(0o600)
    shutil.copyfile(keys / "alice.pub", tmp_path / "alice.pub")
    certify = ["ssh-keygen", "-q", "-s", "authority", "-I", "id", "-n", "alice@lab", "alice.pub"]
    subprocess.run(certify, check=True, cwd=tmp_path, stdin=subprocess.DEVNULL)
    sign(archive, tmp_path / "alice-cert.pub")
    allowed = tmp_path / "allowed"
    found = check(archive, allow(allowed, tmp_path / "authority", "*@lab", "cert-authority"))
    assert (found.state, found.principal) == ("good", "alice@lab")
    assert state(archive, allow(allowed, tmp_path / "authority", "*@else", "cert-authority")) == (
        "bad"
    )
    assert state(archive, allow(allowed, keys / "eve", "*", "cert-authority")) == "bad"


def test_a_list_that_is_missing_is_named_with_its_form(archive, tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ReassessError, match=f"{path}.*allowed|allowed.*{path}") as raised:
            check(archive, path)
        assert NAMESPACE in str(raised.value)


# --- keys -------------------------------------------------------------------------------------


def test_a_key_that_is_missing_is_named_before_anything_is_drawn(tmp_path):
    with pytest.raises(ReassessError, match=r"nokey.*ssh-keygen -t"):
        pack(tmp_path / "no-bundle", tmp_path / "x.zip", sign=tmp_path / "nokey")


def test_what_is_no_key_cannot_sign(archive, tmp_path):
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ReassessError, match=r"text cannot sign"):
        sign(archive, tmp_path / "text")
    assert not (archive / SIGNATURE).exists()


def test_a_public_key_without_an_agent_names_the_fix(archive, keys, tmp_path, monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    shutil.copyfile(keys / "alice.pub", tmp_path / "alone.pub")
    with pytest.raises(ReassessError, match="ssh-add") as raised:
        sign(archive, tmp_path / "alone.pub")
    assert "alone.pub.pub" not in str(raised.value)


def test_a_passphrase_without_a_terminal_names_the_fix(archive, tmp_path):
    """In a session of its own, as in a job or a timer: nobody could type."""
    key = make_key(tmp_path / "locked", passphrase="secret words")
    code = (
        "import sys; from pathlib import Path; from reassess.bundles.signing import sign;"
        "from reassess.core.errors import ReassessError\n"
        "try:\n    sign(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except ReassessError as error:\n    print(error)"
    )
    environment = {**os.environ}
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS", "SSH_AUTH_SOCK"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", code, str(archive), str(key)],
        env=environment, capture_output=True, text=True, check=True, timeout=120,
        stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert "ssh-add" in done.stdout and "locked.pub" in done.stdout
    assert not (archive / SIGNATURE).exists()


@pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="ssh-agent is not installed")
def test_an_agent_signs_for_a_public_key(archive, tmp_path, monkeypatch):
    key = make_key(tmp_path / "held")
    socket = f"/tmp/reassess-agent-{os.getpid()}.sock"  # a socket's path must be short
    agent = subprocess.Popen(
        ["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        agent.stdout.readline()  # it prints its environment when it is ready
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        subprocess.run(["ssh-add", "-q", str(key)], check=True, stdin=subprocess.DEVNULL)
        key.unlink()
        sign(archive, key.with_name("held.pub"))
    finally:
        agent.terminate()
        agent.wait()
    assert state(archive, allow(tmp_path / "allowed", key)) == "good"


def test_without_ssh_keygen_a_signature_is_neither_made_nor_accepted(
    archive, keys, tmp_path, monkeypatch
):
    allowed = allow(tmp_path / "allowed", keys / "alice")
    sign(archive, keys / "alice")
    monkeypatch.setenv("PATH", str(tmp_path))
    for act in (lambda: sign(archive, keys / "alice"), lambda: check(archive, allowed)):
        with pytest.raises(ReassessError, match="ssh-keygen is not installed.*OpenSSH"):
            act()
    assert state(archive) == "unchecked"


def test_odd_names_of_files_are_no_options(archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_key(tmp_path / "odd key")
    for end in ("", ".pub"):
        (tmp_path / f"odd key{end}").rename(tmp_path / f"-n{end}")
    from pathlib import Path

    sign(archive, Path("-n"))
    assert state(archive, allow(Path("-s"), Path("-n"))) == "good"


# --- whole archives ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    return make_bundle(folder, grid_in(folder, "config/smoke.yaml"), items=5).paths.bundle


@pytest.mark.slow
def test_a_signed_archive_and_what_is_merged_of_it(bundle, keys, tmp_path, monkeypatch):
    monkeypatch.setattr(  # drawing takes seconds each time, and is no part of this
        "reassess.bundles.archive.draw_all",
        lambda bundle, root: write_json(root / DRAWN_WITH, drawn_with()),
    )
    pack(bundle, tmp_path / "plain.zip")
    pack(bundle, tmp_path / "signed.zip", sign=keys / "alice")
    pack(bundle, tmp_path / "signed", sign=keys / "alice")
    allowed = allow(tmp_path / "allowed", keys / "alice")
    for path in (tmp_path / "signed.zip", tmp_path / "signed"):
        with opened(path) as root:
            assert tampered(root) == []
            assert check(root, allowed).state == "good"
    with zipfile.ZipFile(tmp_path / "plain.zip") as plain:
        assert SIGNATURE not in plain.namelist()
        sums = plain.read(SUMS)
    with zipfile.ZipFile(tmp_path / "signed.zip") as signed:
        assert signed.read(SUMS) == sums  # the same but for the signature
    notes = merge(tmp_path / "signed.zip", tmp_path / "plain.zip", tmp_path / "both.zip")
    assert len(notes) == 1 and "signed.zip" in notes[0]
    with opened(tmp_path / "both.zip") as root:
        assert check(root).state == "unsigned"
    merge(tmp_path / "signed", tmp_path / "plain.zip", tmp_path / "ours.zip", sign=keys / "eve")
    with opened(tmp_path / "ours.zip") as root:
        assert check(root, allow(tmp_path / "eve", keys / "eve", "eve")).principal == "eve"
    (tmp_path / "signed" / SIGNATURE).write_text("nonsense")
    with pytest.raises(ReassessError, match=rf"signed: {SIGNATURE}"):
        merge(tmp_path / "signed", tmp_path / "plain.zip", tmp_path / "both.zip")
    pack(bundle, tmp_path / "signed")  # unsigned now: the old signature must not stay
    assert check(tmp_path / "signed").state == "unsigned"


def test_the_module_states_what_it_runs():
    assert (signing.PROGRAM, signing.NAMESPACE) == ("ssh-keygen", "reassess-bundle")
