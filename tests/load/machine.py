"""How much memory the server holds.

Resident memory is that of the server's process and whatever it has started, without the
trainings: those are processes of their own, and are counted apart. A child that is about to become
another program shows its parent's memory as its own for a moment: that is not counted twice.
"""

from pathlib import Path

MIB = 2**20


def memory_of(pid: int) -> tuple[int, int]:
    """Resident bytes of the server, and of the trainings that it has started."""
    children = {each: _parent(each) for each in _processes()}
    tree, grown = {pid}, True
    while grown:
        found = {each for each, parent in children.items() if parent in tree} - tree
        tree |= found
        grown = bool(found)
    commands = {each: _command(each) for each in tree}
    sizes = {
        each: (_resident(each), "--run-dir" in command)
        for each, command in commands.items()
        if each == pid or command != commands.get(children[each])
    }
    served = sum(size for size, training in sizes.values() if not training)
    return served, sum(size for size, training in sizes.values() if training)


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:  # gone in the meantime
        return ""


def _command(pid: int) -> str:
    return _read(pid, "cmdline")


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[1]) if fields else 0


def _resident(pid: int) -> int:
    lines = [line for line in _read(pid, "status").splitlines() if line.startswith("VmRSS:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0
