"""`sample`: cut the passages that come with the source, out of the archive of passage-ranking."""

import argparse


def add(commands) -> None:
    """Add the command to a parser's commands."""
    text = "cut the passages that ship, for those who maintain this source"
    parser = commands.add_parser("sample", help=text, description=text)
    parser.set_defaults(command=cut)


def cut(parsed: argparse.Namespace) -> None:
    """Fetch the archive, cut and write; raises InputError as `fetch` does."""
    from core.lines import print_line
    from core.tasks.archives import fetch
    from core.tasks.passages import BIGBENCH, collections
    from core.tasks.sample_passages import cut_sample, write_sample

    for event in fetch(BIGBENCH):
        print_line(event)
    sample = cut_sample(collections()[2])
    path = write_sample(sample)
    print(
        f"{path.name}: {len(set(sample.articles))} articles, {len(sample.passages)} passages, "
        f"{len(sample.questions)} questions, BM25 finds {sample.recall(20):.1%} in its best 20, "
        f"{path.stat().st_size / 1e6:.2f} MB"
    )
