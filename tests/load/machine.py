"""How much memory the server holds, and how much of the processor there was.

Resident memory is that of the server's process and whatever it has started, without the
trainings: those are processes of their own, and are counted apart. A child that is about to become
another program shows its parent's memory as its own for a moment: that is not counted twice.
"""

from pathlib import Path

MIB = 2**20


def processor_time() -> tuple[float, float]:
    """Time that all cores have been busy, and time that they would have been had the host not
    taken them for other machines; since the start, in ticks. Zeros where Linux does not tell."""
    try:
        first = Path("/proc/stat").read_text().split("\n", 1)[0]
    except OSError:
        return 0.0, 0.0
    user, nice, system, _idle, _waiting, irq, soft, stolen, *_ = map(float, first.split()[1:])
    return user + nice + system + irq + soft, stolen


def stolen_share(before: tuple[float, float], after: tuple[float, float]) -> float:
    """What part of the time that was wanted in between the host gave to others; 0 to 1."""
    busy, stolen = after[0] - before[0], after[1] - before[1]
    return stolen / (busy + stolen) if busy + stolen > 0 else 0.0


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
