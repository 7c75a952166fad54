"""Benchmarks write their figures between two marks of a page, and touch nothing else of it."""

from benchmarks.marked_page import MARKS, show


def test_figures_take_the_place_of_those_between_the_marks(tmp_path, capsys):
    begin, end = MARKS
    page = tmp_path / "page.md"
    page.write_text(f"before\n{begin}old\nfigures\n{end}\nafter\n")
    show("| new \\1 |\n", page)
    assert page.read_text() == f"before\n{begin}| new \\1 |\n{end}\nafter\n"
    assert capsys.readouterr().out == "| new \\1 |\n"


def test_without_a_page_figures_are_printed_alone(capsys):
    show("| new |\n", None)
    assert capsys.readouterr().out == "| new |\n"
