#!/usr/bin/env bash
# Make .venv in the root of the checkout: torch, the OpenMMLab stack with compiled operators, and mmcount itself.
#
# Usage: bash tools/setup_env.sh [--tests]
#
# Finished steps are not repeated, unless what they depend on changed. Settings, all optional:
#   MMCOUNT_PYTHON       the Python to use (3.10 to 3.13); default: python3
#   MMCOUNT_TORCH_INDEX  one more package index for torch, such as https://download.pytorch.org/whl/cpu
#   MMCOUNT_WHEELHOUSE   where the compiled mmcv is kept; default: ~/.cache/mmcount/wheels
#   MMCOUNT_WITH_OPS     compiled operators of mmcount: auto (default), 0 or 1
#   MAX_JOBS             parallel compilations; default: from cores and memory
set -euo pipefail
# shellcheck source=env/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/env/common.sh"

with_tests=no
case ${1:-} in
    '') ;;
    --tests) with_tests=yes ;;
    *) die "unknown argument: $1" 'Usage: bash tools/setup_env.sh [--tests]' ;;
esac

REQ=$ROOT/requirements

pip_install() { "$PY" -m pip install --no-input "$@"; }

# The wheel of a compiled extension fits one torch, one Python and one accelerator.
platform_tag() {
    "$PY" - <<'TAG'
import sys

import torch

cuda = torch.version.cuda
gpu = 'cpu'
if cuda and torch.cuda.is_available():
    gpu = 'cu{}-sm{}{}'.format(cuda.replace('.', ''), *torch.cuda.get_device_capability())
print('torch{}-cp{}{}-{}'.format(torch.__version__.split('+')[0], *sys.version_info[:2], gpu))
TAG
}

make_venv() {
    if [[ -x $PY ]] && python_fits "$PY" && "$PY" -m pip --version >/dev/null 2>&1; then
        mkdir -p "$STAMPS"
        say "environment: $VENV (kept)"
        return
    fi
    if [[ -e $VENV && ! -f $VENV/pyvenv.cfg && -n $(ls -A "$VENV") && ! -d $STAMPS ]]; then
        die "$VENV exists and is not a virtual environment." 'Fix: move it away.'
    fi
    step venv "environment: $VENV" "$SYSTEM_PYTHON" -m venv --clear "$VENV"
}

install_torch() {
    local hash index=()
    hash=$(fingerprint "${MMCOUNT_TORCH_INDEX:-}" -- "$REQ/torch.txt")
    if stamped torch "$hash"; then return; fi
    if [[ -n ${MMCOUNT_TORCH_INDEX:-} ]]; then
        index=(--extra-index-url "$MMCOUNT_TORCH_INDEX")
    elif ! has_gpu; then
        say 'no GPU: if torch downloads CUDA libraries, stop and set MMCOUNT_TORCH_INDEX=https://download.pytorch.org/whl/cpu'
    fi
    step torch 'torch' pip_install -r "$REQ/torch.txt" -c "$REQ/constraints.txt" ${index[@]+"${index[@]}"}
    stamp torch "$hash"
}

install_packages() {
    local files=(runtime.txt mminstall.txt optional.txt build.txt) name=packages hash arguments=() file
    if [[ $with_tests == yes ]]; then files+=(tests.txt) name=packages-tests; fi
    for file in "${files[@]}"; do arguments+=(-r "$REQ/$file"); done
    hash=$(cd "$REQ" && fingerprint "$(<"$STAMPS/torch")" -- constraints.txt "${files[@]}")
    if stamped "$name" "$hash"; then return; fi
    # torch is named again, so that nothing here can replace it.
    step "$name" "packages (${files[*]})" pip_install -r "$REQ/torch.txt" -c "$REQ/constraints.txt" "${arguments[@]}"
    stamp "$name" "$hash"
    if [[ $with_tests == yes ]]; then
        stamp packages "$(cd "$REQ" && fingerprint "$(<"$STAMPS/torch")" -- constraints.txt "${files[@]:0:4}")"
    fi
}

build_mmcv() { bash "$ROOT/tools/env/build_mmcv.sh" "$1"; }

install_mmcv() {
    local tag hash house wheel title
    hash=$(fingerprint "$(<"$STAMPS/torch")" "$(has_gpu && echo gpu || echo cpu)" -- "$REQ/mmcv.txt" "$REQ/constraints.txt")
    if stamped mmcv "$hash"; then return; fi
    tag=$(platform_tag)
    export MMCOUNT_ACCELERATOR=cpu
    if [[ $tag != *-cpu ]]; then
        if command -v nvcc >/dev/null || [[ -x ${CUDA_HOME:-/usr/local/cuda}/bin/nvcc ]]; then
            MMCOUNT_ACCELERATOR=cuda
        else
            say 'there is a GPU but no nvcc: the operators of mmcv are built for the CPU'
            tag=${tag%-cu*}-cpu
        fi
    fi
    house=$(wheelhouse_root)/$tag
    title="mmcv with compiled operators ($tag)"
    if ! compgen -G "$house/onedl_mmcv-*.whl" >/dev/null; then
        say "mmcv is compiled once for this torch and Python: 2 to 15 minutes, then kept in $house"
    fi
    step mmcv-wheel "$title: wheel" build_mmcv "$house"
    wheel=$(tail -n 1 "$LOGS/mmcv-wheel.log")
    step mmcv-install "$title: install" pip_install --force-reinstall --no-deps "$wheel"
    step mmcv-depends "$title: dependencies" pip_install "$wheel" -r "$REQ/torch.txt" -c "$REQ/constraints.txt"
    step mmcv-check "$title: import mmcv.ops" "$PY" -c 'import mmcv.ops'
    stamp mmcv "$hash"
}

install_mmcount() {
    local hash sources=()
    mapfile -t sources < <(cd "$ROOT" && find mmcount/ops -path '*csrc*' -type f 2>/dev/null | LC_ALL=C sort)
    hash=$(cd "$ROOT" && fingerprint "$ROOT" "${MMCOUNT_WITH_OPS:-auto}" "$(<"$STAMPS/torch")" "${sources[@]}" \
        -- setup.py pyproject.toml model-index.yml mmcount/version.py requirements/runtime.txt "${sources[@]}")
    if stamped mmcount "$hash"; then return; fi
    # Libraries of another torch or of older sources must not survive a build that fails.
    rm -f "$ROOT"/mmcount/ops/_C*.so
    step mmcount 'mmcount (editable) and its compiled operators' \
        pip_install -v --no-build-isolation --no-deps -e "$ROOT"
    step mmcount-check 'import mmcount' "$PY" -m mmcount.utils.collect_env
    grep -E '^(mmcv operators|mmcount operators|problems)' "$LOGS/mmcount-check.log" | sed 's/^/    /'
    stamp mmcount "$hash"
}

main() {
    make_venv
    install_torch
    install_packages
    install_mmcv
    install_mmcount
}

start=$SECONDS
preflight
with_lock "$ROOT/.venv.lock" main
say "environment ready in $(duration $((SECONDS - start))): source .venv/bin/activate"
