#!/usr/bin/env bash
# Every check of the project: environment, style, types, doctests, tests with and without the compiled operators.
#
# Usage: bash tools/run_tests.sh [argument of pytest ...]
#
# The summary of pytest comes last. The exit status is 0 only if every check passed; a failed one does not stop the
# others. Setting, optional: MMCOUNT_TEST_WORKERS, processes that run tests; default: cores, 4 at most.
set -euo pipefail
# shellcheck source=env/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/env/common.sh"

cd "$ROOT"
bash tools/setup_env.sh --tests
# Small tensors gain nothing from threads, and several processes would fight for the cores.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} MPLBACKEND=Agg

# A file of tests stays in one process, so that what it trains once is shared. Each takes up to 3 GB.
cores=$(env -u OMP_NUM_THREADS nproc 2>/dev/null || echo 2)
workers=${MMCOUNT_TEST_WORKERS:-$((cores < 4 ? cores : 4))}

failed=()

# check TITLE COMMAND...: run, remember a failure, go on.
check() {
    local title=$1 start=$SECONDS status=0
    shift
    printf '\n'
    say "$title: $*"
    "$@" || status=$?
    if ((status != 0)); then
        failed+=("$title (exit status $status)")
    fi
    say "$title: $( ((status == 0)) && echo passed || echo FAILED) in $(duration $((SECONDS - start)))"
}

tests=(tests)
for argument in "$@"; do
    # Paths replace the default; options are added to it.
    if [[ $argument != -* && -e ${argument%%::*} ]]; then tests=(); fi
done

check 'style' "$PY" -m ruff check .
check 'format' "$PY" -m ruff format --check .
check 'types' "$PY" -m mypy
# A choice of tests is a developer's short loop: only these then.
if ((${#tests[@]})); then
    check 'operators without the compiled part' env MMCOUNT_DISABLE_EXT=1 "$PY" -m pytest -q -m 'not slow' tests/test_ops
    check 'doctests' "$PY" -m pytest -q --doctest-modules mmcount
fi
parallel=()
if ((${#tests[@]})); then parallel=(-n "$workers" --dist loadfile); fi
check 'tests' "$PY" -m pytest ${parallel[@]+"${parallel[@]}"} ${tests[@]+"${tests[@]}"} "$@"

if ((${#failed[@]})); then
    printf '\n'
    die 'some checks failed:' "${failed[@]}"
fi
