"""Reads the source of the pages: does foreign text reach a function that takes Markdown?

An expression is our own when it is a literal, a constant of a module, a number, the result of
`plain` (or of another function that gives numbers or our own words), a text of the catalogue
(`words.page.title`: core/lessons/language_words.py lets nothing foreign in), or put together from
such. A variable is followed to what it was set to, a parameter to all calls, a function of the
pages to what it returns. Whatever cannot be followed counts as foreign: wrap it in `plain`.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path

from core import results
from core.lessons.catalogue import Words
from core.runs.runner import PROJECT

MARKDOWN = {
    *("markdown", "caption", "error", "warning", "info", "success", "header", "subheader", "write"),
    *("title", "metric", "button", "form_submit_button", "download_button", "checkbox", "toggle"),
    *("text_input", "text_area", "number_input", "selectbox", "multiselect", "segmented_control"),
    *("radio", "pills", "slider", "select_slider", "expander", "popover", "tabs", "progress"),
    *("spinner", "toast", "page_link", "file_uploader", "badge", "status"),
}
# Positional arguments that are Markdown, where it is not the first alone.
PLACES = {"metric": (0, 1, 2), "progress": (1,), "page_link": ()}
NAMED = {"label", "body", "text", "help", "value", "delta", "format_func"}
NAMED_OF = {"metric": NAMED}  # `value` of others is what a box holds, as it is
WITH_OPTIONS = {"segmented_control", "radio", "pills", "select_slider"}
OUR_OWN = {
    "plain",
    "prose",
    "code",
    "size",
    "percent",
    "scored",
    "duration",
    "metric_name",
    "len",
    "sum",
}
OUR_OWN |= {"int", "float", "round", "range", "mean"}
PASS_ON = {"str", "sorted", "list", "tuple", "reversed", "set", "min", "max", "enumerate", "zip"}
PASS_ON |= {"next", "iter", "fromkeys", "filter"}
OF_TEXT = {
    "capitalize",
    "lower",
    "upper",
    "strip",
    "removesuffix",
    "removeprefix",
    "split",
    "format",
}
# Of core/results.py: an int or a float with its range.
RANGED = "|".join(re.findall(r"^(\w+) = Annotated", Path(results.__file__).read_text(), re.M))
NUMBER = rf"(int|float|bool|{RANGED})"
NUMBERS = re.compile(rf"(tuple\[)?{NUMBER}(, ({NUMBER}|\.\.\.))*\]?( \| None)?")
NUMBER_FORMAT = re.compile(r"[-+,.\d]*[dfg%,]")
# Read by a person: ours, though it is not seen from here.
KNOWN = {
    "sentence(shown, job)": "of pages/ui/nearest_note.py: names and values go through plain",
    "watched_sentence(seen)": "the same",
    "against_teacher(run)": "of pages/ui/result_panels.py: numbers, and an error through plain",
    "_threads(result.machine)": "numbers of threads",
    "_program(result.machine)": "of pages/ui/result_panels.py: the version, through plain",
    "_program(card.machine)": "the same",
    "', and the scales' * own": "our own words, or none",
    "weight_sentences.owner(view)": "row or group",
    "in_bits(bits)": "a number of bits",
    "owner": "the same",
    "rules[chosen].title": "a rule's own title, from core/quantizers",
    "who.capitalize()": "a value of WHO",
    "rule.source": "a rule's own reference, from core/quantizers",
    "knob.label": "an option's own words, from core/recipes, or the label that a form gives",
    "knob.option.help": "an option's own words",
    "knob.choices": "what an option may be",
    "about.label": "an option's own words",
    "about.help": "the same",
    "switch.help": "the same",
    "preset.title": "a preset's own words, from core/recipes",
    "preset.about": "the same",
}

Sources = Mapping[str, str]


def read_pages() -> Sources:
    """Every file of the pages by its name."""
    paths = sorted((PROJECT / "pages").rglob("*.py"))
    return {str(path.relative_to(PROJECT)): path.read_text(encoding="utf-8") for path in paths}


@cache
def numbers() -> frozenset[str]:
    """Names of fields, properties and functions that are numbers wherever the engine has them."""
    kinds: dict[str, set[str]] = {}
    for path in (PROJECT / "core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                kinds.setdefault(node.target.id, set()).add(ast.unparse(node.annotation))
            elif isinstance(node, ast.FunctionDef) and node.returns:
                kinds.setdefault(node.name, set()).add(ast.unparse(node.returns))
    return frozenset(name for name, said in kinds.items() if all(map(NUMBERS.fullmatch, said)))


@cache
def catalogue() -> frozenset[tuple[str, str]]:
    """Table and name of every text of the lessons' catalogue."""
    tables = ((one.name, one.type) for one in fields(Words) if is_dataclass(one.type))
    return frozenset((table, one.name) for table, kind in tables for one in fields(kind))


def is_word(node: ast.Attribute) -> bool:
    """Whether it is a text of the catalogue: words.table.name."""
    table = node.value
    if not isinstance(table, ast.Attribute) or ast.unparse(table.value) != "words":
        return False
    return (table.attr, node.attr) in catalogue()


def findings(sources: Sources) -> list[str]:
    """Where foreign text reaches Markdown: "file:line: expression"."""
    reading = _Reading(sources)
    return [
        f"{name}:{value.lineno}: {ast.unparse(value)}"
        for name, tree in reading.trees.items()
        for call, function in _calls(tree)
        for value in _markdown_of(call)
        if not reading.is_ours(value, function, name)
    ]


def _calls(tree: ast.AST, function: ast.AST | None = None) -> Iterator[tuple[ast.Call, ast.AST]]:
    """Every call, with the function that it is in (else the module)."""
    for node in ast.iter_child_nodes(tree):
        inside = node if isinstance(node, ast.FunctionDef) else function or tree
        if isinstance(node, ast.Call):
            yield node, inside
        yield from _calls(node, inside)


def _markdown_of(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call that a browser takes as Markdown."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in MARKDOWN:
        return []
    name, owner = call.func.attr, ast.unparse(call.func.value)
    if name == "title" and owner != "st":
        return []
    named = NAMED_OF.get(name, NAMED - {"value"})
    if name in ("selectbox", "multiselect"):  # their options are text
        named = named - {"format_func"}
    found = [call.args[place] for place in PLACES.get(name, (0,)) if place < len(call.args)]
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    found += [value for arg, value in given.items() if arg in named]
    if name in WITH_OPTIONS and "format_func" not in given and len(call.args) > 1:
        found.append(call.args[1])
    return found


class _Reading:
    def __init__(self, sources: Sources) -> None:
        self.trees = {name: ast.parse(text) for name, text in sources.items()}
        self.functions: dict[str, list[tuple[str, ast.FunctionDef]]] = {}
        self.calls: dict[str, list[tuple[str, ast.Call, ast.AST]]] = {}
        for name, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    self.functions.setdefault(node.name, []).append((name, node))
            for call, inside in _calls(tree):
                self.calls.setdefault(_last(call.func), []).append((name, call, inside))
        self.busy: set[tuple[int, int]] = set()

    def is_ours(self, node: ast.AST, function: ast.AST, file: str) -> bool:
        """Whether an expression inside `function` is our own text, or a number."""
        key = (id(node), id(function))
        if key in self.busy or ast.unparse(node) in KNOWN:
            return True
        self.busy.add(key)
        try:
            read = getattr(self, f"_{type(node).__name__}", None)
            return bool(read and read(node, function, file))
        finally:
            self.busy.discard(key)

    def _all(self, nodes, function, file) -> bool:
        return all(self.is_ours(node, function, file) for node in nodes)

    def _Constant(self, node, function, file) -> bool:
        return True

    def _Compare(self, node, function, file) -> bool:
        return True

    def _JoinedStr(self, node, function, file) -> bool:
        return self._all(node.values, function, file)

    def _FormattedValue(self, node, function, file) -> bool:
        spec = ast.unparse(node.format_spec)[2:-1] if node.format_spec else ""
        return bool(spec and NUMBER_FORMAT.fullmatch(spec)) or self.is_ours(
            node.value, function, file
        )

    def _BinOp(self, node, function, file) -> bool:
        return self._all((node.left, node.right), function, file)

    def _UnaryOp(self, node, function, file) -> bool:
        return self.is_ours(node.operand, function, file)

    def _BoolOp(self, node, function, file) -> bool:
        return self._all(node.values, function, file)

    def _IfExp(self, node, function, file) -> bool:
        return self._all((node.body, node.orelse), function, file)

    def _Tuple(self, node, function, file) -> bool:
        return self._all(node.elts, function, file)

    _List = _Set = _Tuple

    def _Dict(self, node, function, file) -> bool:
        return self._all(node.values, function, file)

    def _Starred(self, node, function, file) -> bool:
        return self.is_ours(node.value, function, file)

    def _Lambda(self, node, function, file) -> bool:
        return self.is_ours(node.body, node, file) or self.is_ours(node.body, function, file)

    def _GeneratorExp(self, node, function, file) -> bool:
        return self.is_ours(node.elt, function, file)

    _ListComp = _SetComp = _GeneratorExp

    def _Attribute(self, node, function, file) -> bool:
        if node.attr in ("__getitem__", "format", "get"):
            return self.is_ours(node.value, function, file)
        return is_word(node) or node.attr.isupper() or node.attr in numbers()

    def _Subscript(self, node, function, file) -> bool:
        return self.is_ours(node.value, function, file)

    def _Call(self, node, function, file) -> bool:
        name = _last(node.func)
        if name in OUR_OWN | numbers():
            return True
        if isinstance(node.func, ast.Attribute):
            if name == "get":
                return self._all((node.func.value, *node.args[1:]), function, file)
            if name == "join":
                return self._all((node.func.value, *node.args), function, file)
            if name in OF_TEXT:
                given = (*node.args, *(keyword.value for keyword in node.keywords))
                return self._all((node.func.value, *given), function, file)
        if name in PASS_ON:
            return self._all(node.args, function, file)
        known = self.functions.get(name, [])
        return bool(known) and all(self._returns_ours(place, one) for place, one in known)

    def _returns_ours(self, file: str, function: ast.FunctionDef) -> bool:
        if function.returns is not None and ast.unparse(function.returns) in ("int", "float"):
            return True
        returned = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Return) and node.value is not None
        ]
        return bool(returned) and self._all(returned, function, file)

    def _Name(self, node, function, file) -> bool:
        if node.id.isupper():
            return True
        if isinstance(function, ast.FunctionDef | ast.Lambda) and node.id in _parameters(function):
            return self._parameter(node.id, function, file)
        sources = list(_assigned(node.id, function))
        if not sources and function is not self.trees[file]:
            sources, function = list(_assigned(node.id, self.trees[file])), self.trees[file]
        return bool(sources) and self._all(sources, function, file)

    def _parameter(self, name: str, function: ast.AST, file: str) -> bool:
        """Whether all calls of a function give our own text for a parameter, or it is a number."""
        if not isinstance(function, ast.FunctionDef):
            return False
        given = _parameters(function)
        if (kind := given[name].annotation) and NUMBERS.fullmatch(ast.unparse(kind)):
            return True
        place = list(given).index(name)
        values = [
            (value, inside, there)
            for there, call, inside in self.calls.get(function.name, [])
            if (value := _given(call, name, place)) is not None
            and (there == file or not function.name.startswith("_"))
        ]
        return bool(values) and all(self.is_ours(*each) for each in values)


def _given(call: ast.Call, name: str, place: int) -> ast.expr | None:
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    return named.get(name) or (call.args[place] if place < len(call.args) else None)


def _last(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _parameters(function: ast.FunctionDef | ast.Lambda) -> dict[str, ast.arg]:
    all_of = function.args
    return {one.arg: one for one in (*all_of.posonlyargs, *all_of.args, *all_of.kwonlyargs)}


def _assigned(name: str, inside: ast.AST) -> Iterator[ast.AST]:
    """What a variable is set to; of a loop what is gone through."""
    for node in ast.walk(inside):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _matched(name, target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            if node.value is not None:
                yield from _matched(name, node.target, node.value)
        elif isinstance(node, ast.For | ast.comprehension):
            listed = isinstance(node.iter, ast.Tuple | ast.List)
            for each in node.iter.elts if listed else [node.iter]:
                yield from _matched(name, node.target, each)


def _matched(name: str, target: ast.AST, value: ast.AST) -> Iterator[ast.AST]:
    """The part of `value` that the variable gets from `target = value`."""
    if isinstance(target, ast.Name):
        if target.id == name:
            yield value
    elif isinstance(target, ast.Tuple | ast.List):
        for number, part in enumerate(target.elts):
            yield from _matched(name, part, _part(value, number))


def _part(value: ast.AST, number: int) -> ast.AST:
    """The part of a tuple, or of what `zip` or `enumerate` give; else the whole."""
    if isinstance(value, ast.Tuple) and number < len(value.elts):
        return value.elts[number]
    if isinstance(value, ast.Call) and _last(value.func) == "zip" and number < len(value.args):
        return value.args[number]
    if isinstance(value, ast.Call) and _last(value.func) == "enumerate":
        return value.args[0] if number else ast.Constant(value=0)
    return value
