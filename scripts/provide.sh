#!/bin/sh
# The slow way of scripts/helper.sh, which sources this: makes the helpers ready when they are not.
# The packaged helper of this very release and machine comes first, then a build with cargo, then the one
# error that names both ways. Nothing that was not checked is run.
# shellcheck disable=SC2154 # helper.sh has named the folders

pw_log=$pw_home/build.log
pw_done='the helpers are in the cache'
pw_room='make room for half a gigabyte there'
pw_names='pw-setup pw-monitor pw-integrate pw-worker pw-retro'

# Makes the cache folder, for this user alone to write.
# shellcheck disable=SC3067 # -O, as there
make_home() {
  (umask 022 && mkdir -p "$pw_home/bin") && [ -O "$pw_home" ] && [ -O "$pw_home/bin" ] &&
    chmod go-w "$pw_home" "$pw_home/bin" && [ -w "$pw_home/bin" ] || return
  # What was being made when its process was killed.
  find "$pw_home" -maxdepth 1 -name '.new.*' -mmin +600 -exec rm -rf {} + || :
} 2>/dev/null

# ---- the packaged helper

# Prints the SHA-256 of a file with whatever this machine has.
sum_of() {
  { sha256sum <"$1" || shasum -a 256 <"$1" || openssl dgst -sha256 -r <"$1"; } 2>/dev/null | while read -r pw_sum _; do
    echo "$pw_sum" && break
  done
}

# Finds what is packaged for this machine: its folder, and its line in the list of checksums.
find_packaged() {
  [ -r "$pw_sums" ] || { pw_lack='no helpers are packaged in this folder' && return 1; }
  pw_machine=$(uname -sm)
  case $pw_machine in
    'Linux x86_64') pw_platform=linux-x86_64 ;;
    'Linux aarch64' | 'Linux arm64') pw_platform=linux-aarch64 ;;
    'Darwin x86_64') pw_platform=macos-x86_64 ;;
    'Darwin arm64') pw_platform=macos-aarch64 ;;
    *) pw_platform=none ;;
  esac
  pw_packaged=$pw_root/helpers/$pw_platform
  while IFS= read -r pw_listed; do
    case $pw_listed in *"  $pw_platform/pw") if [ -f "$pw_packaged/pw" ]; then return 0; fi ;; esac
  done <"$pw_sums"
  pw_lack="no helpers are packaged for this machine ($pw_machine)"
  return 1
}

# True when the file is the one in the list.
is_listed() {
  pw_found=$(sum_of "$1")
  case $pw_found in
    "${pw_listed%% *}") return 0 ;;
    '') pw_lack='the packaged helpers cannot be checked, because there is no program for SHA-256' ;;
    *) pw_lack='the packaged helpers are damaged: their checksum is not the one in helpers/SHA256SUMS' ;;
  esac
  return 1
}

# True when it is of this version and starts on this machine.
is_ours() {
  pw_says=$("$1/pw-setup" --version 2>/dev/null)
  case $pw_says in
    "pw-setup $pw_version") return 0 ;;
    'pw-setup '*) pw_lack="the packaged helpers are of version ${pw_says#pw-setup }, and the plugin of version $pw_version" ;;
    *) pw_lack='the packaged helpers do not start on this machine' ;;
  esac
  return 1
}

# Copies the packaged helper to the cache. The copy is what is checked and then run: nothing that happens to
# the plugin folder in between, or later, reaches it.
take_packaged() {
  find_packaged || return
  pw_lack='the packaged helpers cannot be copied to the cache'
  make_home || return
  pw_new=$pw_home/.new.$$
  (umask 022 && rm -rf "$pw_new" && mkdir "$pw_new" && cp "$pw_packaged/pw" "$pw_new/pw" && chmod 755 "$pw_new/pw" &&
    ln -s pw "$pw_new/pw-setup" && printf '%s\n%s\n' "$(cd -P "$pw_root" && pwd)" "$pw_listed" >"$pw_new/stamp") 2>/dev/null &&
    is_listed "$pw_new/pw" && is_ours "$pw_new" && put "$pw_new"
  pw_status=$?
  rm -rf "$pw_new"
  return "$pw_status"
}

# Moves a new helper and then its stamp to their place in the cache, each at once, and links the names.
put() {
  rm -f "$pw_home/stamp"
  mv -f "$1/pw" "$pw_home/bin/pw" || return
  for pw_link in $pw_names; do
    ln -s pw "$pw_home/bin/.$pw_link.$$" && mv -f "$pw_home/bin/.$pw_link.$$" "$pw_home/bin/$pw_link" || return
  done
  mv -f "$1/stamp" "$pw_home/stamp"
} 2>/dev/null

# Runs the packaged helper where it lies, checked at every call: when there is no cache to remember it in.
run_in_place() {
  find_packaged && is_listed "$pw_packaged/pw" && is_ours "$pw_packaged" || return 0
  pw_link=$1
  shift
  exec "$pw_packaged/$pw_link" "$@"
}

# ---- the build

# Finds a cargo that can build them, on a PATH of its own: a hook's often lacks the folder where rustup puts it.
# When there is none, $pw_no_cargo says why.
find_cargo() {
  case ${CARGO_HOME-} in /*) pw_cargo=$CARGO_HOME ;; *) pw_cargo=${HOME-}/.cargo ;; esac
  pw_path=$PATH:$pw_cargo/bin
  pw_no_cargo='cargo was not found to build them'
  (PATH=$pw_path && command -v cargo >/dev/null) || return
  # Asked as the build will call it: the toolchain of a project is not ours.
  pw_says=$(unset RUSTUP_TOOLCHAIN && cd / && PATH=$pw_path cargo --version 2>&1) ||
    { pw_no_cargo="cargo, which would build them, does not run ($(printf '%s\n' "$pw_says" | head -n 1))" && return 1; }
  pw_least=
  while IFS= read -r pw_line; do
    case $pw_line in 'rust-version = "1.'*) pw_least=${pw_line#*\"1.} && pw_least=${pw_least%%[!0-9]*} && break ;; esac
  done <"$pw_root/Cargo.toml"
  pw_says=${pw_says#cargo } && pw_says=${pw_says%% *}
  # Debian's was 0.66 once.
  case $pw_says in 0.*) pw_minor=0 ;; 1.*) pw_minor=${pw_says#1.} && pw_minor=${pw_minor%%[!0-9]*} ;; *) return 0 ;; esac
  [ "${pw_minor:-0}" -ge "${pw_least:-0}" ] ||
    { pw_no_cargo="cargo $pw_says is too old to build them, which takes Rust 1.$pw_least or newer" && return 1; }
} 2>/dev/null

# True while a builder is at work. The name is looked at because a number comes round again.
is_building() {
  { IFS= read -r pw_pid <"$pw_home/builder" && kill -0 "$pw_pid"; } 2>/dev/null || return
  case $(ps -o args= -p "$pw_pid" 2>/dev/null) in '' | *helper.sh*) ;; *) return 1 ;; esac
}

# Starts a build that outlives this process, its group and its terminal, unless one is at work. It gets a clean
# environment: what a project sets for its own builds (a compiler wrapper, flags, a target) is not meant for us.
# When it cannot, $pw_no_build says why, and $pw_mend what helps.
start_build() {
  pw_builder=
  if ! make_home; then
    pw_no_build="the cache folder $pw_home is not this user's to write"
    pw_mend="make it this user's own, or set XDG_CACHE_HOME to a folder that is"
    return 1
  fi
  if is_building; then return 0; fi
  if is_full; then pw_no_build="the disk is full where $pw_home lies" pw_mend=$pw_room && return 1; fi
  pw_detach="nohup"
  if command -v setsid >/dev/null; then pw_detach=setsid; fi
  pw_script=$pw_root/scripts/helper.sh
  set -- PATH="$pw_path" HOME="${HOME-}" CLAUDE_PLUGIN_DATA="$pw_data" CARGO_HOME="$pw_cargo"
  # Where rustup lies, where to put passing files, how to get through to the registry, which linker.
  for pw_variable in RUSTUP_HOME TMPDIR http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY \
    SSL_CERT_FILE SSL_CERT_DIR DEVELOPER_DIR SDKROOT; do
    eval "pw_value=\${$pw_variable-}"
    [ -z "$pw_value" ] || set -- "$@" "$pw_variable=$pw_value"
  done
  # The log counts: "38/150".
  "$pw_detach" env -i "$@" CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=80 sh "$pw_script" build </dev/null >/dev/null 2>&1 &
  pw_builder=$!
}

# Says that this process is the builder; false when there is one.
claim() {
  (set -C && echo "$$" >"$pw_home/builder")
} 2>/dev/null

# The builder, of which there is one at a time.
build() {
  if ! claim; then
    if is_building; then return 0; fi
    # What a killed builder left behind. Two who find it at once both build, one after the other: cargo sees to that.
    rm -f "$pw_home/builder" && claim || return
  fi
  pw_new=$pw_home/.new.$$
  trap 'rm -rf "$pw_new" "$pw_home/builder"' EXIT
  trap 'exit 1' HUP INT TERM
  # Another builder may have ended between the look for the helpers and the look for a builder.
  if is_fresh; then return; fi
  exec >"$pw_log" 2>&1
  set -e
  mkdir "$pw_new"
  pw_root=$(cd -P "$pw_root" && pwd)
  printf '%s\nbuilt\n' "$pw_root" >"$pw_new/stamp"
  # Where no .cargo/config.toml or rust-toolchain.toml of a project is above.
  cd /
  cargo build --locked --profile plugin -p pw-cli --bin pw --manifest-path "$pw_root/Cargo.toml" --target-dir "$pw_data/target"
  # Copied, so that neither a later build nor a cleaned target takes a helper from under a running session.
  # It lies elsewhere when the user's own configuration names a target.
  # shellcheck disable=SC2012 # the newest, and our own names
  pw_built=$(ls -t "$pw_data"/target/plugin/pw "$pw_data"/target/*/plugin/pw 2>/dev/null | head -n 1)
  cp "$pw_built" "$pw_new/pw"
  put "$pw_new"
  echo "$pw_done"
}

# True while the disk that has the cache is all but full: then not even a log says so.
is_full() {
  pw_free=$(df -Pk "$pw_home" | awk 'NR == 2 && $2 > 0 && $4 ~ /^[0-9]+$/ { print int($4 / 1024) }')
  [ "${pw_free:-64}" -lt 64 ]
} 2>/dev/null

# True when the last build did not come to its end. Then $pw_cause says why, as far as its log tells, and $pw_mend
# what helps.
has_failed() {
  pw_cause='' pw_mend='read the log, remove the cause' pw_tail=''
  [ -r "$pw_log" ] && ! is_building || return
  pw_tail=$(tr '\r' '\n' <"$pw_log" | grep -v '^ *Building \[' | grep . | tail -n 20)
  case $pw_tail in *"$pw_done"*) return 1 ;; esac
  # In words of cargo, of rustc, of the crates that compile C, and of the system.
  case $pw_tail in
    *'No space left on device'* | *'os error 28'*) pw_cause='the disk is full' pw_mend=$pw_room ;;
    *'linker `'*'` not found'* | *'failed to find tool'*)
      pw_cause='no C compiler was found, with which Rust links'
      pw_mend='install one that answers to cc: gcc or clang (on macOS: xcode-select --install)' ;;
    *'failed to download'* | *'failed to get '*' as a dependency'* | *'network failure'* | *'Could not resolve host'* | \
      *'download of '*' failed'* | *'Failed to connect'*)
      pw_cause='the crates that they are built from cannot be fetched'
      pw_mend='connect to the network once, or set HTTPS_PROXY' ;;
    *'requires rustc '* | *'feature `edition2024` is required'* | *'lock file version'*)
      pw_cause='this Rust is too old' pw_mend='update it, for example by rustup update stable' ;;
    *SIGKILL*)
      pw_cause='the compiler was killed, perhaps for want of memory' pw_mend='close other programs' ;;
    # Where the log had no room for it.
    *) if is_full; then pw_cause='the disk is full' pw_mend=$pw_room; fi ;;
  esac
} 2>/dev/null

# Prints how far the build is, "38 of 150"; nothing when that is not known.
progress() {
  tr '\r' '\n' <"$pw_log" | sed -n 's,^ *Building \[[^]]*\] *\([0-9]*\)/\([0-9]*\).*,\1 of \2,p' | tail -n 1
} 2>/dev/null

# ---- the hooks

# Prints $1 as a JSON string.
json() {
  printf '%s\n' "$1" | if command -v iconv >/dev/null; then iconv -c -f UTF-8 -t UTF-8; else tr -d '\200-\377'; fi |
    LC_ALL=C awk '
      BEGIN { for (i = 1; i < 32; i++) escape[sprintf("%c", i)] = sprintf("\\u%04x", i); escape["\""] = "\\\""; escape["\\"] = "\\\\" }
      { if (NR > 1) text = text "\\n"; for (i = 1; i <= length($0); i++) { c = substr($0, i, 1); text = text (c in escape ? escape[c] : c) } }
      END { printf "\"%s\"", text }'
}

# Says something to the user and the model at the start of a session, once for each version.
tell() {
  if [ -r "$pw_home/told" ] && IFS= read -r pw_line <"$pw_home/told" && [ "$pw_line" = "$1" ]; then return; fi
  { make_home && printf '%s\n' "$1" >"$pw_home/told"; } 2>/dev/null
  pw_text=$(json "parallel-workflows: $1")
  printf '{"systemMessage":%s,"hookSpecificOutput":{"hookEventName":"SessionStart","additionalContext":%s}}\n' "$pw_text" "$pw_text"
}

session_start() {
  if [ -n "${CLAUDE_ENV_FILE-}" ] && [ -n "${CLAUDE_PLUGIN_DATA-}" ]; then
    printf "export CLAUDE_PLUGIN_DATA='%s'\n" "$(printf %s "$CLAUDE_PLUGIN_DATA" | sed "s/'/'\\\\''/g")" >>"$CLAUDE_ENV_FILE"
  fi
  if is_fresh || take_packaged; then return; fi
  if find_packaged && is_listed "$pw_packaged/pw" && is_ours "$pw_packaged"; then return; fi
  if ! find_cargo; then
    tell "$pw_lack, and $pw_no_cargo: no command works, and no worker is guarded. To mend it: $pw_ways."
  elif has_failed; then
    tell "$pw_lack, and building them failed${pw_cause:+: $pw_cause}. To mend it: $pw_mend; log: $pw_log. It is tried again; until it works, no command does."
    start_build
  elif start_build; then
    tell "$pw_lack: they are being built, once for this version, which takes $pw_long. Until then its commands wait."
  else
    tell "$pw_lack, and they cannot be built: $pw_no_build. To mend it: $pw_mend."
  fi
} 2>/dev/null

pw_long='two to five minutes, longer on a busy machine'
pw_ways='install a release of the plugin (its branch release), which has them, or a current Rust (see rustup.rs)'

# Asks the guard. Without one, a worker's session changes nothing; what only tells it something is left out.
guard() {
  if take_packaged; then exec "$pw_home/bin/pw-worker" "$@"; fi
  run_in_place pw-worker "$@"
  [ "$2" = pre-tool-use ] || exit 0
  if ! find_cargo; then
    pw_why="$pw_lack, and $pw_no_cargo. Tell the user what helps: $pw_ways."
  elif has_failed && start_build; then
    pw_why="building its helpers failed${pw_cause:+: $pw_cause}. It is tried again; tell the user what helps: $pw_mend; log: $pw_log."
  elif start_build; then
    pw_far=$(progress)
    pw_why="its helpers are being built${pw_far:+ ($pw_far)}, which takes $pw_long. Wait, then try again. If it stays so, tell the user to run pw-setup --version in a terminal, which says why."
  else
    pw_why="its helpers cannot be built: $pw_no_build. Tell the user what helps: $pw_mend."
  fi
  printf '%s%s}}\n' '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":' \
    "$(json "parallel-workflows cannot check your scope: $pw_why")"
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

# ---- a helper was called

say() { printf '%s: %s\n' "$pw_name" "$1" >&2; }

# Ends with the one error document: refuse CODE MESSAGE HINT DETAILS.
refuse() {
  say "$2"
  # A person at a terminal reads words, anything else the document.
  if [ -t 1 ]; then say "$3" && exit 1; fi
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

if take_packaged; then exec "$pw_home/bin/$pw_name" "$@"; fi
run_in_place "$pw_name" "$@"

find_cargo || refuse helper_not_built "$pw_lack, and $pw_no_cargo" "$pw_ways, then run the same command again" '{}'
start_build || refuse helper_not_built "$pw_lack, and they cannot be built: $pw_no_build" \
  "$pw_mend, then run the same command again" '{}'
say "$pw_lack: building the helpers,"
say "once per version: $pw_long"
say "log: $pw_log"

# The Bash tool of the client gives up at 120 s, so this gives up earlier and says what to do. A person at a terminal
# sees it count, on one line, and may stop waiting at any time.
pw_least_wait=100 pw_often=50 pw_counted=
if [ -t 1 ]; then pw_least_wait=3600; fi
if [ -t 2 ]; then pw_often=5; fi
pw_wait=${PW_BUILD_WAIT:-$pw_least_wait}
case $pw_wait in *[!0-9]* | 0?*) pw_wait=$pw_least_wait ;; esac
pw_ticks=$((pw_wait * 5))
trap 'echo >&2 && say "this waits no longer; the build goes on" && exit 130' INT
while is_building || { [ -n "$pw_builder" ] && kill -0 "$pw_builder" 2>/dev/null; }; do
  if [ $((pw_ticks % pw_often)) -eq 0 ]; then
    pw_far=$(progress)
    if [ -z "$pw_far" ]; then :; elif [ -t 2 ]; then
      pw_counted=yes && printf '\r%s: built %s ' "$pw_name" "$pw_far" >&2
    else
      say "built $pw_far"
    fi
  fi
  [ "$pw_ticks" -gt 0 ] || refuse helper_building "the helpers are still being built${pw_far:+ ($pw_far)}" \
    "run the same command again in a minute; the build goes on" "{\"log\":$(json "$pw_log")}"
  if sleep 0.2 2>/dev/null; then pw_ticks=$((pw_ticks - 1)); else sleep 1 && pw_ticks=$((pw_ticks - 5)); fi
done
trap - INT
[ -z "$pw_counted" ] || echo >&2
if ! is_fresh; then
  has_failed || :
  refuse helper_not_built "building the helpers failed${pw_cause:+: $pw_cause}" \
    "$pw_mend, then run the same command again" \
    "{\"log\":$(json "$pw_log"),\"log_tail\":$(json "$(printf '%s\n' "$pw_tail" | tail -c 2000)")}"
fi

exec "$pw_home/bin/$pw_name" "$@"
