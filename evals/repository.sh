# Read by the scaffolds: a repository with a workflow of two workers, made by this plugin's own helpers.
here=$(cd "$(dirname "$0")/../.." && pwd)
command -v pw-setup >/dev/null || PATH=$here/bin:$PATH
export GIT_AUTHOR_NAME=User GIT_AUTHOR_EMAIL=user@example.com GIT_COMMITTER_NAME=User GIT_COMMITTER_EMAIL=user@example.com

# plan VERIFY: makes both.
plan() {
  git init -q -b main
  echo 'the names' >names.txt
  git add names.txt
  git commit -qm 'a shop'
  cat >plan.yaml <<END
workflow: shop
goal: users and orders of the shop
verify: "$1"
shared: [names.txt]
workers:
  - {id: task-1, name: users, owns: [users.txt], tasks: [list the users]}
  - {id: task-2, name: orders, owns: [orders.txt], tasks: [list the orders]}
END
  pw-setup create plan.yaml --no-trial >&2
}

# in_worker LABEL FILE SUBJECT: adds a line there, and says so.
in_worker() {
  echo "$1" >>"worktrees/$1/$2"
  git -C "worktrees/$1" add "$2"
  git -C "worktrees/$1" commit -qm "$3"
}
