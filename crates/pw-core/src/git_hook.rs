//! The script under every git hook name of a worker's worktree.

/// The name of the folder, beside that of a worker's hooks, which keeps what a hook manager put
/// into theirs.
pub const KEPT: &str = "kept";

/// How our dispatcher begins, in every release: it tells our hooks from the user's.
pub const HOOK_BEGINS: &str = "#!/bin/sh\n# Asks the guard of parallel-workflows,";

/// The git hook under every hook name in a worker's own folder of hooks. Like the launcher, it
/// finds everything from where it lies.
///
/// A manager that renames what it finds (`pre-commit.legacy`) and calls that still asks the guard.
pub const HOOK: &str = r#"#!/bin/sh
# Asks the guard of parallel-workflows, then runs every hook of this name that was here before it.
hook=${0##*/}
hook=${hook%%.*}
hooks=${0%/*}
place() { (CDPATH= cd -- "$1" 2>/dev/null && pwd -P); }
refuse() {
  echo "parallel-workflows: $1, so the scope of this commit cannot be checked: run pw-setup repair" >&2
  exit 1
}
ask() {
  guard=$hooks/../pw-worker
  [ -x "$guard" ] || guard=$(command -v pw-worker) || refuse 'pw-worker is gone'
  PW_GIT_PROCESS=$PPID "$guard" guard "$hook" "$@" || exit 1
}
# The repository that these hooks belong to.
common=$hooks/../../../..
# A worktree that was copied along, and not repaired, would commit to the branch of the original.
here() {
  [ "$(place "$(git rev-parse --git-common-dir)")" = "$(place "$common")" ] || refuse 'the repository was moved or copied'
}
session=${PW_WORKER-}${PW_WORKFLOW-}
label=${hooks%/*}
label=${label##*/}
case $hook in
  pre-commit | commit-msg)
    here
    ask "$@" ;;
  # Of what git does here without the two above, workers' sessions alone are asked whose they are.
  applypatch-msg | pre-applypatch | pre-merge-commit | prepare-commit-msg | pre-rebase)
    [ -z "$session" ] || { here; ask "$@"; } ;;
  post-checkout)
    # Of files that are checked out git says 0.
    [ -z "$session" ] || [ "$3" = 0 ] || ask "$label" ;;
  reference-transaction)
    # Git runs this one several times for each command: it starts nothing that it need not.
    if [ "$1" = prepared ] && [ -n "$session" ]; then
      said=$(cat)
      case $said in
        *HEAD* | *' refs/heads/'* | *' refs/stash'*)
          printf '%s\n' "$said" | ask "$label" || exit 1 ;;
      esac
      exec <<SAID
$said
SAID
    fi
    [ -e "$common/hooks/$hook" ] || [ -e "$hooks/../kept/$hook" ] || exit 0 ;;
esac
# What the user's own files say, also those they include: this worktree's settings name our folder.
own=$(git config --show-scope --path --get-all core.hooksPath | {
  own=
  while read -r scope path; do
    case $scope in system | global | local) own=$path ;; esac
  done
  printf %s "$own"
})
# A hook manager may have taken our own folder for the repository's.
[ -n "$own" ] && [ "$(place "$own")" != "$(place "$hooks")" ] || own=$(place "$common")/hooks
own=$own/$hook
kept=$hooks/../kept/$hook
if [ -f "$kept" ] && [ -x "$kept" ] && ! cmp -s "$kept" "$own"; then
  [ -x "$own" ] || exec "$kept" "$@"
  case $hook in
    pre-push | post-rewrite | reference-transaction)
      said=$(cat && echo .)
      said=${said%.}
      printf %s "$said" | "$kept" "$@" || exit
      printf %s "$said" | "$own" "$@"
      exit ;;
  esac
  "$kept" "$@" || exit
fi
[ -x "$own" ] || exit 0
exec "$own" "$@"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_of_ours_is_known_by_its_first_lines() {
        assert!(HOOK.starts_with(HOOK_BEGINS));
    }
}
