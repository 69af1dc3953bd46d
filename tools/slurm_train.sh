#!/usr/bin/env bash
# Train under Slurm.
# Usage: [GPUS= GPUS_PER_NODE= CPUS_PER_TASK= SRUN_ARGS=] bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [argument of tools/train.py ...]
set -euo pipefail
if [[ $# -lt 4 ]]; then
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
fi
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}
here=$(dirname "${BASH_SOURCE[0]}")

# shellcheck disable=SC2086  # SRUN_ARGS holds several words on purpose
PYTHONPATH="$here/..:${PYTHONPATH:-}" exec srun -p "$1" --job-name="$2" \
    --gres="gpu:$GPUS_PER_NODE" --ntasks="$GPUS" --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-4}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$here/train.py" "$3" --work-dir "$4" --launcher slurm "${@:5}"
