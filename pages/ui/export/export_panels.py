"""The parts of the Export page: its bytes, taking it away, reading it back, the race."""

from collections.abc import Generator

import pandas as pd
import streamlit as st

from core import api
from core.events import Preparing
from core.runs.run_store import Run
from pages.ui import cached, state, url_state
from pages.ui.export import export_charts
from pages.ui.formatting import plain, size
from pages.ui.glossary import TERMS

DOWNLOADS = (
    ("packed", "Packed file", "Codes, scales, leftovers, and how they came about. Opens anywhere "
     "that safetensors does; described to the bit in docs/FORMAT.md."),
    ("folder", "Hugging Face folder", "ZIP: packed file, config, tokenizer, model card, and a "
     "snippet that predicts. The student is scored as stored first; that takes some seconds."),
    ("onnx", "ONNX, int8", "Computes as integers in any runtime with opset 17. Four times the "
     "bytes: one for each code."),
    ("onnx-int2", "ONNX, INT2", "Ternary codes as two bits, opset 25. Small, but ONNX Runtime "
     "unpacks them again for every text, so it is slow there."),
    ("snippet", "predict.py", "Predicts from the packed file and tokenizer.json with numpy; no "
     "torch, nothing of this project."),
)  # fmt: skip


def choose_format() -> api.ExportKind:
    """Codes and leftovers of the packed file."""
    codes = url_state.segments("Codes", api.LAYOUTS, "2-bit", "codes", TERMS["codes"])
    leftovers = url_state.segments(
        "Leftovers", api.LEFTOVERS, "float16", "leftovers", TERMS["leftovers"]
    )
    return api.ExportKind(kind="packed", codes=codes, leftovers=leftovers)


def headline(seen: api.Inspected, run: Run) -> None:
    """The outcome in one line."""
    left, middle, right = st.columns(3)
    left.metric("In float32", f"{seen.size_bytes_float32 / 2**20:.2f} MiB")
    middle.metric("Packed file", f"{seen.size_bytes / 2**20:.2f} MiB")
    right.metric("Times smaller", f"{seen.size_bytes_float32 / seen.size_bytes:.1f}x")
    if text := other_size(seen, run):
        st.caption(plain(text))


def other_size(seen: api.Inspected, run: Run) -> str:
    """Why this file is not as large as the other pages say; "" where it is."""
    if run.result is None or seen.size_bytes == run.result.size_bytes_packed:
        return ""
    return (
        f"This file has {seen.codes} codes and leftovers in {seen.leftovers}. The run itself keeps "
        f"2-bit codes and leftovers in float32, {run.result.size_bytes_packed / 2**20:.2f} MiB: "
        "that is the size on the other pages."
    )


def areas(seen: api.Inspected) -> None:
    """The treemap and its table."""
    st.markdown("**Every byte has its place.** Blue are codes; what stays float is what is left.")
    st.plotly_chart(
        export_charts.treemap(seen, state.is_dark()),
        alt="Treemap of the packed file's bytes by part; the same numbers are in the table below.",
        key="bytes",
        config={"displayModeBar": False},
    )
    st.caption("Read from the file's own header; the areas sum to its size, header included.")
    with st.expander("As a table"):
        st.dataframe(
            export_charts.parts_table(seen),
            hide_index=True,
            column_config={"bytes": st.column_config.NumberColumn(format="localized")},
        )


def arithmetic(seen: api.Inspected) -> None:
    """The file against the paper's arithmetic, and all formats side by side."""
    table = export_charts.arithmetic_table(seen)
    of_mib = [name for name in table.columns if "MiB" in name]
    styled = table.style.format("{:.3f}", subset=pd.Index(of_mib)).format(
        "{:,.0f}", subset=pd.Index(["numbers"])
    )
    st.dataframe(styled, hide_index=True)
    st.caption(
        "By arithmetic: one code a weight, the scales of the recipe, the rest in float; it "
        "knows neither task head nor header. For the paper's BERT-base the same arithmetic gives "
        "417.64 MiB in float32 and 28.07 MiB at 2-2-8 bits: 14.88 times smaller."
    )


def formats(run: Run, chosen: api.ExportKind) -> None:
    """All ways to write this student."""
    found = [
        cached.inspected(api.source_of_run(run), api.ExportKind(codes=codes, leftovers=leftovers))
        for codes in api.LAYOUTS
        for leftovers in api.LEFTOVERS
    ]
    number = st.column_config.NumberColumn
    st.dataframe(
        export_charts.formats_table(found, chosen),
        hide_index=True,
        column_config={
            "": st.column_config.TextColumn(width=30),
            "MiB": number(format="%.3f"),
            "times smaller": number(format="%.2f"),
            "bytes": number(format="localized"),
        },
    )


def downloads(run: Run, chosen: api.ExportKind) -> None:
    """A button for each kind of file; it is made when the button is pressed."""
    for kind, label, told in DOWNLOADS:
        wanted = api.ExportKind(kind=kind, codes=chosen.codes, leftovers=chosen.leftovers)
        left, right = st.columns([1, 3], vertical_alignment="center")
        left.download_button(
            label,
            lambda wanted=wanted: api.export_bytes(run, wanted),
            file_name=api.export_name(run, wanted),
            mime="application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
            key=f"download-{kind}",
        )
        right.caption(told)


def read_back(run: Run, chosen: api.ExportKind) -> None:
    """Write the file, read it, compare; a tick for what was found equal. Raises InputError."""
    for check in cached.read_back(api.source_of_run(run), chosen):
        if check.ok:
            st.markdown(
                f":green[:material/check_circle:] **{plain(check.what)}**: {plain(check.detail)}"
            )
        else:
            st.error(f"**{plain(check.what)}**: {plain(check.detail)}", icon=":material/error:")


def race(run: Run) -> None:
    """Time and memory on the server's own machine, when asked for. Raises InputError."""
    if not api.engine_is_installed():
        st.info(
            "The engine is an extra. Install it with `pip install -r requirements-engine.txt` and "
            "start the app again.",
            icon=":material/extension:",
        )
        return
    cores = api.cores()
    threads = url_state.segments("Threads", range(1, min(cores, 8) + 1), 1, "threads")
    asked = st.button("Measure on this machine", icon=":material/speed:")
    measured = cached.on_demand(asked, ("race", run.run_id, threads), lambda: _racing(run, threads))
    if measured is None:
        return
    st.dataframe(export_charts.times_table(measured), hide_index=True)
    memory = measured.memory
    sizes = (
        ("torch FP32", memory.torch_bytes),
        ("ONNX Runtime FP32", memory.onnx_fp32_bytes),
        ("ternary", memory.ternary_bytes),
    )
    st.dataframe(
        pd.DataFrame([{"model": name, "memory": size(used)} for name, used in sizes]),
        hide_index=True,
    )
    machine = measured.machine
    st.caption(
        f"{plain(machine.processor)}, {machine.cores} cores, {machine.threads} threads. Medians of "
        "passes in turns in one process of its own; ± is half the width of the middle half. Memory "
        "is what that process grew by. A busy computer shows in the ±."
    )


def _racing(run: Run, threads: int) -> Generator[Preparing, None, api.Measured]:
    yield Preparing(text="Measuring, about half a minute ...")
    return api.race(run, threads)
