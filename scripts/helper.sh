#!/bin/sh
# Runs the helper that belongs to exactly this plugin folder: the one packaged in it, or one built from it,
# because nothing is built when a plugin is installed.
#
#   sourced by bin/pw-*        runs the helper of that name
#   helper.sh session-start    the hook: tells Bash where the cache is, makes the helpers ready, says so once
#                              when that takes long or cannot be
#   helper.sh guard EVENT      the other hooks: asks pw-worker in a worker's session; in a repository with
#                              workflows about each tool call, which may be that of the agent that merges, where
#                              the helpers are ready; else they say nothing, whatever state the helpers are in
#   helper.sh build            the build itself, detached from the call that asked for it (scripts/provide.sh)
#
# The cache: <data>/<version>/bin holds `pw`, which is all helpers, and a link to it for each name;
# <data>/<version>/stamp says what it is: the plugin folder, then `built` or the line of helpers/SHA256SUMS
# that it was checked against; a build's stamp has the time at which the build began. <data>/target is shared
# by all versions, so that an update compiles little.
# Variables start with pw_ because the helper inherits the environment: a plain name could be in it.

# True in a session that was started as a worker's, or that is in a worktree made for one: `pw-setup create`
# locks each with a reason that begins with "pw ". Forks nothing: every tool call of every session asks. Notes in
# pw_led whether the repository has workflows at all.
pw_led=
is_worker() {
  [ -z "${PW_WORKER-}" ] || return 0
  pw_dir=$PWD
  while :; do
    # Not a FIFO, which would never end.
    if [ -f "$pw_dir/.git" ] && IFS= read -r pw_git <"$pw_dir/.git"; then
      pw_git=${pw_git#gitdir: }
      case $pw_git in /*) ;; *) pw_git=$pw_dir/$pw_git ;; esac
      if [ -f "$pw_git/locked" ] && [ -d "${pw_git%/*/*}/pw" ]; then
        IFS= read -r pw_reason <"$pw_git/locked"
        case $pw_reason in 'pw '*) return 0 ;; esac
      fi
      if [ -d "${pw_git%/*/*}/pw" ] || [ -d "$pw_git/pw" ]; then pw_led=1; fi
    elif [ -d "$pw_dir/.git/pw" ]; then
      pw_led=1
    fi
    case $pw_dir in */*) pw_dir=${pw_dir%/*} ;; *) return 1 ;; esac
  done
} 2>/dev/null

case ${0##*/}:${1-} in
  helper.sh:guard)
    if is_worker; then pw_led=; else [ -n "$pw_led" ] && [ "${2-}" = pre-tool-use ] || exit 0; fi
    ;;
esac

case $0 in */helper.sh) pw_self=$0 ;; esac
pw_name=${pw_self##*/}
pw_root=${pw_self%/*}/..
[ -z "$pw_led" ] || [ -r "$pw_root/.claude-plugin/plugin.json" ] || exit 0
pw_version=
while IFS= read -r pw_line; do
  case $pw_line in *'"version":'*) pw_version=${pw_line#*'"version":'*\"} && break ;; esac
done <"$pw_root/.claude-plugin/plugin.json"
pw_version=${pw_version%%\"*}
# A relative folder would be another one in each project. Where there is none, nothing can be written either.
pw_data=/dev/null/no-home
for pw_line in "${HOME-}/.cache/parallel-workflows" "${XDG_CACHE_HOME-}/parallel-workflows" "${CLAUDE_PLUGIN_DATA-}"; do
  case $pw_line in /parallel-workflows | /.cache/parallel-workflows) ;; /*) pw_data=$pw_line ;; esac
done
# A folder without its manifest is no plugin any more: nothing is run or built for it.
[ -n "$pw_version" ] || pw_data=/dev/null/no-home
pw_home=$pw_data/$pw_version
pw_sums=$pw_root/helpers/SHA256SUMS

# True when the cache holds the helpers of this folder, and this user put them there. Forks nothing where they
# are packaged: a release does not change under its name. Forks once, for find, where they were built.
# shellcheck disable=SC3013,SC3067 # every sh in use has -ef, -nt and -O (POSIX since 2024 has the first two)
is_fresh() {
  [ -x "$pw_home/bin/pw" ] && [ -O "$pw_home/bin/pw" ] && [ -O "$pw_home/bin" ] && [ -O "$pw_home" ] && [ -O "$pw_home/stamp" ] &&
    { IFS= read -r pw_of && IFS= read -r pw_kind; } <"$pw_home/stamp" && [ "$pw_of" -ef "$pw_root" ] || return
  if [ "$pw_kind" = built ]; then
    # A builder put the stamp's time before its own sources' and helper's.
    [ -r "$pw_sums" ] || [ -z "$(find "$pw_root/Cargo.toml" "$pw_root/Cargo.lock" "$pw_root/crates" -newer "$pw_home/stamp")" ]
    return
  fi
  # Whatever wrote to the checked copy since made it newer.
  if [ "$pw_home/bin/pw" -nt "$pw_home/stamp" ]; then return 1; fi
  while IFS= read -r pw_line; do
    if [ "$pw_line" = "$pw_kind" ]; then return 0; fi
  done <"$pw_sums"
  return 1
} 2>/dev/null

case $pw_name in
  pw-*) if is_fresh; then exec "$pw_home/bin/$pw_name" "$@"; fi ;;
esac

# From here on nothing is ready yet, or a hook asks.
case $pw_name:${1-} in
  helper.sh:guard)
    if is_fresh; then exec "$pw_home/bin/pw-worker" "$@"; fi
    [ -z "$pw_led" ] || exit 0
    ;;
esac
# shellcheck source=scripts/provide.sh
. "$pw_root/scripts/provide.sh"
