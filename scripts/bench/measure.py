"""Commands in alternation: each round runs every one of them once, beginning with another one each time."""

import dataclasses
import pathlib
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable


@dataclasses.dataclass
class Way:
    """One way to get something done."""

    name: str
    # Words to execute, or a script for bash.
    command: list[str] | str
    prepare: Callable[[], object] | None = None
    cwd: pathlib.Path | None = None
    stdin: bytes = b""

    def words(self):
        return ["bash", "-ec", self.command] if isinstance(self.command, str) else self.command


@dataclasses.dataclass
class Result:
    """What rounds of one way came to; times in seconds."""

    walls: list[float] = dataclasses.field(default_factory=list)
    cpus: list[float] = dataclasses.field(default_factory=list)

    @property
    def wall(self):
        return statistics.median(self.walls)

    @property
    def cpu(self):
        return statistics.median(self.cpus)


class Bench:
    """Runs ways in an environment."""

    def __init__(self, env, rounds, log, most=60):
        self.env, self.rounds, self.log, self.most = env, rounds, log, most

    def once(self, way, cwd):
        if way.prepare:
            way.prepare()
        began, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            way.words(), cwd=way.cwd or cwd, env=self.env, input=way.stdin, capture_output=True, check=False
        )
        wall, ended = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise SystemExit(f"{way.name}: {done.returncode} {done.stdout[-600:]} {done.stderr[-600:]}")
        return wall, ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime

    def alternate(self, cwd, ways, rounds=None):
        """Returns a result for each way. One that took too long in all is left out of later rounds."""
        rounds = rounds or self.rounds
        results = {way.name: Result() for way in ways}
        # A first round fills caches; of what takes long it is one of the rounds, and of one it is the one.
        for at in range(-1 if rounds > 1 else 0, rounds):
            first = at % len(ways)
            for way in ways[first:] + ways[:first]:
                result = results[way.name]
                if sum(result.walls) > self.most:
                    continue
                wall, cpu = self.once(way, cwd)
                if at == -1 and wall < self.most / 4:
                    continue
                result.walls.append(wall)
                result.cpus.append(cpu)
        for name, result in results.items():
            self.log(f"  {name}: {milliseconds(result.wall)} (CPU {milliseconds(result.cpu)}), {len(result.walls)} rounds")
        return results

    def processes(self, folder, way, cwd):
        """Counts the processes of git that a way starts."""
        shim, count = folder / "counting", folder / "count"
        git = next(p for p in (pathlib.Path(p) / "git" for p in self.env["PATH"].split(":")) if p.is_file())
        shim.mkdir(exist_ok=True)
        (shim / "git").write_text(f'#!/bin/sh\necho >>"{count}"\nexec "{git}" "$@"\n')
        (shim / "git").chmod(0o755)
        count.write_text("")
        counting = Bench(self.env | {"PATH": f"{shim}:{self.env['PATH']}"}, 1, self.log)
        counting.once(way, cwd)
        return len(count.read_text().split("\n")) - 1

    def answer(self, way, cwd):
        """Returns what a way prints, and the memory of its largest process in bytes."""
        # A child begins with the memory of who starts it: that should be a small one.
        words = [sys.executable, "-S", "-c", LARGEST, *way.words()]
        done = subprocess.run(words, cwd=way.cwd or cwd, env=self.env, input=way.stdin, capture_output=True, check=True)
        return done.stdout, int(done.stderr.split()[-1]) * 1024


# Prints to stderr the kilobytes of the largest process of those that a command was.
LARGEST = """
import os, sys
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
print(os.wait4(pid, 0)[2].ru_maxrss, file=sys.stderr)
"""


def milliseconds(seconds):
    value = seconds * 1000
    return f"{value:,.1f} ms" if value < 20 else f"{value:,.0f} ms"
