"""Repositories to measure on: seeded, so the same on every machine, with a workflow that the helpers made."""

import dataclasses
import pathlib
import random
import shutil
import subprocess
import time

EPOCH = 1_750_000_000
FOLDER_FILES = 20
COMMITS_OF_A_WORKER = 12
# One for every two of the most workers.
LISTS = 32


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a repository is made of. A sparse one has only the workers' own files in their worktrees."""

    size: str
    workers: int
    commits: int = COMMITS_OF_A_WORKER
    is_sparse: bool = False

    # Files, commits of the base, and the most bytes in a file.
    SIZES = {"T": (60, 20, 300), "S": (200, 200, 3000), "M": (5_000, 3_000, 2500), "L": (60_000, 10_000, 900)}

    @property
    def name(self):
        """What it is chosen by, `L/64`."""
        return f"{self.size}/{self.workers}"

    def __str__(self):
        more = f", {self.commits} commits each" if self.commits != COMMITS_OF_A_WORKER else ""
        return f"{self.name}{more}{', sparse' if self.is_sparse else ''}"

    @property
    def folder(self):
        """A name for a folder."""
        return "".join(c if c.isalnum() else "-" for c in str(self))

    @property
    def files(self):
        return self.SIZES[self.size][0]


class Stream:
    """Commits on their way to git fast-import."""

    def __init__(self):
        self.parts = []

    def commit(self, ref, when, message, files, parent=None):
        self.parts.append(f"commit {ref}\ncommitter Bench <bench@example.com> {when} +0000\n{data(message)}")
        if parent:
            self.parts.append(f"from {parent}\n")
        self.parts += [f"M 100644 inline {path}\n{data(text)}" for path, text in files]
        self.parts.append("\n")

    def bytes(self):
        return "".join(self.parts).encode()


def data(text):
    return f"data {len(text.encode())}\n{text}\n"


class Repository:
    """One setting in a folder: branch `main`, a workflow `bench`, and every worker complete."""

    def __init__(self, root, setting, env, templates):
        self.root, self.setting, self.env = pathlib.Path(root), setting, env
        self.paths = [path_of(at) for at in range(setting.files)]
        template = pathlib.Path(templates) / setting.size
        if not template.exists():
            self.make_base(template)
        subprocess.run(["git", "clone", "-q", str(template), str(self.root)], env=env, check=True)
        self.git("config", "gc.auto", "0")
        if setting.is_sparse:
            self.git("sparse-checkout", "set", "none")
        self.base = self.git("rev-parse", "HEAD")
        self.fresh_refs = self.refs()
        (self.root / ".git/plan.yaml").write_text(self.plan())

    def git(self, *words, cwd=None, **more):
        done = subprocess.run(["git", *words], cwd=cwd or self.root, env=self.env, check=True, stdout=subprocess.PIPE, **more)
        return done.stdout.decode().strip()

    def make_base(self, folder):
        _, commits, most = Setting.SIZES[self.setting.size]
        dice, stream = random.Random(7), Stream()
        texts = {path: text(dice, most) for path in self.paths}
        texts |= {f"shared/list{at}.txt": "\n".join(f"entry {line} = none" for line in range(60)) for at in range(LISTS)}
        stream.commit("refs/heads/main", EPOCH, "Initial import", texts.items())
        for at in range(1, commits):
            changed = dice.sample(self.paths, dice.randint(1, 3))
            for path in changed:
                texts[path] = edited(dice, texts[path], f"edit {at}")
            stream.commit("refs/heads/main", EPOCH + 3600 * at, f"Change {at}", [(path, texts[path]) for path in changed])
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main", cwd=folder)
        self.git("fast-import", "--quiet", cwd=folder, input=stream.bytes())
        self.git("repack", "-adq", cwd=folder)

    def owns(self, worker):
        """Folders, where each worker can have some; else files."""
        folders = list(dict.fromkeys(path.rpartition("/")[0] for path in self.paths))
        things = folders if len(folders) >= self.setting.workers else self.paths
        each = max(1, min(12, len(things) // self.setting.workers))
        return things[worker * each : (worker + 1) * each]

    def plan(self):
        workers = range(self.setting.workers)
        rows = "".join(f"  - {{id: w{at}, name: part, owns: [{', '.join(self.owns(at))}]}}\n" for at in workers)
        return f"workflow: bench\ngoal: measure\nshared: [shared/]\nworkers:\n{rows}"

    @property
    def worktrees(self):
        return [self.root / f"worktrees/w{at}-part" for at in range(self.setting.workers)]

    def create(self):
        """Makes the workflow, lets every worker commit, and lets git see that all is clean."""
        self.run_helper("pw-setup", "create", ".git/plan.yaml", "--no-trial")
        stream = Stream()
        for worker in range(self.setting.workers):
            self.work(stream, worker)
        self.git("-c", "fastimport.unpackLimit=1000000", "fast-import", "--quiet", input=stream.bytes())
        for worktree in self.worktrees:
            self.git("-c", "core.hooksPath=/dev/null", "reset", "-q", "--hard", cwd=worktree)
        self.refresh()
        self.complete_refs = self.refs()
        return self

    def work(self, stream, worker):
        dice, ref = random.Random(1000 + worker), f"refs/heads/work/w{worker}-part"
        prefixes = tuple(self.owns(worker))
        own = [path for path in self.paths if path.startswith(prefixes)]
        texts = {path: self.git("show", f"{self.base}:{path}") for path in own[:8]}
        # Two neighbours write into one list, far from each other: no conflict, and not to be told from names.
        shared = f"shared/list{worker // 2}.txt"
        lines = self.git("show", f"{self.base}:{shared}").split("\n")
        lines[3 if worker % 2 else 55] = f"entry = w{worker}"
        for at in range(self.setting.commits):
            path = dice.choice(list(texts))
            texts[path] = edited(dice, texts[path], f"worker {worker} edit {at}")
            is_last = at + 1 == self.setting.commits
            files = [(path, texts[path])] + ([(shared, "\n".join(lines))] if at == 1 else [])
            subject = "[COMPLETE] done" if is_last else f"[CHECKPOINT] step {at}"
            when = EPOCH + 3600 * 20_000 + 600 * at + worker
            stream.commit(ref, when, subject, files, None if at else self.base)

    def refresh(self):
        """Writes indexes that are not racy, so that git need not read files again."""
        time.sleep(1.1)
        for worktree in [self.root, *self.worktrees]:
            self.git("status", "--porcelain", cwd=worktree)

    def run_helper(self, *words):
        done = subprocess.run(words, cwd=self.root, env=self.env, stdout=subprocess.PIPE)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(words)}: {done.stdout.decode()[:2000]}")
        return done.stdout

    def refs(self):
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)").split("\n")
        return dict(line.split() for line in lines if not line.startswith("refs/remotes/"))

    def set_refs(self, wanted):
        """Lets exactly these refs be there."""
        gone = [f"delete {name}" for name in self.refs() if name not in wanted]
        there = [f"update {name} {tip}" for name, tip in wanted.items()]
        self.git("update-ref", "--stdin", input="\n".join(gone + there + [""]).encode())

    def undo_create(self):
        """Takes everything away that a workflow or a peer made."""
        self.git("switch", "-q", "main")
        for folder in ("worktrees", ".git/worktrees", ".git/pw"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        for folder in self.root.parent.glob(f"{self.root.name}.*"):
            shutil.rmtree(folder)
        self.set_refs(self.fresh_refs)

    def undo_run(self):
        """Takes back what was merged; a loop of `git merge` moved the checkout, too."""
        self.git("switch", "-q", "main")
        self.set_refs(self.complete_refs)

    def save(self):
        shutil.copytree(self.root, self.saved, symlinks=True)

    def restore(self):
        """Brings the saved repository back, files and refs."""
        shutil.rmtree(self.root)
        shutil.copytree(self.saved, self.root, symlinks=True)
        self.refresh()

    @property
    def saved(self):
        return self.root.with_name(f"{self.root.name}-saved")

    def remove(self):
        for folder in (self.root, self.saved):
            shutil.rmtree(folder, ignore_errors=True)


def path_of(at):
    folder = at // FOLDER_FILES
    return f"src/area{folder // 50:02}/part{folder % 50:02}/file{at % FOLDER_FILES:02}.txt"


def text(dice, most):
    size = dice.randint(most // 3, most)
    return "\n".join(f"line {at} {dice.getrandbits(160):040x}" for at in range(size // 50 + 2))


def edited(dice, old, line):
    lines = old.split("\n")
    lines[dice.randrange(len(lines))] = line
    return "\n".join(lines)
