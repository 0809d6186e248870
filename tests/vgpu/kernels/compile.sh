#!/usr/bin/env bash
# Writes NAME.sm_80.ptx and NAME.sm_90.ptx of every kernel here with nvcc (13.0 made the committed ones); folders are cut from the .file lines.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
for source in *.cu; do
  for target in sm_80 sm_90; do
    "${NVCC:-nvcc}" -ptx -lineinfo -O3 -std=c++17 -arch="$target" "$source" -o "${source%.cu}.$target.ptx"
    sed -i -E 's|^([[:space:]]*\.file[^"]*")[^"]*/([^"/]*")|\1\2|' "${source%.cu}.$target.ptx"
  done
done
