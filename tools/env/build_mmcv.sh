#!/usr/bin/env bash
# Build mmcv with its compiled operators, once per torch, Python and CUDA version, and keep the wheel.
#
# Usage: build_mmcv.sh WHEELHOUSE      (prints the path of the wheel as its last line; .venv must hold torch)
#
# pip alone is not safe here: in an isolated build it finds no torch, makes a wheel without operators, and offers that
# wheel again from its cache. So the source is fetched, compiled in this environment, and checked before it is kept.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

house=$1
requirement=$(grep -v '^#' "$ROOT/requirements/mmcv.txt" | head -n 1)
version=${requirement#*==}

jobs() {
    # A compiler process takes about 1.5 GB.
    local cores memory
    cores=$(nproc 2>/dev/null || echo 2)
    memory=$(awk '/MemAvailable/ {print int($2 / 1572864)}' /proc/meminfo 2>/dev/null || echo "$cores")
    if ((memory < 1)); then memory=1; fi
    echo $((cores < memory ? cores : memory))
}

find_wheel() {
    local wheel
    for wheel in "$house"/onedl_mmcv-"$version"-*.whl; do
        # A wheel without operators is a "none-any" one.
        if [[ -f $wheel && $wheel != *-none-any.whl ]]; then
            printf '%s\n' "$wheel"
            return
        fi
    done
    return 1
}

torch_include() { "$PY" -c 'import os, torch; print(os.path.join(os.path.dirname(torch.__file__), "include"))'; }

# A header compiled in advance is only used with the very flags of the build, so both share these.
FAST="-DNDEBUG -g0 -O1 -w"
PLAIN="-DNDEBUG -g0 -O2"

precompile_header() {
    local include python_include
    include=$(torch_include)
    python_include=$("$PY" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
    echo '#include <torch/types.h>' >"$work/p.h"
    # shellcheck disable=SC2086
    "$(compiler)" $FAST -fPIC -std=c++17 -DTORCH_API_INCLUDE_EXTENSION_H -DTORCH_EXTENSION_NAME=_ext \
        -I"$include" -I"$include/torch/csrc/api/include" -I"$python_include" -x c++-header "$work/p.h" -o "$work/p.h.gch"
}

# make_wheel CFLAGS: into $work/wheel
make_wheel() {
    rm -rf "$work/wheel" "$source/build"
    CFLAGS=$1 MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$(jobs)} PATH=$VENV/bin:$PATH \
        "$PY" -m pip wheel --no-deps --no-build-isolation --no-cache-dir -w "$work/wheel" "$source"
    "$PY" - "$work"/wheel/*.whl <<'CHECK'
import sys
import zipfile

names = zipfile.ZipFile(sys.argv[1]).namelist()
if not any(name.startswith('mmcv/_ext') for name in names):
    sys.exit(f'{sys.argv[1]} holds no compiled operators')
CHECK
}

build() {
    if find_wheel >/dev/null; then return; fi # another run built it while this one waited
    work=$(mktemp -d)
    # The compiled header takes 0.5 GB: never leave it behind.
    trap 'rm -rf "$work"' EXIT
    "$PY" -m pip download --no-deps --no-binary :all: --no-build-isolation --no-cache-dir -d "$work" "$requirement"
    source=$work/source
    mkdir "$source"
    tar -xzf "$work"/onedl_mmcv-"$version".tar.gz -C "$source" --strip-components=1

    if [[ ${MMCOUNT_ACCELERATOR:-cpu} == cpu ]]; then
        # mmcv builds for CUDA whenever torch sees a GPU; here the compiler for it is missing.
        export CUDA_VISIBLE_DEVICES='' FORCE_CUDA=0
        local built=no
        if [[ ${MMCOUNT_PLAIN_BUILD:-0} != 1 ]] && precompile_header; then
            if make_wheel "$FAST -include $work/p.h"; then built=yes; fi
        fi
        if [[ $built == no ]]; then
            echo 'The fast build did not work; building without a precompiled header.'
            make_wheel "$PLAIN"
        fi
    else
        export FORCE_CUDA=1
        make_wheel "$PLAIN"
    fi

    local wheel name
    wheel=$(echo "$work"/wheel/*.whl)
    name=$(basename "$wheel")
    # Copied beside its place first: a half-copied wheel must never be found.
    cp "$wheel" "$house/.$name.part"
    mv -f "$house/.$name.part" "$house/$name"
}

mkdir -p "$house"
if ! find_wheel >/dev/null; then
    with_lock "$house/.lock" build
fi
find_wheel
