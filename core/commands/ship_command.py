"""`ship`: put finished runs among those that come with the source.

python -m core ship 0123456789ab --student
"""

import argparse


def add(commands) -> None:
    """Add the command to a parser's commands."""
    text = "copy finished runs into cached_models/shipped, for those who maintain this source"
    parser = commands.add_parser("ship", help=text, description=text)
    parser.set_defaults(command=ship_runs)
    parser.add_argument("run", nargs="+", help="run ids")
    parser.add_argument("--student", action="store_true", help="with the packed student")
    parser.add_argument("--latent", action="store_true", help="with its latent weights")


def ship_runs(parsed: argparse.Namespace) -> None:
    """Copy them one after the other; raises InputError at the first that cannot be shipped."""
    from core.runs.retention import size_bytes
    from core.runs.shipping import ship

    for run_id in parsed.run:
        folder = ship(run_id, parsed.student, parsed.latent)
        print(f"{run_id}  {size_bytes(folder) / 1e6:.2f} MB")
