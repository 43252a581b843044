#!/usr/bin/env bash
# Every wheel of an environment in one folder, from the hashed locks and nothing else: what
# flake.nix pins by one hash.
# usage: envs/wheelhouse.sh cpu|gpu FOLDER [PYTHON]
# torch is in no lock (see README.md beside this): `cpu` needs its CPU build, which pip must be able
# to find (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL).
set -euo pipefail
kind=$1 out=$2 python=${3:-python3.11} here=$(dirname "$0")
torch=$(sed -n 's/^TORCH := //p' "$here/../Makefile")
fetch() {
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$out" "$@"
}
mkdir -p "$out"
case $kind in
  cpu)
    fetch "torch===$torch+cpu"
    for lock in base dev; do fetch --require-hashes -r "$here/$lock.txt"; done
    ;;
  gpu)
    fetch "torch===$torch"
    fetch --require-hashes -r "$here/gpu.txt"
    ;;
  *) echo "no such environment: $kind (cpu or gpu)" >&2; exit 2 ;;
esac
