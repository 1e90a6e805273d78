"""The picture of a step as SVG text, for sheets: what was guessed and what came out on one axis.

The app draws the same picture with its own charts; a sheet must not need a program to be seen.
Colours never stand alone: my guess is a diamond, what came out a filled circle, the rest hollow.
"""

from html import escape

from core.lessons.catalogue import Words
from core.lessons.judging import error_at
from core.lessons.revealing import Revealed
from core.sheets.curves import ticks

WIDTH, LEFT, RIGHT, ROW, TOP, BOTTOM = 720, 260, 30, 34, 12, 40
CURVE_HEIGHT = 260
BLUE, GREY, VERMILION, INK = "#0072B2", "#767676", "#D55E00", "#0e1117"


def draw(revealed: Revealed, mine: float | None, title: str, words: Words) -> str:
    """The picture; of a cut that was dragged it is the curve of all cuts."""
    body, height = _rows(revealed, mine, words)
    if revealed.curve and mine is not None:
        body, height = _curve(revealed, mine, words)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" font-size="14">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def _rows(revealed: Revealed, mine: float | None, words: Words) -> tuple[str, int]:
    rows = [] if mine is None else [(words.picture.mine, mine, None, None, "mine")]
    rows += [
        (item.label, item.value, item.low, item.high, "main" if item.main else "beside")
        for item in revealed.items
    ]
    ends = [end for _, *numbers, _ in rows for end in numbers if end is not None]
    low, high = min(ends), max(ends)
    room = 0.08 * (high - low) or 1.0
    low, high = low - room, high + room

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low)

    unit = revealed.unit and words.picture.in_unit.format(unit=revealed.unit)
    parts = [_axis(low, high, TOP + ROW * len(rows) + 6, unit, x)]
    for number, (label, value, start, end, kind) in enumerate(rows):
        y = TOP + ROW * number + ROW / 2
        parts.append(
            f'<text x="{LEFT - 14}" y="{y + 5:.1f}" text-anchor="end" fill="{INK}">'
            f"{escape(label)}</text>"
        )
        if start is not None and end is not None:
            parts.append(
                f'<line x1="{x(start):.1f}" x2="{x(end):.1f}" y1="{y:.1f}" y2="{y:.1f}" '
                f'stroke="{_colour(kind)}" stroke-width="2"/>'
            )
        parts.append(_mark(x(value), y, kind, f"{label}: {revealed.said(value)}"))
    return "".join(parts), TOP + ROW * len(rows) + BOTTOM


def _colour(kind: str) -> str:
    return {"mine": VERMILION, "main": BLUE}.get(kind, GREY)


def _mark(x: float, y: float, kind: str, told: str) -> str:
    colour, title = _colour(kind), f"<title>{escape(told)}</title>"
    if kind == "mine":
        points = f"{x:.1f},{y - 8:.1f} {x + 8:.1f},{y:.1f} {x:.1f},{y + 8:.1f} {x - 8:.1f},{y:.1f}"
        return f'<polygon points="{points}" fill="{colour}">{title}</polygon>'
    fill = colour if kind == "main" else "#fff"
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{fill}" stroke="{colour}" '
        f'stroke-width="2">{title}</circle>'
    )


def _axis(low: float, high: float, y: float, unit: str, x) -> str:
    """A line with a few round numbers below it."""
    parts = [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GREY}"/>']
    parts += [
        f'<text x="{x(tick):.1f}" y="{y + 18:.1f}" text-anchor="middle" fill="{GREY}">'
        f"{tick:g}</text>"
        for tick in ticks(low, high)
    ]
    parts.append(
        f'<text x="{LEFT - 14}" y="{y + 18:.1f}" text-anchor="end" fill="{GREY}">'
        f"{escape(unit)}</text>"
    )
    return "".join(parts)


def _curve(revealed: Revealed, mine: float, words: Words) -> tuple[str, int]:
    high = revealed.curve[-1][0]
    floor = TOP + CURVE_HEIGHT

    def x(cut: float) -> float:
        return LEFT / 4 + (WIDTH - LEFT / 4 - RIGHT) * cut / high

    def y(error: float) -> float:
        return floor - CURVE_HEIGHT * min(error, 100.0) / 100

    line = " ".join(f"{x(cut):.1f},{y(error):.1f}" for cut, error in revealed.curve)
    parts = [f'<polyline points="{line}" fill="none" stroke="{GREY}" stroke-width="2"/>']
    marks = [(words.picture.mine, mine, "mine")]
    marks += [(i.label, i.value, "main" if i.main else "beside") for i in revealed.items]
    for number, (label, cut, kind) in enumerate(marks):
        error = error_at(revealed, cut)
        said = words.picture.at_cut.format(cut=f"{cut:.4f}", error=f"{error:.1f}")
        parts.append(_mark(x(cut), y(error), kind, f"{label}: {said}"))
        parts.append(_mark(WIDTH / 2, TOP + 14 + 24 * number, kind, label))
        parts.append(
            f'<text x="{WIDTH / 2 + 16:.1f}" y="{TOP + 19 + 24 * number}" fill="{INK}">'
            f"{escape(label)}: {escape(said)}</text>"
        )
    parts += [
        f'<text x="{x(tick):.1f}" y="{floor + 18}" text-anchor="middle" fill="{GREY}">'
        f"{tick:g}</text>"
        for tick in ticks(0.0, high)
    ]
    return "".join(parts), floor + BOTTOM
