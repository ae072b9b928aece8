#!/bin/sh
# Runs the compiled helper that belongs to exactly this plugin folder, and builds it on first use,
# because nothing is built when a plugin is installed.
#
#   sourced by bin/pw-*        runs the helper of that name
#   helper.sh session-start    the hook: tells Bash where the cache is, builds ahead, says nothing
#   helper.sh guard EVENT      the other hooks: asks pw-worker in a worker's session; in any other they say
#                              nothing, whatever state the helpers are in
#   helper.sh build            the build itself, detached from whoever asked for it
#
# The cache: <data>/<version>/bin/pw-*, <data>/<version>/stamp (holds the plugin folder that was built; its
# time is the build's start) and <data>/target, shared by all versions so that an update compiles little.
# Variables start with pw_ because the helper inherits the environment: a plain name could be in it.

# True in a session that was started as a worker's, or that is in a worktree made for one: `pw-setup create`
# locks each with a reason that begins with "pw ". Forks nothing: every tool call of every session asks.
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
    fi
    case $pw_dir in */*) pw_dir=${pw_dir%/*} ;; *) return 1 ;; esac
  done
} 2>/dev/null

case ${0##*/}:${1-} in helper.sh:guard) is_worker || exit 0 ;; esac

case $0 in */helper.sh) pw_self=$0 ;; esac
pw_name=${pw_self##*/}
pw_root=${pw_self%/*}/..
while IFS= read -r pw_line; do
  case $pw_line in *'"version":'*) pw_version=${pw_line#*'"version":'*\"} && break ;; esac
done <"$pw_root/.claude-plugin/plugin.json"
pw_data=${CLAUDE_PLUGIN_DATA:-${XDG_CACHE_HOME:-${HOME-}/.cache}/parallel-workflows}
case $pw_data in /*) ;; *) pw_data=$PWD/$pw_data ;; esac
pw_home=$pw_data/${pw_version%%\"*}
pw_log=$pw_home/build.log

# True when the helpers were built from this folder and no source has changed since. Forks once, for find.
# shellcheck disable=SC3013 # every sh in use has -ef (POSIX since 2024): it compares folders, not spellings
is_fresh() {
  [ -r "$pw_home/stamp" ] && IFS= read -r pw_built <"$pw_home/stamp" && [ "$pw_built" -ef "$pw_root" ] &&
    [ -z "$(find "$pw_root/Cargo.toml" "$pw_root/Cargo.lock" "$pw_root/crates" -newer "$pw_home/stamp")" ]
}

case $pw_name in
  pw-*) if [ -x "$pw_home/bin/$pw_name" ] && is_fresh; then exec "$pw_home/bin/$pw_name" "$@"; fi ;;
esac

# Puts cargo on PATH: a hook's PATH often lacks the folder where rustup puts it.
find_cargo() {
  PATH=$PATH:${CARGO_HOME:-${HOME-}/.cargo}/bin
  command -v cargo >/dev/null
}

# Starts a build that outlives this process, its group and its terminal. Cargo's lock makes builders queue.
start_build() {
  mkdir -p "$pw_home/bin" && printf '' >"$pw_log" || return
  pw_detach="nohup"
  if command -v setsid >/dev/null; then pw_detach=setsid; fi
  "$pw_detach" sh "$pw_root/scripts/helper.sh" build </dev/null >>"$pw_log" 2>&1 &
} 2>/dev/null

# The same for a hook, which may be asked many times a minute: none while one it started is at work.
start_one_build() {
  if [ -r "$pw_home/builder" ] && IFS= read -r pw_pid <"$pw_home/builder" && kill -0 "$pw_pid" 2>/dev/null; then return; fi
  start_build && echo "$!" >"$pw_home/builder"
}

build() {
  set -e
  unset CARGO_BUILD_TARGET CDPATH
  find_cargo
  # Not in the user's project, whose .cargo/config.toml and rust-toolchain.toml are not meant for us.
  cd -P "$pw_root"
  trap 'rm -f "$pw_home/stamp.$$"' EXIT
  printf '%s\n' "$PWD" >"$pw_home/stamp.$$"
  cargo build --locked --profile plugin -p pw-cli --bins --manifest-path "$PWD/Cargo.toml" --target-dir "$pw_data/target"
  # Copied, so that neither a later build nor a cleaned target takes a helper from under a running session.
  for pw_name in bin/pw-*; do
    pw_name=${pw_name##*/}
    cp "$pw_data/target/plugin/$pw_name" "$pw_home/bin/.$pw_name.$$"
    mv -f "$pw_home/bin/.$pw_name.$$" "$pw_home/bin/$pw_name"
  done
  mv -f "$pw_home/stamp.$$" "$pw_home/stamp"
}

session_start() {
  if [ -n "${CLAUDE_ENV_FILE-}" ] && [ -n "${CLAUDE_PLUGIN_DATA-}" ]; then
    printf "export CLAUDE_PLUGIN_DATA='%s'\n" "$(printf %s "$CLAUDE_PLUGIN_DATA" | sed "s/'/'\\\\''/g")" >>"$CLAUDE_ENV_FILE"
  fi
  is_fresh || ! (find_cargo) || start_build
} >/dev/null 2>&1

# Asks the guard. Without one, a worker's session changes nothing; what only tells it something is left out.
guard() {
  if [ -x "$pw_home/bin/pw-worker" ] && is_fresh; then exec "$pw_home/bin/pw-worker" "$@"; fi
  [ "$2" = pre-tool-use ] || exit 0
  if ! (find_cargo); then
    pw_why='its helpers are not built and cargo was not found. Tell the user to install Rust (see rustup.rs).'
  elif start_one_build; then
    pw_why='its helpers are being built, which takes some minutes. Wait, then try again. If it stays so, tell the user to run pw-setup --version in a terminal, which says why.'
  else
    pw_why='its helpers cannot be built: the cache folder cannot be written. Tell the user to run pw-setup --version in a terminal.'
  fi
  printf '%s%s"}}\n' '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"parallel-workflows cannot check your scope: ' "$pw_why"
  exit 0
}

case $pw_name in
  helper.sh)
    case ${1-} in
      session-start) session_start; exit 0 ;;
      guard) guard "$@" ;;
      build) build; exit ;;
      *) echo "usage: helper.sh session-start | guard EVENT | build" >&2; exit 2 ;;
    esac ;;
esac

# From here on: a helper was called and has to be built first.

say() { printf '%s: %s\n' "$pw_name" "$1" >&2; }

# Prints $1 as a JSON string.
json() {
  printf '%s\n' "$1" | if command -v iconv >/dev/null; then iconv -c -f UTF-8 -t UTF-8; else tr -d '\200-\377'; fi |
    LC_ALL=C awk '
      BEGIN { for (i = 1; i < 32; i++) escape[sprintf("%c", i)] = sprintf("\\u%04x", i); escape["\""] = "\\\""; escape["\\"] = "\\\\" }
      { if (NR > 1) text = text "\\n"; for (i = 1; i <= length($0); i++) { c = substr($0, i, 1); text = text (c in escape ? escape[c] : c) } }
      END { printf "\"%s\"", text }'
}

# Ends with the one error document: refuse CODE MESSAGE HINT DETAILS.
refuse() {
  say "$2"
  printf '{"schema":"pw.error/1","ok":false,"error":{"code":"%s","message":%s,"hint":%s,"next":%s,"details":%s}}\n' \
    "$1" "$(json "$2")" "$(json "$3")" "$(json "$pw_next")" "$4"
  exit 1
}

pw_next=$pw_name
for pw_arg; do
  case $pw_arg in
    '' | *[!A-Za-z0-9_./=:@%+,-]*) pw_next=$pw_name && break ;;
    *) pw_next="$pw_next $pw_arg" ;;
  esac
done

(find_cargo) || refuse helper_not_built "the helpers are not built yet and cargo was not found" \
  "install Rust (see rustup.rs), then run the same command again" '{}'
start_build || refuse helper_not_built "cannot write to the cache folder $pw_home" \
  "make it writable, or set XDG_CACHE_HOME to a folder that is" '{}'
pw_builder=$!
say "building the helpers (some minutes, once per version); log: $pw_log"

# The Bash tool of the client gives up at 120 s, so this gives up earlier and says what to do.
pw_wait=${PW_BUILD_WAIT:-100}
case $pw_wait in *[!0-9]* | 0?*) pw_wait=100 ;; esac
pw_ticks=$((pw_wait * 5))
while kill -0 "$pw_builder" 2>/dev/null; do
  [ "$pw_ticks" -gt 0 ] || refuse helper_building "the helpers are still being built" \
    "run the same command again in a minute; the build goes on" "{\"log\":$(json "$pw_log")}"
  if sleep 0.2 2>/dev/null; then pw_ticks=$((pw_ticks - 1)); else sleep 1 && pw_ticks=$((pw_ticks - 5)); fi
  [ $((pw_ticks % 50)) -ne 0 ] || say "$(tail -n 1 "$pw_log")"
done
wait "$pw_builder" || refuse helper_not_built "building the helpers failed" \
  "read the log, remove the cause, then run the same command again" \
  "{\"log\":$(json "$pw_log"),\"log_tail\":$(json "$(tail -n 20 "$pw_log" | tail -c 2000)")}"

exec "$pw_home/bin/$pw_name" "$@"
