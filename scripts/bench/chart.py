"""The chart docs/pictures/growth.svg: time of status as workers, files and commits grow; both scales are logarithmic."""

import html
import math
import re

import questions

# The standard of docs/pictures: readable on white and on nearly black.
STYLE = """\
text{font:13px system-ui,sans-serif;fill:#1f2328}.q{fill:#59636e}.h{font-weight:bold}
path,line{fill:none;stroke:#59636e}path{stroke-width:2.2}.f{stroke:#d1d9e0}.s0{stroke:#0969da}.s1{stroke:#7d4e00}.s2{stroke:#116329}
.s3{stroke:#8250df}.s4{stroke:#59636e;stroke-dasharray:4 4}circle{stroke:none}.d0{fill:#0969da}.d1{fill:#7d4e00}.d2{fill:#116329}
.d3{fill:#8250df}.d4{fill:#59636e}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.q{fill:#9198a1}path,line{stroke:#9198a1}.f{stroke:#3d444d}.s0{stroke:#4493f8}
.s1{stroke:#e3b341}.s2{stroke:#4ac26b}.s3{stroke:#ab7df8}.s4{stroke:#9198a1}.d0{fill:#4493f8}.d1{fill:#e3b341}.d2{fill:#4ac26b}
.d3{fill:#ab7df8}.d4{fill:#9198a1}}"""
WIDTH, HEIGHT, PANEL, GAP, TOP, LEFT = 860, 372, 234, 40, 62, 64
BOTTOM = HEIGHT - 44


def growth(found):
    """Draws what was measured of the question `status`."""
    panels = [(what, rows) for what, settings in questions.GROWTH if (rows := measured(found, what, settings))]
    walls = [wall for _, rows in panels for _, ways in rows for wall in ways.values()]
    low, high = math.floor(math.log10(min(walls))), math.ceil(math.log10(max(walls)))

    def y(seconds):
        return BOTTOM - (math.log10(seconds) - low) / (high - low) * (BOTTOM - TOP)

    names = list(dict.fromkeys(name for _, rows in panels for _, ways in rows for name in ways))
    drawn = [legend(names)]
    for at, (what, rows) in enumerate(panels):
        left = LEFT + at * (PANEL + GAP)
        ticks = [10.0**power for power in range(low, high + 1)]
        drawn += [line(left, y(tick), left + PANEL, y(tick)) for tick in ticks]
        if at == 0:
            drawn += [label(left - 8, y(tick) + 4, seconds(tick), "q", "end") for tick in ticks]
        drawn.append(label(left + PANEL / 2, HEIGHT - 6, what, "h", "middle"))
        drawn += series(rows, names, left, y)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
        f"<title>Time of status with workers, files and commits</title><style>{STYLE}</style>\n" + "\n".join(drawn) + "\n</svg>\n"
    )


def measured(found, what, settings):
    """Pairs of what grows and the times of each way."""
    def amount(setting):
        return {"workers": setting.workers, "files": setting.files}.get(what, setting.commits)

    rows = [(amount(setting), found.results.get(("status", str(setting)))) for setting in settings]
    return [(at, {name: result.wall for name, result in ways.items()}) for at, ways in rows if ways]


def series(rows, names, left, y):
    first, last = math.log(rows[0][0]), math.log(rows[-1][0])

    def x(amount):
        return left + 12 + (math.log(amount) - first) / ((last - first) or 1) * (PANEL - 24)

    drawn = [label(x(amount), BOTTOM + 18, f"{amount:,}", "q", "middle") for amount, _ in rows]
    for at, name in enumerate(names):
        points = [(x(amount), y(ways[name])) for amount, ways in rows if name in ways]
        way = " ".join(f"{'M' if first else 'L'}{px:.1f} {py:.1f}" for first, (px, py) in zip([True] + [False] * 9, points))
        drawn.append(f'<path class="s{at}" d="{way}"/>')
        drawn += [f'<circle class="d{at}" cx="{px:.1f}" cy="{py:.1f}" r="3.4"/>' for px, py in points]
    return drawn


def legend(names):
    parts, left = [], LEFT
    for at, name in enumerate(re.split("[:,]| --", name)[0] for name in names):
        parts.append(f'<path class="s{at}" d="M{left} 22h22"/>' + label(left + 28, 26, name))
        left += 46 + 6.6 * len(name)
    return "".join(parts)


def line(x1, y1, x2, y2):
    return f'<line class="f" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def label(x, y, text, kind="", anchor="start"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def seconds(value):
    return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"
