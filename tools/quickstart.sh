#!/usr/bin/env bash
# From nothing to a trained counter on this machine: environment, training on generated images, a table of results.
#
# Usage: bash tools/quickstart.sh [argument of tools/train.py ...]
#
# No data set, GPU or account is needed. Run it again and it goes on from what is there. Settings, all optional:
#   QUICKSTART_CONFIG    config to train; default: configs/countception/count-ception_quickstart_mnist-lego.py
#   QUICKSTART_WORK_DIR  where results go; default: work_dirs/quickstart
# and those of tools/setup_env.sh.
set -euo pipefail
# shellcheck source=env/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/env/common.sh"

CONFIG=${QUICKSTART_CONFIG:-configs/countception/count-ception_quickstart_mnist-lego.py}
WORK_DIR=${QUICKSTART_WORK_DIR:-work_dirs/quickstart}
cd "$ROOT"
start=$SECONDS

if [[ ! -f $CONFIG ]]; then
    die "there is no config $CONFIG." 'Fix: set QUICKSTART_CONFIG to one below configs/.'
fi
say 'step 1 of 3: environment'
bash tools/setup_env.sh

say "step 2 of 3: training $CONFIG"
mkdir -p "$WORK_DIR"
hash=$(fingerprint "$CONFIG" "$@" -- "$CONFIG")
if [[ -f $WORK_DIR/.finished && $(<"$WORK_DIR/.finished") == "$hash" ]]; then
    say "already trained; remove $WORK_DIR to train again"
else
    train_start=$SECONDS
    rm -f "$WORK_DIR/.finished"
    "$PY" tools/train.py "$CONFIG" --work-dir "$WORK_DIR" "$@"
    say "trained in $(duration $((SECONDS - train_start)))"
    # The newest: an earlier, longer run may have left others.
    best=$(ls -t "$WORK_DIR"/best_*.pth | head -n 1)
    "$PY" tools/test.py "$CONFIG" "$best" --work-dir "$WORK_DIR" --csv "$WORK_DIR/counts.csv" \
        --show-dir "$WORK_DIR/vis_data/test"
    printf '%s\n' "$hash" >"$WORK_DIR/.finished"
    say "trained and tested in $(duration $((SECONDS - train_start)))"
fi

say 'step 3 of 3: results'
"$PY" tools/analysis_tools/quickstart_report.py "$WORK_DIR"
say "finished in $(duration $((SECONDS - start)))"
