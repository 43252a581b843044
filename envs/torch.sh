#!/usr/bin/env bash
# Install torch from its lock, with what its build needs of CUDA: the CPU build where one is offered.
# usage: envs/torch.sh UV ENVIRONMENT
# A hash belongs to a version with its local part, so the build is chosen before hashes are compared:
# left to themselves, installers choose differently between 2.13.0 and 2.13.0+cpu.
set -euo pipefail
uv=$1 environment=$2 here=$(dirname "$0")
version=$(sed -n 's/^torch==\([0-9.]*\).*/\1/p' "$here/torch.txt")
pin=$(mktemp)
trap 'rm -f "$pin"' EXIT
install() { "$uv" pip install --quiet --python "$environment" --require-hashes --no-deps -r "$1"; }

build=
if echo "torch==$version+cpu" |
  "$uv" pip compile --quiet --no-deps --python "$environment" - > /dev/null 2>&1; then build=+cpu; fi
sed "s/^torch==$version/torch==$version$build/" "$here/torch.txt" > "$pin"
install "$pin"
if [ "$(uname)" = Linux ] &&
  grep -q '^Requires-Dist: cuda-toolkit' "$environment"/lib/python*/site-packages/torch-*.dist-info/METADATA; then
  install "$here/cuda.txt"
fi
