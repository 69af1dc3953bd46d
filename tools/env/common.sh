# shellcheck shell=bash
# Shared by the scripts in tools/: messages, timed steps with logs, and checks of the machine. To be sourced.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VENV=$ROOT/.venv
PY=$VENV/bin/python
STAMPS=$VENV/.mmcount
LOGS=$STAMPS/logs
NEEDED_GB=${MMCOUNT_NEEDED_GB:-6}
export ROOT VENV PY STAMPS LOGS

say() { printf '==> %s\n' "$*"; }

die() {
    printf '\nERROR: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}

# duration SECONDS -> "1m26s"
duration() {
    if (($1 >= 60)); then printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); else printf '%ds' "$1"; fi
}

# step NAME TITLE COMMAND...: run quietly into a log; say how long it took; show the log's end on failure.
step() {
    local name=$1 title=$2 start=$SECONDS status=0
    shift 2
    mkdir -p "$LOGS"
    local log=$LOGS/$name.log
    printf '==> %s ... ' "$title"
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if ((status != 0)); then
        printf 'failed after %s\n' "$(duration $((SECONDS - start)))"
        printf -- '--- the end of %s\n' "$log" >&2
        tail -n 40 "$log" >&2
        die "$title failed (exit status $status)." "The whole log: $log" "Run the same command again to go on from here."
    fi
    printf 'done in %s\n' "$(duration $((SECONDS - start)))"
}

# fingerprint WORD... -- FILE...: one hash of the words and of what the files hold.
fingerprint() {
    local words=()
    while (($#)) && [[ $1 != -- ]]; do words+=("$1") && shift; done
    shift || true
    { printf '%s\n' "${words[@]}" && cat -- "$@" /dev/null; } | sha256sum | cut -d' ' -f1
}

# stamped NAME HASH: whether the step was finished for exactly this input.
stamped() { [[ -f $STAMPS/$1 && $(<"$STAMPS/$1") == "$2" ]]; }

# stamp NAME HASH: written through a rename, so that an interrupted run leaves none.
stamp() {
    printf '%s\n' "$2" >"$STAMPS/.$1.part"
    mv -f "$STAMPS/.$1.part" "$STAMPS/$1"
}

# with_lock FILE COMMAND...: one at a time, where flock is there (it is on every Linux).
with_lock() {
    local file=$1
    shift
    if ! command -v flock >/dev/null; then
        "$@"
        return
    fi
    (
        exec 9>"$file"
        if ! flock -n 9; then
            say "waiting for another run that holds $file"
            flock 9
        fi
        # Children must not inherit the lock: a process that outlives us would keep it.
        "$@" 9>&-
    )
}

python_fits() {
    "$1" -c 'import sys; sys.exit(not ((3, 10) <= sys.version_info[:2] <= (3, 13)))' >/dev/null 2>&1
}

# Sets SYSTEM_PYTHON, or says how to get one.
find_python() {
    local candidate found=()
    for candidate in ${MMCOUNT_PYTHON:-python3 python3.12 python3.11 python3.13 python3.10 python}; do
        if command -v "$candidate" >/dev/null; then
            if python_fits "$candidate"; then
                SYSTEM_PYTHON=$(command -v "$candidate")
                return
            fi
            found+=("$candidate is $("$candidate" --version 2>&1 | head -n 1)")
        fi
    done
    die 'no Python from 3.10 to 3.13 was found.' "${found[@]}" \
        'Fix: sudo apt-get install python3 python3-venv python3-dev' \
        'or name one: MMCOUNT_PYTHON=/path/to/python3.11 bash tools/setup_env.sh'
}

# Everything that would fail late, checked first. Prints all that is missing, not only the first.
preflight() {
    local problems=()
    find_python
    local version
    version=$("$SYSTEM_PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if ! "$SYSTEM_PYTHON" -c 'import venv, ensurepip' >/dev/null 2>&1; then
        problems+=("$SYSTEM_PYTHON has no venv module.    Fix: sudo apt-get install python$version-venv")
    fi
    if ! "$SYSTEM_PYTHON" -c 'import os, sysconfig as s
assert os.path.isfile(os.path.join(s.get_paths()["include"], "Python.h"))' >/dev/null 2>&1; then
        problems+=("$SYSTEM_PYTHON has no C headers.    Fix: sudo apt-get install python$version-dev")
    fi
    if ! compiler >/dev/null; then
        problems+=('there is no C++ compiler (g++ or c++).    Fix: sudo apt-get install build-essential')
    fi
    local free_gb
    free_gb=$(df -Pk "$ROOT" | awk 'NR == 2 {print int($4 / 1048576)}')
    # An environment that is already there has taken its share.
    if [[ ! -f $STAMPS/packages ]] && ((free_gb < NEEDED_GB)); then
        problems+=("$ROOT has $free_gb GB of free disk, $NEEDED_GB GB are needed.    Fix: free some, or use another disk")
    fi
    if [[ ! -w $ROOT ]]; then
        problems+=("$ROOT is not writable.    Fix: use a checkout that you own")
    fi
    if ((${#problems[@]})); then
        die 'this machine is not ready:' "${problems[@]}"
    fi
    say "machine ready: Python $version, $(basename "$(compiler)"), $free_gb GB free, $(accelerator_words)"
}

compiler() { command -v "${CXX:-g++}" || command -v c++; }

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }

accelerator_words() {
    if has_gpu; then nvidia-smi -L | head -n 1; else echo 'no GPU'; fi
}

# Folder for wheels that we built, kept between environments; inside .venv where the home folder is not writable.
wheelhouse_root() {
    local folder=${MMCOUNT_WHEELHOUSE:-${HOME:-$VENV}/.cache/mmcount/wheels}
    if ! mkdir -p "$folder" 2>/dev/null || [[ ! -w $folder ]]; then
        folder=$VENV/.cache/mmcount/wheels
        mkdir -p "$folder"
    fi
    printf '%s\n' "$folder"
}
