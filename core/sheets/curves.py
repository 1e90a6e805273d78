"""Lines over the steps as SVG text. Colours never stand alone: each line has dashes of its own and
its name at its end."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 260, 56, 190, 14, 40
BLUE, ORANGE, GREY, INK = "#0072B2", "#B87A00", "#767676", "#0e1117"
CLOTHES = (
    *((BLUE, ""), (ORANGE, "7 4"), ("#008060", "2 3"), ("#A0467C", "10 3 2 3")),
    *(("#D55E00", "1 4"), (INK, "12 4")),
)
LETTER_HEIGHT = 15.0
POINTS = 200  # of a line: more are not seen on paper


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line by its points, (step, value); `clothes` are its colour and its dashes."""

    name: str
    points: tuple[tuple[float, float], ...]
    clothes: tuple[str, str]


def dressed(named: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> list[Line]:
    """Lines in the colours and dashes that stand for nothing."""
    return [
        Line(name=name, points=tuple(points), clothes=CLOTHES[number % len(CLOTHES)])
        for number, (name, points) in enumerate(named)
    ]


def draw(lines: Sequence[Line], title: str, unit: str, log: bool = False) -> str:
    """The picture. On a logarithmic axis only values above zero are drawn."""
    lines = [_kept(line, log) for line in lines]
    lines = [line for line in lines if line.points]
    if not lines:
        return ""
    across, up = _scales(lines, log)
    parts = [_axes(across, up, unit)]
    ends = _apart([up.of(line.points[-1][1]) for line in lines])
    for line, y in zip(lines, ends, strict=True):
        parts.append(_line(line, across, up, y))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + BOTTOM}" '
        f'role="img" width="{WIDTH}" height="{HEIGHT + BOTTOM}" '
        'font-family="system-ui, sans-serif" font-size="13">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>\n"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """From values to pixels, and the values that are written at the axis."""

    of: Callable[[float], float]
    marks: tuple[float, ...]


def _kept(line: Line, log: bool) -> Line:
    points = [point for point in line.points if math.isfinite(point[1])]
    points = [point for point in points if point[1] > 0] if log else points
    every = max(1, math.ceil(len(points) / POINTS))
    last = points[-1:] if (len(points) - 1) % every else []
    return Line(name=line.name, points=(*points[::every], *last), clothes=line.clothes)


def _scales(lines: Sequence[Line], log: bool) -> tuple[_Scale, _Scale]:
    xs = [x for line in lines for x, _ in line.points]
    ys = [math.log10(y) if log else y for line in lines for _, y in line.points]
    low, high = min(ys), max(ys)
    room = 0.06 * (high - low) or 0.5
    low, high = low - room, high + room
    first, last = 0.0, max(*xs, 1.0)

    def across(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (x - first) / (last - first)

    def up(y: float) -> float:
        value = math.log10(y) if log else y
        return TOP + (HEIGHT - TOP) * (high - value) / (high - low)

    if log:
        marks = tuple(10.0**power for power in range(math.ceil(low), math.floor(high) + 1))
    else:
        marks = tuple(ticks(low, high))
    return _Scale(of=across, marks=tuple(ticks(first, last))), _Scale(of=up, marks=marks)


def _axes(across: _Scale, up: _Scale, unit: str) -> str:
    parts = []
    for mark in up.marks:
        y = up.of(mark)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{GREY}">{mark:g}</text>'
        )
    parts += [
        f'<text x="{across.of(mark):.1f}" y="{HEIGHT + 18}" text-anchor="middle" '
        f'fill="{GREY}">{mark:g}</text>'
        for mark in across.marks
    ]
    parts.append(
        f'<text x="{LEFT}" y="{HEIGHT + 34}" fill="{GREY}">across: step · up: {escape(unit)}</text>'
    )
    return "".join(parts)


def _line(line: Line, across: _Scale, up: _Scale, y: float) -> str:
    colour, dashes = line.clothes
    points = " ".join(f"{across.of(x):.1f},{up.of(value):.1f}" for x, value in line.points)
    end = across.of(line.points[-1][0])
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" '
        f'stroke-dasharray="{dashes}"/>'
        f'<text x="{end + 8:.1f}" y="{y + 4:.1f}" fill="{colour}">{escape(line.name)}</text>'
    )


def _apart(ends: Sequence[float]) -> list[float]:
    """The heights of the names, none over another: pushed down in order of height."""
    found = list(ends)
    floor = -math.inf
    for place in sorted(range(len(found)), key=found.__getitem__):
        found[place] = floor = max(found[place], floor + LETTER_HEIGHT)
    return found


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers from low to high."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough)
    first = math.ceil(low / step)
    return [round(number * step, 10) for number in range(first, math.floor(high / step) + 1)]
