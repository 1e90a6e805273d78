"""What a plan and bits by hand come to, in sentences made from their numbers."""

from typing import TYPE_CHECKING

from core import api
from pages.ui.formatting import plain

if TYPE_CHECKING:
    from core.plan.allocation import Plan, Planner

MIB = 2**20


def mib(size_bytes: int) -> str:
    """A size to three digits behind the point: a budget may be as exact."""
    return f"{size_bytes / MIB:.3f} MiB"


def share(loss: float, whole: float) -> str:
    """A loss in per cent of that of all matrices at the fewest bits."""
    return f"{100 * loss / whole:.3g}\u00a0%"


def exactly(plan: "Plan", budget_bytes: int) -> str:
    """The size to the byte, and what is left of the budget."""
    left = budget_bytes - plan.size_bytes
    if left >= 0:
        return f"The file has exactly {plan.size_bytes:,} bytes; {left:,} of the budget are left."
    return f"The file has exactly {plan.size_bytes:,} bytes, {-left:,} more than the budget."


def beside_uniform(planner: "Planner", plan: "Plan", whole: float) -> str:
    """The plan beside the uniform bits on both sides of it, at most as large and larger."""
    alike = [(width, planner.uniform(width)) for width in planner.widths]
    smaller = [each for each in alike if each[1].size_bytes <= plan.size_bytes]
    if not smaller:
        return ""
    width, uniform = smaller[-1]
    return (
        f"The most that all matrices alike can have in so many bytes is {int(width)} bits "
        f"({mib(uniform.size_bytes)}), with a loss of {share(uniform.loss, whole)}; the plan "
        f"comes to {share(plan.loss, whole)}."
    )


def cost(found: api.Kept, named: str, budget_bytes: int, whole: float) -> str:
    """What bits by hand cost, with and without the others giving way; `named` says which."""
    free, alone = found.free, found.alone
    more = alone.size_bytes - free.size_bytes
    change = f"{mib(abs(more))} {'more' if more >= 0 else 'less'}"
    text = (
        f"**By hand: {plain(named)}.** Everything else as planned, the file takes "
        f"{mib(alone.size_bytes)}, {change}, and the loss is {share(alone.loss, whole)} in place "
        f"of {share(free.loss, whole)}. "
    )
    if found.within is None:
        return text + f"Within the budget it cannot be had. {plain(found.why)}"
    return text + (
        f"Within the budget of {mib(budget_bytes)} the others give way, and the loss is "
        f"{share(found.within.loss, whole)}."
    )
