#!/usr/bin/env bash
# Train on several GPUs, or on several CPU processes where there are none.
# Usage: [NNODES= NODE_RANK= MASTER_ADDR= PORT=] bash tools/dist_train.sh CONFIG PROCESSES_PER_NODE [argument of tools/train.py ...]
set -euo pipefail
if [[ $# -lt 2 ]]; then
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
fi
CONFIG=$1
PROCESSES=$2
here=$(dirname "${BASH_SOURCE[0]}")

PYTHONPATH="$here/..:${PYTHONPATH:-}" exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$PROCESSES" \
    "$here/train.py" "$CONFIG" --launcher pytorch "${@:3}"
