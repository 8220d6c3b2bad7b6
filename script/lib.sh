# Shared by the scripts in this folder; sourced, never run.
#
# Paths: everything that is built or downloaded lives in one cache folder, so that a
# second clone on the same machine starts warm. SLIPWAY_CACHE moves it.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${SLIPWAY_CACHE:-${HOME:-/root}/.cache/slipway}
TOOLS=$CACHE/tools
TOOLS_BIN=$TOOLS/bin
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf '%s\n' "$@" >&2; exit 1; }

# Runs a command, its output shown only if it fails. The first argument says what it does.
quietly() {
    local what=$1 log started=$SECONDS
    shift
    log=$(mktemp)
    say "$what"
    if "$@" >"$log" 2>&1; then
        say "$what: done in $((SECONDS - started)) s"
        rm -f "$log"
    else
        tail -n 60 "$log" >&2
        die "$what failed. The whole output is in $log"
    fi
}

# Prints the comment at the top of the calling script, which is its help text.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//;t print;b;:print;p}' "$0"; }
