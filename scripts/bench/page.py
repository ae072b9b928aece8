"""The page docs/benchmarks.md: a table for each question, the goals beside what was measured."""

import dataclasses
import os
import platform
import re
import subprocess
import textwrap

import questions
from measure import Result, milliseconds

HEAD = """\
# Benchmarks

Made by `python3 scripts/bench`, which says how: commands in alternation, medians. A time here says little about another
machine; **ratio** is the median of ours divided by the median of that row, and below 1 ours is quicker.

{machine}

Repositories are S (200 files), M (5,000), L (60,000), each with so many workers: M/16 has 16 worktrees of 5,000 files.
Sparse: the worktrees hold only the workers' own files. Every worker made 12 commits unless it says otherwise.

![Time of status with workers, files and commits](pictures/growth.svg)
"""


@dataclasses.dataclass
class Found:
    """Results of ways by question and setting; rows of answers by setting."""

    results: dict[tuple[str, str], dict[str, Result]]
    answers: dict[str, list[tuple]]


def page(place, root, found, has):
    parts = [HEAD.format(machine=wrapped(machine(place, root, has)))]
    for question in questions.QUESTIONS:
        tables = {setting: ways for (key, setting), ways in found.results.items() if key == question.key}
        if tables:
            parts.append(section(question, tables))
    if found.answers:
        parts.append(answers(found.answers))
    return "\n".join(parts)


def section(question, tables):
    missed, rows = [], []
    for setting, ways in tables.items():
        ours = next(iter(ways))
        goals = question.goals.get(setting, [])
        for at, (name, result) in enumerate(ways.items()):
            goal = next((goal for goal in goals if name.startswith(goal.way)), None)
            value = result.wall * 1000 if question.is_absolute else ways[ours].wall / result.wall
            shown = "" if question.is_absolute or at == 0 else f"{value:.2f}"
            rows.append([setting if at == 0 else "", quoted(name), milliseconds(result.wall), milliseconds(result.cpu)])
            rows[-1] += [] if question.is_absolute else [shown]
            rows[-1].append(wanted(goal, value, question.is_absolute))
            if goal and value > goal.most:
                missed.append((goal.limit, f"{setting} beside {quoted(name)}"))
    head = ["repository", "command", "time", "CPU"] + ([] if question.is_absolute else ["ratio"]) + ["goal"]
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    said = dict.fromkeys(limit for limit, _ in missed)
    notes = [f"Missed at {', '.join(at for it, at in missed if it == limit)}: {limit}." for limit in said]
    return f"## {question.title}\n\n" + "\n\n".join([wrapped(question.about), table(head, rows), *map(wrapped, notes)]) + "\n"


def quoted(name):
    """What can be run as it stands here is code."""
    return f"`{name}`" if name.startswith(("pw-", "wt ", "clash ", "git rev-parse")) and "," not in name else name


def wrapped(text):
    # No line ends inside a code span.
    whole = re.sub("`[^`]*`", lambda span: span[0].replace(" ", "\0"), text)
    return textwrap.fill(whole, 118, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def wanted(goal, value, is_absolute):
    if goal is None:
        return ""
    most = f"{goal.most:g} ms" if is_absolute else f"{goal.most:g}"
    return f"≤ {most}: {'met' if value <= goal.most else 'missed'}"


def answers(found):
    head = ["repository", "command", "bytes", "largest process", "processes of git", "time"]
    rows = []
    for setting, lines in found.items():
        for at, (name, size, memory, processes, wall) in enumerate(lines):
            shown = [f"{size:,}", f"{memory / 2**20:.0f} MiB", str(processes), milliseconds(wall)]
            rows.append([setting if at == 0 else "", f"`{name}`", *shown])
    return f"## What an answer costs\n\nBytes of JSON on stdout; peak memory, git's included.\n\n{table(head, rows)}\n"


def table(head, rows):
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 3) + ["---:" if head[-1] != "goal" else "---"], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine(place, root, has):
    """One sentence: what was measured, with what, on what."""
    def said(*words):
        done = subprocess.run(words, cwd=root, env=place.env, capture_output=True, text=True, check=False)
        return done.stdout.strip().split("\n")[0]

    model = "unknown processor"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    commit = said("git", "rev-parse", "--short=10", "HEAD") + (" with changes" if said("git", "status", "--porcelain") else "")
    peers = [said(name, "--version") for name in ("wt", "clash") if has(name)]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"Measured: commit {commit}, {said('git', 'version')}, {', '.join(peers) or 'no peers'}; "
        f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release().split('-')[0]}; load {load}."
    )
