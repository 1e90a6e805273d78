"""The way into a class: an address, and the same as a QR code to point a phone at."""

import io
from urllib.parse import urlencode

import segno

MODULE_PIXELS, QUIET_MODULES = 8, 4  # of a square of the code, and of the white around it


def address(server: str, code: str) -> str:
    """The address that lets somebody join the class of that code; `server` is where the app is."""
    return f"{server.rstrip('/')}/lessons?{urlencode({'class': code})}"


def qr_svg(text: str) -> str:
    """The QR code of a text, black on white in every theme, as SVG."""
    svg = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(
        svg,
        kind="svg",
        scale=MODULE_PIXELS,
        border=QUIET_MODULES,
        dark="black",
        light="white",
        xmldecl=False,
    )
    return svg.getvalue().decode()
