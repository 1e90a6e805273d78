"""One session of the app, as a browser has it: a websocket that speaks Streamlit's protobuf.

`BackMsg` goes out (what was changed, on which page), `ForwardMsg` come back until the script is
finished. Fragments that draw themselves again (`run_every`) do so here too, on the visitor's own
clock, as the browser's timer would.
"""

import asyncio
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

ANSWER_SECONDS = 120.0
EARLY = ForwardMsg.FINISHED_EARLY_FOR_RERUN
PART = ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
FAILED = ForwardMsg.FINISHED_WITH_COMPILE_ERROR


class Visitor:
    """A session. `errors` holds what it was shown that nobody should see."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.page_name, self.page_hash = "", ""
        self.query: dict[str, list[str]] = {}
        self.widgets: dict[str, Any] = {}  # id to element
        self.values: dict[str, WidgetState] = {}
        self.timers: dict[str, asyncio.Task] = {}
        self.turn = asyncio.Lock()
        self.errors: list[str] = []

    @classmethod
    async def arrive(cls, address: str) -> "Visitor":
        """Open a session on the server at `address` (http://...)."""
        stream = f"{address.replace('http', 'ws', 1)}/_stcore/stream"
        socket = await connect(stream, subprotocols=["streamlit"], max_size=None, ping_timeout=None)
        return cls(socket)

    async def leave(self) -> None:
        """Close the tab, once the redraw under way has finished."""
        self._stop_timers()
        async with self.turn:
            await self.socket.close()

    async def open(self, page: str, **query: str) -> float:
        """Go to a page, by the navigation; seconds until it stood."""
        self._stop_timers()
        self.page_name, self.page_hash = page, ""
        self.query = {name: [value] for name, value in query.items()}
        self.values.clear()
        return await self._ask()

    async def change(self, key: str, value: Any) -> float:
        """Set the widget of that key; seconds until the page stood again."""
        widget = self._widget(key)
        state = WidgetState(id=widget.id)
        if isinstance(value, bool):
            state.bool_value = value
        elif isinstance(value, list):
            state.string_array_value.data.extend(str(one) for one in value)
        elif isinstance(value, int | float):
            state.double_value = value
        else:
            state.string_value = value
        self.values[widget.id] = state
        if name := getattr(widget, "query_param_key", ""):  # the browser writes these
            self.query[name] = [str(one) for one in (value if isinstance(value, list) else [value])]
        return await self._ask()

    async def press(self, label: str) -> float:
        """Press a button; seconds until the page stood again."""
        found = [w for w in self.widgets.values() if getattr(w, "label", "") == label]
        return await self._ask(pressed=WidgetState(id=found[0].id, trigger_value=True))

    def has(self, key: str) -> bool:
        """Whether the page has a widget of that key."""
        return any(name.endswith(f"-{key}") for name in self.widgets)

    def options(self, key: str) -> list[str]:
        """What a selectbox offers, in its words."""
        return list(self._widget(key).options)

    def _widget(self, key: str) -> Any:
        found = [w for name, w in self.widgets.items() if name.endswith(f"-{key}")]
        if not found:
            raise LookupError(f"{self.page_name} has no {key}; it said {self.errors}")
        return found[0]

    async def _ask(self, pressed: WidgetState | None = None, fragment: str = "") -> float:
        began = time.perf_counter()
        async with self.turn:
            if fragment and fragment not in self.timers:
                return 0.0  # while this waited for its turn the page was drawn without it
            message = BackMsg()
            state = message.rerun_script
            state.page_script_hash = self.page_hash
            state.page_name = "" if self.page_hash else self.page_name
            state.query_string = urlencode(self.query, doseq=True)
            state.fragment_id, state.is_auto_rerun = fragment, bool(fragment)
            state.widget_states.widgets.extend(
                [*self.values.values(), *([pressed] if pressed else [])]
            )
            state.context_info.timezone = "UTC"
            state.context_info.color_scheme = "light"
            await self.socket.send(message.SerializeToString())
            try:
                await asyncio.wait_for(self._listen(), ANSWER_SECONDS)
            except TimeoutError:
                self.errors.append(f"{self.page_name}: no answer within {ANSWER_SECONDS:.0f} s")
        return time.perf_counter() - began

    async def _listen(self) -> None:
        """Take in what comes until the script is finished. Whoever asked for a fragment may get
        the whole page, when the fragment wants that."""
        drawn: dict[str, Any] = {}
        timed: dict[str, Any] = {}
        while True:
            message = ForwardMsg.FromString(await self.socket.recv(decode=False))
            kind = message.WhichOneof("type")
            if kind == "delta":
                drawn |= {widget.id: widget for widget in self._seen(message)}
            elif kind == "auto_rerun":
                timed[message.auto_rerun.fragment_id] = message.auto_rerun
            elif kind == "script_finished" and message.script_finished == EARLY:
                drawn, timed = {}, {}
            elif kind == "script_finished":
                self._stands(message.script_finished, drawn, timed)
                return
            self._follow(kind, message)

    def _stands(self, finished: Any, drawn: dict[str, Any], timed: dict[str, Any]) -> None:
        """The page, or a part of it, is there with these widgets and timers."""
        if finished == FAILED:
            self.errors.append(f"{self.page_name}: does not compile")
        if finished == PART:
            drawn = self.widgets | drawn
        else:
            self._stop_timers(but=timed)
        self.widgets = drawn
        for wanted in timed.values():
            self._start_timer(wanted)

    def _follow(self, kind: str | None, message: ForwardMsg) -> None:
        """What a browser does with a message beside drawing it."""
        if kind == "navigation":
            self.page_hash = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = parse_qs(message.page_info_changed.query_string)
        elif kind == "page_not_found":
            self.errors.append(f"{self.page_name}: there is no such page")

    def _seen(self, message: ForwardMsg) -> Iterator[Any]:
        """The widgets of a delta; exceptions and error boxes are noted."""
        if message.delta.WhichOneof("type") != "new_element":
            return
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        inside = getattr(element, kind or "", None)
        if kind == "exception":
            self.errors.append(f"{self.page_name}: {inside.type}: {inside.message}")
        elif kind == "alert" and inside.format == inside.ERROR:
            self.errors.append(f"{self.page_name}: {inside.body}")
        if getattr(inside, "id", ""):
            yield inside

    def _start_timer(self, wanted: Any) -> None:
        if wanted.fragment_id not in self.timers:
            again = self._again(wanted.fragment_id, wanted.interval)
            self.timers[wanted.fragment_id] = asyncio.create_task(again)

    def _stop_timers(self, but: Collection[str] = ()) -> None:
        for fragment in self.timers.keys() - set(but):
            self.timers.pop(fragment).cancel()

    async def _again(self, fragment: str, seconds: float) -> None:
        with suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(seconds)
                await asyncio.shield(self._ask(fragment=fragment))
