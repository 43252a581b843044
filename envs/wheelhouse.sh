#!/usr/bin/env bash
# Every wheel of an environment in one folder, from the hashed locks and nothing else: what
# flake.nix pins by one hash.
# usage: envs/wheelhouse.sh cpu|gpu FOLDER [PYTHON]
# torch has a lock of its own (see README.md beside this): `cpu` needs its CPU build, which pip must
# be able to find (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL).
set -euo pipefail
kind=$1 out=$2 python=${3:-python3.11} here=$(dirname "$0")
fetch() {
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$out" "$@"
}
# One build of torch of those in its lock, by its hash.
torch() {
  local pin
  pin=$(mktemp)
  sed "s/^torch==\([0-9.]*\)/torch===\1$1/" "$here/torch.txt" > "$pin"
  fetch --require-hashes -r "$pin"
  rm "$pin"
}
mkdir -p "$out"
case $kind in
  cpu)
    torch +cpu
    for lock in base dev; do fetch --require-hashes -r "$here/$lock.txt"; done
    ;;
  gpu)
    torch ""
    fetch --require-hashes -r "$here/gpu.txt"
    ;;
  *) echo "no such environment: $kind (cpu or gpu)" >&2; exit 2 ;;
esac
