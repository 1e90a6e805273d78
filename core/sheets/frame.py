"""The frame of every sheet: one HTML file that a browser without a network shows, a mail carries
and a printer prints. Whatever others wrote is escaped."""

from collections.abc import Sequence
from html import escape

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
       color: #0e1117; background: #fff }
h1 { font-size: 1.9rem } h2 { font-size: 1.3rem; margin-top: 2.2rem; border-top: 1px solid #ccc;
     padding-top: 1rem }
dt { font-weight: 600 } dd { margin: 0 0 .6rem 0 } svg { max-width: 100%; height: auto }
table { border-collapse: collapse } th, td { text-align: left; padding: .2rem .9rem .2rem 0;
        border-bottom: 1px solid #ddd; vertical-align: top }
.verdict { padding: .5rem .8rem; border-left: 4px solid #0072b2; background: #f2f6fa }
.note { color: #444; font-size: .9rem } code { word-break: break-all }
@media print { body { margin: 0 } h2 { break-after: avoid } svg { break-inside: avoid } }
"""


def page(title: str, body: str, language: str = "en") -> str:
    """The file. `title` is text, `body` HTML."""
    return (
        f'<!doctype html>\n<html lang="{escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n{body}</body></html>\n"
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts."""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    lines = ("".join(f"<td>{escape(text)}</td>" for text in row) for row in rows)
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>"
        + "".join(f"<tr>{line}</tr>" for line in lines)
        + "</tbody></table>\n"
    )


def note(text: str) -> str:
    """A paragraph in small print."""
    return f'<p class="note">{escape(text)}</p>\n'


def verdict(text: str) -> str:
    """The paragraph that says what came out."""
    return f'<p class="verdict">{escape(text)}</p>\n'


def link(words: str, address: str, place: str) -> str:
    """A link to a place of the app, or the place as text where the app's address is not known."""
    if not address.startswith(("http://", "https://")):
        return f"<p>{escape(words)}: <code>{escape(place)}</code></p>\n"
    whole = f"{address.rstrip('/')}/{place}"
    return f'<p><a href="{escape(whole)}">{escape(words)}</a></p>\n'
