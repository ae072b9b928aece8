"""What is asked of the helpers, and what a user would run instead. The first way of each question is ours."""

import dataclasses
import json
import shutil
from collections.abc import Callable

from measure import Way
from repository import Setting

S4, S16, M4, M16, M64, L16 = (Setting(*of) for of in (("S", 4), ("S", 16), ("M", 4), ("M", 16), ("M", 64), ("L", 16)))
L64 = Setting("L", 64, is_sparse=True)
LONG, LONGER = Setting("S", 16, commits=120), Setting("S", 16, commits=1200)
OLD = 40


@dataclasses.dataclass
class Goal:
    """What ours is to be, as a part of another way or in milliseconds; and what it is that sets the limit."""

    way: str
    most: float
    limit: str = ""


@dataclasses.dataclass
class Question:
    """Some ways to the same, in some repositories."""

    key: str
    title: str
    about: str
    settings: list[Setting]
    ways: Callable
    goals: dict[str, list[Goal]] = dataclasses.field(default_factory=dict)
    rounds: int | None = None
    # Whether what is measured of every way is held against a time, not ours against the others.
    is_absolute: bool = False


def peer(place, name, *words, **more):
    return [Way(" ".join([name, *words]), [name, *words], **more)] if place.has(name) else []


LOOP = """\
for it in worktrees/*; do
  git --no-optional-locks -C "$it" status --porcelain
  git -C "$it" log --format='%H %ct %s' main..HEAD
  git -C "$it" diff --name-only main...HEAD
done"""
BARE = """\
{ echo .; ls -d worktrees/*; } | xargs -P "$(nproc)" -I{} git --no-optional-locks -C {} status --porcelain=v2"""
REFS = """\
git for-each-ref --format='%(refname) %(objectname) %(contents:subject)' refs/heads
git log --raw -z --format='%H %P %ct %B' $(git for-each-ref --format='%(refname)' refs/heads/work) --not main"""
PAIRS = """\
of=$(git for-each-ref --format='%(refname)' refs/heads/work)
for a in $of; do for b in $of; do [ "$a" = "$b" ] && break; git merge-tree --write-tree "$a" "$b"; done; done"""
PAIRS_AT_ONCE = """\
of=$(git for-each-ref --format='%(refname)' refs/heads/work)
for a in $of; do for b in $of; do [ "$a" = "$b" ] && break; echo "$a $b"; done; done | git merge-tree --write-tree --stdin"""
ADD = 'for at in $(seq {n}); do git worktree add -q -b "work/w$((at - 1))-part" "worktrees/w$((at - 1))-part"; done'
SWITCH = 'for at in $(seq {n}); do wt switch --create --no-cd --yes "work/w$((at - 1))-part"; done'
COPY = """\
mkdir worktrees
for at in $(seq {n}); do mkdir "worktrees/$at"; ls -A | grep -vx -e .git -e worktrees | xargs cp -a -t "worktrees/$at"; done"""
MERGE = """\
git switch -q -c merged
for branch in $(git for-each-ref --format='%(refname:short)' refs/heads/work); do git merge -q --no-ff --no-edit "$branch"; done"""
REMOVE = """\
for it in worktrees/*; do git worktree unlock "$it"; git worktree remove "$it"; done
git branch -q -D $(git for-each-ref --format='%(refname:short)' refs/heads/work)"""
LOG = "git log -z --name-status -M -l400 --diff-merges=first-parent --format='%H %P' -n10000 main"


def status(place, repo):
    return [
        Way("pw-monitor status", ["pw-monitor", "status", "--format", "json"]),
        Way("shell loop: status, log, diff", LOOP),
        *peer(place, "wt", "list", "--format", "json"),
        *peer(place, "clash", "status"),
        Way("only git status, two at a time", BARE),
    ]


def again(place, repo):
    words = ["pw-monitor", "status", "--format", "json"]

    touched = repo.worktrees[0] / repo.paths[0]
    return [
        Way("nothing changed since", words, lambda: repo.run_helper(*words)),
        Way("a file was touched since", words, touched.touch),
    ]


def refs(place, repo):
    return [
        Way("pw-monitor status --no-worktrees", ["pw-monitor", "status", "--no-worktrees", "--format", "json"]),
        Way("git for-each-ref, git log", REFS),
    ]


def pairs(place, repo):
    return [
        Way("pw-monitor status --no-worktrees", ["pw-monitor", "status", "--no-worktrees", "--format", "json"]),
        Way("git merge-tree for each pair", PAIRS),
        Way("git merge-tree --stdin, all pairs", PAIRS_AT_ONCE),
        *peer(place, "clash", "status"),
    ]


def report(place, repo):
    return [
        Way("pw-retro report", ["pw-retro", "report", "--format", "json"]),
        Way("the git log of workers and base it needs", REFS.splitlines()[1] + "\n" + LOG.replace("-n10000", "-n1000")),
    ]


def analyze(place, repo):
    return [
        Way("pw-setup analyze", ["pw-setup", "analyze", "--workers", "4", "--format", "json"]),
        Way("the git log it needs", LOG),
    ]


def guard(place, repo):
    worktree = repo.worktrees[0]
    script = ["sh", str(place.release / "scripts/helper.sh"), "guard", "pre-tool-use"]

    def asks(name, tool, folder=worktree, **inputs):
        event = {"session_id": "s", "hook_event_name": "PreToolUse", "cwd": str(folder), "tool_name": tool}
        return Way(name, script, cwd=folder, stdin=json.dumps(event | {"tool_input": inputs}).encode())

    return [
        asks("an edit", "Edit", file_path=str(worktree / f"{repo.owns(0)[0]}/new.txt")),
        asks("a command", "Bash", command="cargo test --workspace 2>&1 | tail -n 20"),
        asks("a command of git", "Bash", command="git add -u && git commit -m '[CHECKPOINT] half'"),
        asks("not a worker's session", "Bash", repo.root, command="cargo test"),
        Way("one git rev-parse", ["git", "rev-parse", "HEAD"], cwd=worktree),
        Way("sh that does nothing", ["sh", "-c", ":"]),
    ]


def guard_among_others(place, repo):
    repo.undo_create()
    repo.create()
    for at in range(OLD if repo.setting == S4 else 2):
        plan = f"workflow: old{at}\ngoal: more\nworkers:\n  - {{id: w, name: part{at}, owns: [old{at}/]}}\n"
        (repo.root / ".git/plan.yaml").write_text(plan)
        repo.run_helper("pw-setup", "create", ".git/plan.yaml", "--no-trial")
    return guard(place, repo)[:1]


def run(place, repo):
    return [
        Way("pw-integrate run", ["pw-integrate", "run", "--no-gate", "--format", "json"], repo.undo_run),
        Way("loop of git merge --no-ff", MERGE, repo.undo_run),
    ]


def cleanup(place, repo):
    repo.undo_run()
    repo.run_helper("pw-integrate", "run", "--no-gate")
    repo.save()
    return [
        Way("pw-integrate cleanup", ["pw-integrate", "cleanup", "--format", "json"], repo.restore),
        Way("git worktree remove, git branch -D", REMOVE, repo.restore),
    ]


def create(place, repo):
    number, undo = {"n": repo.setting.workers}, repo.undo_create
    create = ["pw-setup", "create", ".git/plan.yaml", "--no-trial", "--format", "json"]
    return [
        Way("pw-setup create", create, undo),
        Way("loop of git worktree add", ADD.format(**number), undo),
        *([Way("loop of wt switch --create", SWITCH.format(**number), undo)] if place.has("wt") else []),
        Way("cp -a of the checkout", COPY.format(**number), undo),
    ]


def answers(place, repo):
    """The commands whose answers are weighed."""
    helper = lambda *words, cwd=None: Way(" ".join(words), [*words, "--format", "json"], cwd=cwd)
    return [
        Way("pw-monitor --version", ["pw-monitor", "--version"]),
        helper("pw-monitor", "status"),
        helper("pw-monitor", "status", "--verbose"),
        helper("pw-integrate", "check"),
        helper("pw-integrate", "preview"),
        helper("pw-retro", "report"),
        helper("pw-setup", "check", ".git/plan.yaml"),
        helper("pw-worker", "brief", cwd=repo.worktrees[0]),
    ]


ONE_FOR_EACH = (
    "five sixths of the processor's time are one `git status` for each worktree, which are the bare runs; "
    "above them lie the log of all branches, the trial merges and what is uncommitted, tried against them"
)
# In the order in which they are asked of one repository: the last ones take it apart.
QUESTIONS = [
    Question(
        "status", "Where is everybody?",
        "All facts of `status`: state, uncommitted and untracked files, scopes, who conflicts with whom. The shell loop "
        "tells less: no scopes, no pairs. `clash` tells only pairs. The bare runs are the floor: `git status` alone.",
        [S4, S16, M4, M16, M64, L16, LONG, LONGER], status,
        {
            "M/16": [Goal("wt list", 0.45, ONE_FOR_EACH), Goal("only git status", 1.25, ONE_FOR_EACH)],
            "M/64": [Goal("wt list", 0.45, ONE_FOR_EACH), Goal("only git status", 1.15, ONE_FOR_EACH)],
            "L/16": [Goal("wt list", 0.45, ONE_FOR_EACH), Goal("only git status", 1.15, ONE_FOR_EACH)],
        },
    ),
    Question(
        "again", "The same once more", "A second `status`, when nothing changed since the first.", [M16], again,
        {"M/16": [Goal("a file was touched", 0.5, "nothing is kept between two calls: an answer that is kept can be wrong, and "
                       "to know that it is not, git has to look at every file, which is what the time goes to")]},
    ),
    Question("refs", "Branches only", "The same without a look into worktrees.", [M16, M64, L64], refs),
    Question("pairs", "Who conflicts with whom?", "Every pair of branches, merged on trial.", [M16, M64], pairs),
    Question(
        "report", "A retrospective", "All numbers of a run, hindsight included; a page takes no measurable time more.", [M64, L64], report,
        {"L/64, sparse": [Goal("the git log", 1.3, "this run is complete and not integrated yet: a third of the processor's time are trial "
                               "merges, a third the files of each commit, a tenth all that is no git, hindsight included")]},
    ),
    Question(
        "analyze", "Is it worth splitting?", "The history of the base, a split, and its test on past changes.",
        [M16, L64], analyze,
        {"M/16": [Goal("the git log", 2, "every split is made anew for each window of past changes")],
         "L/64, sparse": [Goal("the git log", 2, "every split is made anew for each window of past changes")]},
    ),
    Question(
        "guard", "One tool call", "What each tool call of a session waits for: the hook, through the plugin's wrapper.",
        [M16], guard,
        {"M/16": [Goal("an edit", 8, "no git is started: what is left is the shell, the wrapper's checks and the helper's start, "
                       "a third of the time each"),
                  Goal("a command", 8, "as for an edit, and the command is parsed")]},
        rounds=25, is_absolute=True,
    ),
    Question("run", "Merge all", "All workers into one branch, without a gate.", [M16, M64, L64], run,
             {"M/64": [Goal("loop", 0.08, "two processes of git for each worker remain")],
              "L/64, sparse": [Goal("loop", 0.02, "the loop merges in a sparse checkout here, which is quicker for it")]}),
    Question("cleanup", "Remove all", "Worktrees and branches, all merged; ours makes sure of each file first.", [M16], cleanup,
             {"M/16": [Goal("git worktree remove", 1.5, "git looks at each file once before it goes; here that is done twice, with all that the "
                            "disk holds, and a snapshot is written in between. Of the processor's time half is git's (status twice, "
                            "the index, attributes and trees), an eighth each are reading folders and removing files")]},
             rounds=3),
    Question(
        "others", f"One tool call, among {OLD} other workflows", "The same where other workflows have their records and worktrees.",
        [S4], guard_among_others, {"S/4": [Goal("an edit", 8, "as above")]}, rounds=25, is_absolute=True,
    ),
    Question(
        "create", "Make all worktrees", "Branches and worktrees; ours makes hooks, permissions and launchers, too.",
        [M16, M64], create,
        {setting: [Goal("loop of git worktree add", 0.35, "of the 166 ms of a processor that git takes for the 5,000 files of a worktree, the system takes 85 "
                   "to make them; to read each blob once would save some of the other 81"),
                   Goal("cp -a", 1.1, "as above; a copy does not read objects")] for setting in ("M/16", "M/64")},
        rounds=3,
    ),
]
WEIGHED = [M16, M64]
GROWTH = [("workers", [M4, M16, M64]), ("files", [S16, M16, L16]), ("commits of each worker", [S16, LONG, LONGER])]


def has(env, name):
    return shutil.which(name, path=env["PATH"]) is not None
