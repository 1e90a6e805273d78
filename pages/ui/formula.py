"""A formula as wide as the window: on a phone a long line becomes several, broken where one would
break it by hand (at the wide spaces between equations, then before each "=" and each "+")."""

import re

import streamlit as st

from pages.ui import browser

_BETWEEN = re.compile(r"[,:]?\\quad\s*|,\\ (?=[A-Z])")
LONG = 44  # characters of LaTeX without its commands: about what fits beside each other

# KaTeX lets a fraction or an index at the end hang over by two pixels, which would make the line a
# region that scrolls; a thin space covers them.
TAIL = r"\,"
# Streamlit cuts off what is taller than KaTeX says, so tall lines get an invisible pillar.
PILLAR = r"\rule[-1.2em]{0em}{2.7em}"
_TALL = re.compile(r"\\(frac|sum)\b")


def draw(latex: str) -> None:
    """Draw a line of LaTeX."""
    for line in narrowed(latex) if browser.is_narrow() else [latex]:
        st.latex(line + (PILLAR if _TALL.search(line) else "") + TAIL)


def narrowed(latex: str) -> list[str]:
    """The formulas of a line, each broken further where it is long."""
    return [_broken(part) for part in _BETWEEN.split(latex) if part.strip()]


def _broken(formula: str) -> str:
    first, *sides = parts_at(formula, " = ")
    if not sides or _width(formula) < LONG / 2:
        return formula
    lines = [first] if _width(first) > LONG / 4 else []
    for side in sides:
        term, *terms = parts_at(side, " + ") if _width(side) > LONG / 2 else [side]
        lines += [f"= {term}", *(rf"\quad + {each}" for each in terms)]
    if _width(first) <= LONG / 4:
        lines[0] = f"{first} {lines[0]}"
    # Each line begins at the left, so that none is pushed over the edge by the others.
    return r"\begin{aligned} &" + r" \\ &".join(lines) + r" \end{aligned}"


def parts_at(formula: str, sign: str) -> list[str]:
    """The parts between signs that stand in no braces and in no parentheses."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(formula):
        depth += (letter in "{(") - (letter in "})")
        if depth == 0 and formula.startswith(sign, place):
            parts.append(formula[start:place])
            start = place + len(sign)
    return [*parts, formula[start:]]


def _width(formula: str) -> int:
    """Roughly how many letters stand beside each other."""
    above = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", lambda m: max(m[1], m[2], key=len), formula)
    return len(re.sub(r"\\[a-z]+|[{}\\^_ ]", "", above))
