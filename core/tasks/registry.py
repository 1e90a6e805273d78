"""All tasks by name. A file of this folder offers its tasks as `TASKS`; a person's own data joins
them."""

from functools import cache

from core.errors import one_of
from core.modules import modules_in
from core.tasks.own_data import own_tasks
from core.tasks.task import Task


@cache
def _built_in() -> dict[str, Task]:
    files = modules_in("core.tasks")
    return {task.name: task for file in files for task in getattr(file, "TASKS", ())}


def tasks() -> dict[str, Task]:
    """All tasks by name: those of this folder's files, then the person's own."""
    return _built_in() | {task.name: task for task in own_tasks()}


def find_task(name: str) -> Task:
    """The task of that name; raises InputError naming the known ones."""
    known = tasks()
    one_of("Task", name, known)
    return known[name]
