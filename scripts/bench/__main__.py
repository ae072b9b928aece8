"""Measures the helpers beside what a user would run instead, and writes docs/benchmarks.md.

    python3 scripts/bench                       everything, about half an hour
    python3 scripts/bench --only status,run     some questions, printed; --at M/16 in one repository
    python3 scripts/bench --quick               everything once, in a tiny repository, printed

The commands of a question take turns within one run, so that a busy machine is unkind to all alike; quote ratios.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# The modules beside this one leave nothing in the source tree.
sys.dont_write_bytecode = True

import chart  # noqa: E402
import page  # noqa: E402
import questions  # noqa: E402
from measure import Bench  # noqa: E402
from repository import Repository, Setting  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The newest that rustc 1.95 compiles.
PEERS = {"wt": "worktrunk@0.67.0", "clash": "clash-sh@0.2.0"}


class Place:
    """Where all is made and measured."""

    def __init__(self, folder, tools, helper):
        self.folder = folder
        self.release = tools / "release"
        bin = tools / "bin"
        bin.mkdir()
        for name in ("setup", "monitor", "integrate", "worker", "retro"):
            (bin / f"pw-{name}").symlink_to(helper)
        home = tools / "home"
        home.mkdir()
        self.env = {
            "PATH": f"{bin}:{ROOT / 'target/peers/bin'}:{os.environ['PATH']}",
            "HOME": str(home),
            "CLAUDE_PLUGIN_DATA": str(tools / "data"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C.UTF-8",
        }
        (home / ".gitconfig").write_text("[user]\nname = Bench\nemail = bench@example.com\n")

    def has(self, name):
        return questions.has(self.env, name)

    def package(self, helper):
        """Makes the tree that users install: the guard is asked through its wrapper."""
        words = [ROOT / "scripts/release", "--helper", helper, "--to", self.release]
        # Nothing of it is kept: to compress it is what takes the time.
        quick = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.compression", "GIT_CONFIG_VALUE_0": "0"}
        subprocess.run(words, env=os.environ | quick, check=True, capture_output=True)
        wrapper = self.release / "bin/pw-setup"
        subprocess.run([wrapper, "--version"], env=self.env, check=True, capture_output=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    keys = [question.key for question in questions.QUESTIONS] + ["answers"]
    parser.add_argument("--only", metavar="KEYS", help=f"some of {','.join(keys)}")
    parser.add_argument("--at", metavar="SETTINGS", help="only in these repositories, as in S/16,M/16")
    parser.add_argument("--write", action="store_true", help="writes the page with what was measured, even if that is not all")
    parser.add_argument("--rounds", type=int, default=7, help="how often each command is run")
    parser.add_argument("--quick", action="store_true", help="once, in a tiny repository")
    parser.add_argument("--helper", type=pathlib.Path, help="the helpers in one program; else it is built as the wrapper does")
    parser.add_argument("--folder", help="where repositories are made; in memory where that can be")
    parser.add_argument("--install-peers", action="store_true", help="compiles worktrunk and clash into target/peers first")
    asked = parser.parse_args()
    asked.keys = asked.only.split(",") if asked.only else keys
    unknown = set(asked.keys) - set(keys)
    if unknown:
        parser.error(f"no question {', '.join(unknown)}")
    return asked


def build():
    words = ["cargo", "build", "--workspace", "--locked", "--profile", "plugin", "--bin", "pw"]
    subprocess.run(words, cwd=ROOT, check=True)
    return ROOT / "target/plugin/pw"


def main():
    asked = arguments()
    if asked.install_peers:
        for crate in PEERS.values():
            subprocess.run(["cargo", "install", "--locked", "--root", ROOT / "target/peers", crate], check=True)
    helper = (asked.helper or build()).resolve()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="bench-", dir=asked.folder or memory) as folder, tempfile.TemporaryDirectory() as tools:
        place = Place(pathlib.Path(folder), pathlib.Path(tools), helper)
        found = measure(place, helper, asked)
        written = page.page(place, ROOT, found, place.has)
    if (asked.only or asked.at or asked.quick) and not asked.write:
        print(written)
        return
    (ROOT / "docs/benchmarks.md").write_text(written)
    (ROOT / "docs/pictures/growth.svg").write_text(chart.growth(found))


def log(text):
    print(text, file=sys.stderr, flush=True)


def measure(place, helper, asked):
    """Returns results by question and setting, and of answers by setting."""
    bench = Bench(place.env, 1 if asked.quick else asked.rounds, log)
    wanted = [question for question in questions.QUESTIONS if question.key in asked.keys]
    if {"guard", "others"} & set(asked.keys):
        place.package(helper)
    weighed = questions.WEIGHED if "answers" in asked.keys else []
    tiny = Setting("T", 2)
    settings = dict.fromkeys(sum((question.settings for question in wanted), []) + weighed)
    found = page.Found({}, {})
    if asked.at:
        chosen = set(asked.at.split(","))
        settings = [setting for setting in settings if chosen & {str(setting), setting.name}]
    for setting in [tiny] if asked.quick else settings:
        log(f"{setting}: is made")
        repo = Repository(place.folder / setting.folder, setting, place.env, place.folder / "bases").create()
        if setting in weighed or asked.quick and weighed:
            found.answers[str(setting)] = weigh(place, bench, repo)
        for question in wanted:
            if asked.quick or setting in question.settings:
                log(f"{setting}: {question.key}")
                rounds = None if asked.quick else question.rounds
                found.results[question.key, str(setting)] = bench.alternate(repo.root, question.ways(place, repo), rounds)
        repo.remove()
    return found


def weigh(place, bench, repo):
    """Returns rows: the command, bytes, peak memory, processes of git, seconds."""
    rows = []
    ways = questions.answers(place, repo)
    times = bench.alternate(repo.root, ways)
    for way in ways:
        printed, memory = bench.answer(way, repo.root)
        rows.append((way.name, len(printed), memory, bench.processes(place.folder, way, repo.root), times[way.name].wall))
    return rows


if __name__ == "__main__":
    if shutil.which("git") is None:
        sys.exit("git is not on PATH")
    main()
