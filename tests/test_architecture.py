"""The house rules that a machine can hold: who imports whom, how long things are, what is shut out.

The order of the rooms is read from the docstring of `core/__init__.py`.
"""

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import core
from core import api

PROJECT = Path(core.__file__).parent.parent
CORE = sorted((PROJECT / "core").rglob("*.py"))
PAGES = sorted((PROJECT / "pages").rglob("*.py"))
APP = [PROJECT / "app.py", *PAGES]
SOURCES = [*CORE, *APP]
PAGES_MAY_IMPORT = {
    *("api", "errors", "settings", "experiment", "options", "results", "events", "runs.run_store"),
}
PAGES_MAY_IMPORT |= {"lessons", "classroom", "sheets"}
Rule = Callable[[Path], None]
STATE = ("pages/ui/state.py", "pages/ui/url_state.py")
MAX_FUNCTION_LINES, MAX_FILE_LINES, MAX_PAGE_LINES = 40, 250, 80


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def each(paths: list[Path]) -> Callable[[Rule], Callable[[], None]]:
    """A rule for every one of these files as one test that names those that break it: there are
    hundreds of files, and as tests of their own they take longer than what they hold."""

    def over(rule: Rule) -> Callable[[], None]:
        def held() -> None:
            broken = {}
            for path in paths:
                try:
                    rule(path)
                except AssertionError as error:
                    broken[name_of(path)] = str(error)
            assert paths
            assert broken == {}

        held.__name__, held.__doc__ = rule.__name__, rule.__doc__
        return held

    return over


@cache  # every file is looked at by several tests, none of which changes its tree
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    for child in ast.iter_child_nodes(tree):
        if not is_type_checking(child):
            yield child
            yield from nodes(child)


@cache  # asked for by most rules
def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, at its top or inside functions: "core.api", "torch"."""
    found = set()
    for node in nodes(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_order() -> list[str]:
    listed = re.search(r"in this list\):\s(.*?)\.\s", f"{core.__doc__} ", re.DOTALL)
    assert listed
    return re.findall(r"\w+", listed[1].replace("and the command line in", ""))


def room_of(path: Path) -> str:
    inside = path.relative_to(PROJECT / "core")
    return inside.parts[0].removesuffix(".py")


def test_every_room_is_listed():
    assert {room_of(path) for path in CORE} == {*room_order(), "__init__"}
    assert len(room_order()) == len(set(room_order()))


@each(CORE)
def test_a_room_imports_only_from_rooms_above_it(path):
    order = [*room_order()]
    here = order.index(room_of(path)) if room_of(path) in order else -1
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "core":
            assert order.index(parts[1]) <= here, f"{name_of(path)} imports {name}"
        assert parts[0] not in ("pages", "app", "tests"), f"{name_of(path)} imports {name}"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def packages_of(module: str) -> set[str]:
    """The folders that a module lies in, whose `__init__` is read before it."""
    parts = module.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


def imported_files() -> dict[str, set[str]]:
    """For each file of core the files that it imports, at its top or inside functions, with the
    `__init__` of the folders that these lie in."""
    modules = {module_of(path): path for path in CORE}
    graph = {}
    for module, path in modules.items():
        names = imports(path)  # "core.tables.table_limits" is a file, "core.errors.shown" is in one
        owners = {name if name in modules else name.rpartition(".")[0] for name in names}
        owners |= set().union(*map(packages_of, owners)) - packages_of(module) - {module}
        graph[module] = owners & modules.keys()
    return graph


def test_no_file_imports_itself_through_others():
    graph = imported_files()
    assert graph["core.tasks.registry"] >= {"core.errors", "core.tasks.own_data"}
    assert graph["core.training.pair"] >= {"core.families", "core.models"}
    list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


@each(CORE)
def test_the_engine_never_imports_streamlit(path):
    assert not {name for name in imports(path) if name.split(".")[0] == "streamlit"}


@each(APP)
def test_pages_import_only_the_public_part_of_the_engine(path):
    for name in imports(path):
        if name.startswith("core."):
            inside = name.removeprefix("core.")
            known = any(f"{inside}.".startswith(f"{room}.") for room in PAGES_MAY_IMPORT)
            assert known, f"{name_of(path)} imports {name}"


def test_a_name_of_the_api_is_what_is_meant_whatever_was_imported_first():
    """A file of core/api/ with the name of another file's function would take its place."""
    for path in sorted((PROJECT / "core" / "api").glob("*.py")):
        importlib.import_module(module_of(path))
    front = PROJECT / "core" / "api" / "__init__.py"
    offered = {name.rpartition(".")[2] for name in imports(front)}
    for name in offered:
        found = getattr(api, name)
        assert not inspect.ismodule(found), name
    files = {path.stem for path in (PROJECT / "core" / "api").glob("*.py")}
    for name in files & offered:
        assert getattr(api, name).__module__ == f"core.api.{name}"


@each(APP)
def test_pages_leave_torch_to_the_engine(path):
    heavy = {"torch", "transformers", "datasets", "safetensors"}
    assert not {name.split(".")[0] for name in imports(path)} & heavy


@each([path for path in APP if name_of(path) not in STATE])
def test_only_the_state_files_name_session_state(path):
    for node in ast.walk(tree_of(path)):
        assert getattr(node, "attr", None) not in ("session_state", "query_params")
        if isinstance(node, ast.ImportFrom):
            assert "session_state" not in {alias.name for alias in node.names}


@each(SOURCES)
def test_nothing_is_unpickled_and_no_foreign_code_runs(path):
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("torch.load", "eval", "exec")
            remote = [k.value for k in node.keywords if k.arg == "trust_remote_code"]
            assert all(isinstance(v, ast.Constant) and v.value is False for v in remote)


@each(SOURCES)
def test_every_module_says_what_it_is(path):
    if path.stat().st_size:
        assert ast.get_docstring(tree_of(path))


def body_lines(function: ast.FunctionDef) -> int:
    """Lines of a function without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@each(SOURCES)
def test_functions_and_files_are_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= (MAX_PAGE_LINES if path.parent.name == "pages" else MAX_FILE_LINES)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            assert body_lines(node) <= MAX_FUNCTION_LINES, f"{node.name}: {body_lines(node)} lines"


@each(sorted((PROJECT / "tests").rglob("*.py")))
def test_every_test_file_says_what_it_holds(path):
    if path.name.startswith("test_"):
        assert ast.get_docstring(tree_of(path))


def test_no_file_names_a_place_on_the_computer_it_was_made_on():
    kept = [path for kind in ("*.py", "*.md", "*.toml", "*.json") for path in PROJECT.rglob(kind)]
    kept = [path for path in kept if "local" not in path.parts and ".git" not in path.parts]
    for path in kept:
        text = path.read_text(encoding="utf-8")
        for place in (str(PROJECT), str(Path.home())):
            assert place not in text, f"{name_of(path)} names {place}"


# An architecture is at most a module of families/, a graph and a snippet


WORDS_OF_BERT = (
    *("Bert", "bert.", "input_ids", "token_type", "attention_mask", "word_embedding"),
    "hidden_states",
)
HOMES = ("core/families/{}/", "core/families/{}.py", "core/packed/graphs/{}.py")
HOMES += ("core/export/snippets/{}.py",)


def is_home_of(family: str, path: Path) -> bool:
    """Whether a file may know the names of a family's parts."""
    return name_of(path).startswith(tuple(home.format(family) for home in HOMES))


def test_the_words_of_bert_stand_where_bert_is_at_home():
    homes = [path for path in SOURCES if is_home_of("bert", path)]
    text = "".join(path.read_text(encoding="utf-8") for path in homes)
    assert [word for word in WORDS_OF_BERT if word not in text] == []  # none is out of use


@each([path for path in SOURCES if not is_home_of("bert", path)])
def test_no_other_file_has_a_word_of_bert(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if any(word in line for word in WORDS_OF_BERT)] == []


@each(CORE)
def test_a_family_is_asked_for_by_its_name(path):
    """Nothing outside its home imports from it, so a second one needs no change there."""
    inside = ("core.families.registry", "core.families.find_family", "core.families.families")
    for name in imports(path):
        if name.startswith("core.families.") and not name.startswith(inside):
            assert is_home_of(name.split(".")[2], path), f"{name_of(path)} imports {name}"


def test_graphs_and_snippets_are_those_of_families():
    names = {path.parent.name for path in (PROJECT / "core" / "families").glob("*/__init__.py")}
    names |= {path.stem for path in (PROJECT / "core" / "families").glob("*.py")}
    for folder in ("packed/graphs", "export/snippets"):
        files = {path.stem for path in (PROJECT / "core" / folder).glob("*.py")} - {"__init__"}
        assert "bert" in files <= names


TESTS = sorted((PROJECT / "tests").rglob("*.py"))
CHECKS = re.compile(r"raises|fail|expect|assert_\w+|wait_for\w*")


def called(node: ast.AST) -> set[str]:
    """Last names of what is called within a node."""
    calls = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    return {ast.unparse(function).rpartition(".")[2] for function in calls}


def asserts(function: ast.FunctionDef) -> bool:
    """Whether the function itself checks something."""
    has = any(isinstance(each, ast.Assert) for each in ast.walk(function))
    return has or any(CHECKS.fullmatch(name) for name in called(function))


def functions_of(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef)]


def test_every_test_checks_something():
    """Itself, or by calling a function of the tests that does."""
    every = [function for path in TESTS for function in functions_of(path)]
    helpers = {each.name for each in every if asserts(each) and not each.name.startswith("test_")}
    tests = [each for each in every if each.name.startswith("test_")]
    assert len(tests) > 800
    idle = [each.name for each in tests if not asserts(each) and not called(each) & helpers]
    assert idle == []


# Found by their place: entry points of Python, the file of a registry, what is named after a
# family.
MAY_SHARE_A_NAME = ("__init__.py", "__main__.py", "registry.py")


def test_no_file_has_the_name_of_another():
    families = {f"{folder.name}.py" for folder in (PROJECT / "core" / "families").iterdir()}
    found: dict[str, list[str]] = {}
    for path in [*CORE, *PAGES]:
        if path.name not in {*MAY_SHARE_A_NAME, *families}:
            found.setdefault(path.name, []).append(name_of(path))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
