# Sourced by every script: finds the tree, speaks with one voice, and fails with a sentence.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
script=scripts/$(basename "$0")
# shellcheck disable=SC2034  # read by the scripts that source this file
venv=$root/.venv/bin

# Objects are shared between clones and presets; a path in the debug information must not make them differ.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s: %s\n' "$script" "$*"; }
fail() {
  printf '%s: %s\n' "$script" "$*" >&2
  exit 1
}
say_time() { say "done in $SECONDS s"; }

check_git() {
  git rev-parse --git-dir >/dev/null 2>&1 ||
    fail "needs git, and this tree as a repository git may read, to see what has changed; 'git status' here says what is wrong."
}

# The digest of the content of every file under the given paths, for "has anything changed since".
# Needs check_git before it: a $(...) among arguments cannot end the script.
content_hash() { git ls-files -z --cached --others --exclude-standard -- "$@" | sort -z | xargs -0 sha256sum 2>/dev/null | sha256sum | cut -d' ' -f1; }
