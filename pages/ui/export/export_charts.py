"""Bytes as areas and as tables: what a packed file is made of, next to the paper's arithmetic."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from core import api
from pages.ui.palette import BLUE, GREY, ORANGE, ink

MIB = 2**20
# Codes are blue, whatever is a float is grey or orange; every field carries its name and bytes.
COLOURS = {
    "word embedding": BLUE,
    "encoder matrices": BLUE,
    "pooler": BLUE,
    "scales": ORANGE,
}


def treemap(seen: api.Inspected, dark: bool) -> go.Figure:
    """Every byte of the file as area: groups, and the parts inside them."""
    groups: dict[str, int] = {}
    for part in seen.parts:
        groups[part.group] = groups.get(part.group, 0) + part.size_bytes
    several = {g for g in groups if sum(part.group == g for part in seen.parts) > 1}
    inner = [part for part in seen.parts if part.group in several]
    names = [*groups, *(part.name for part in inner)]
    owners = [*("" for _ in groups), *(part.group for part in inner)]
    values = [*groups.values(), *(part.size_bytes for part in inner)]
    colours = [COLOURS.get(owner or name, GREY) for owner, name in zip(owners, names, strict=True)]
    figure = go.Figure(
        go.Treemap(
            ids=[f"{owner}/{name}" for owner, name in zip(owners, names, strict=True)],
            labels=names,
            parents=[f"/{owner}" if owner else "" for owner in owners],
            values=values,
            branchvalues="total",
            marker={
                "colors": colours,
                "line": {"width": 2, "color": "#262730" if dark else "#fff"},
            },
            texttemplate="%{label}<br>%{customdata}",
            customdata=[size(value) for value in values],
            hovertemplate="%{label}<br>%{value:,} bytes<br>%{percentRoot:.1%}<extra></extra>",
            textfont={
                "size": 16,
                "color": ["#FFFFFF" if c == BLUE else "#000000" for c in colours],
            },
            tiling={"pad": 2},
            pathbar={"visible": False},
        )
    )
    return figure.update_layout(
        height=380,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        font={"color": ink(dark)},
    )


def size(size_bytes: int) -> str:
    """Bytes as people read them: MiB, KiB, or bytes."""
    if size_bytes >= MIB / 10:
        return f"{size_bytes / MIB:.2f} MiB"
    return f"{size_bytes / 1024:.1f} KiB" if size_bytes >= 1024 else f"{size_bytes} bytes"


def arithmetic_table(seen: api.Inspected) -> pd.DataFrame:
    """The paper's rows: numbers, MiB in float32, MiB by arithmetic, bytes in this file."""
    found: dict[str, int] = {}
    for part in seen.parts:
        found[part.group] = found.get(part.group, 0) + part.size_bytes
    rows = [
        {
            "part": row.group,
            "numbers": row.numbers,
            "float32 (MiB)": row.size_bytes_float32 / MIB,
            "by arithmetic (MiB)": row.size_bytes / MIB,
            "in the file (MiB)": found.pop(row.group, 0) / MIB,
        }
        for row in seen.expected
    ]
    rows += [{"part": name, "in the file (MiB)": left / MIB} for name, left in found.items()]
    table = pd.DataFrame(rows).fillna(0)  # the arithmetic has no bytes for a head or a header
    total = {column: table[column].sum() for column in table.columns if column != "part"}
    return pd.concat([table, pd.DataFrame([{"part": "all", **total}])], ignore_index=True)


def formats_table(formats: Sequence[api.Inspected], chosen: api.ExportKind) -> pd.DataFrame:
    """One row for each way to write the file."""
    return pd.DataFrame(
        [
            {
                "": "●" if (one.codes, one.leftovers) == (chosen.codes, chosen.leftovers) else "",
                "codes": one.codes,
                "leftovers": one.leftovers,
                "MiB": one.size_bytes / MIB,
                "times smaller": one.size_bytes_float32 / one.size_bytes,
                "bytes": one.size_bytes,
            }
            for one in formats
        ]
    )


def parts_table(seen: api.Inspected) -> pd.DataFrame:
    """The twin of the treemap."""
    rows = [
        {"group": part.group, "part": part.name, "bytes": part.size_bytes} for part in seen.parts
    ]
    return pd.DataFrame(rows).sort_values("bytes", ascending=False)


def times_table(measured: api.Measured) -> pd.DataFrame:
    """One row a shape: medians with the middle half's width, and the ratios."""
    return pd.DataFrame(
        [
            {
                "texts x tokens": f"{shape.batch} x {shape.tokens}",
                "torch FP32 (ms)": f"{shape.torch_ms:.2f} ± {shape.torch_spread_ms / 2:.2f}",
                "ONNX Runtime FP32 (ms)": f"{shape.onnx_fp32_ms:.2f} ± "
                f"{shape.onnx_fp32_spread_ms / 2:.2f}",
                "ternary (ms)": f"{shape.ternary_ms:.2f} ± {shape.ternary_spread_ms / 2:.2f}",
                "against torch": f"{shape.ratio_torch:.1f}x faster",
                "against ONNX": f"{shape.ratio_onnx:.1f}x faster",
            }
            for shape in measured.shapes
        ]
    )
