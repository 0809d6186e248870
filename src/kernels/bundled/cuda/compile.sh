#!/usr/bin/env bash
# Writes NAME/NAME.sm_80.ptx and NAME/NAME.sm_90.ptx of the bundled CUDA kernels with nvcc (13.0 made the committed ones).
# Folders are cut from the .file lines, and what else depends on the machine. compile.sh [OUT] writes into OUT instead.
set -euo pipefail
here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
out="${1:-$here}"
for source in "$here"/*/*.cu; do
  name="$(basename "$source" .cu)"
  mkdir -p "$out/$name"
  for target in sm_80 sm_90; do
    ptx="$out/$name/$name.$target.ptx"
    "${NVCC:-nvcc}" -ptx -lineinfo -O3 -std=c++17 -I "$here/../../.." -arch="$target" "$source" -o "$ptx"
    sed -i -E 's|^([[:space:]]*\.file[^"]*")[^"]*/([^"/]*")[^"]*$|\1\2|' "$ptx"
  done
done
