"""`python -m core predict` for a task of pairs: two texts each time, a tab between them."""

import pytest

from core.__main__ import main

PAIRS = [("the film was good", "a bad plot"), ("a dull cast", "the story")]


@pytest.fixture
def ask(school, capsys):
    run_id = school.run("pair").run_id

    def asked(*arguments: str) -> tuple[int, list[str], str]:
        code = main(["predict", "--run", run_id, *arguments])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return asked


def test_pairs_on_the_command_line_and_in_a_file(ask, tmp_path):
    alone = [ask(*pair)[1][0] for pair in PAIRS]
    assert ask(*PAIRS[0], *PAIRS[1])[1] == alone
    (tmp_path / "pairs.tsv").write_text("".join("\t".join(pair) + "\n" for pair in PAIRS))
    assert ask("--file", str(tmp_path / "pairs.tsv"))[1] == alone


def test_half_a_pair_is_refused_before_anything_is_answered(ask, tmp_path):
    code, out, err = ask(*PAIRS[0], "alone")
    assert (code, out) == (2, [])
    assert "takes 2 texts each time (premise and hypothesis), and there are 3" in err
    (tmp_path / "pairs.tsv").write_text("one column\n")
    code, out, err = ask("--file", str(tmp_path / "pairs.tsv"))
    assert (code, out) == (2, [])
    assert "has 1 column(s); it needs 2 with a tab between: premise and hypothesis" in err
