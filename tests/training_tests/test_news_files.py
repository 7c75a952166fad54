"""News to learn from: Reuters R8 as papers split it, a user's Fake.csv and True.csv, a user's CoLA; damaged files are told by line."""

import numpy as np
import pytest

from edge.errors import InputError, SetupError
from training.data import cola, fake_news, overlap, reuters_r8
from training.recipe import DataOptions

HEAD = "title,text,subject,date\n"


def csv(rows):
    return HEAD + "".join(f'"{title}","{text}",politics,"December 31, 2017 "\n' for title, text in rows)


def articles(word, count=40):
    return [(f"{word} number {number}", f"the {word} did {number} things") for number in range(count)]


def write(folder, fake=None, true=None):
    (folder / "Fake.csv").write_text(csv(articles("aliens")) if fake is None else fake, encoding="utf-8")
    (folder / "True.csv").write_text(csv(articles("parliament")) if true is None else true, encoding="utf-8")
    return DataOptions(folder=folder)


def texts(splits):
    return [text for split in splits.parts().values() for text in split.inputs["text"].tolist()]


def test_a_pair_of_tables_is_parted_without_overlap(tmp_path):
    splits = fake_news.load(write(tmp_path))
    assert splits.classes == ("fake", "true")
    assert len(texts(splits)) == 80
    assert set(overlap.shared(splits).values()) == {0}
    for split in splits.parts().values():
        for text, target in zip(split.inputs["text"], split.targets, strict=True):
            assert target == ("parliament" in text)
    assert not splits.pinned


def test_quotes_lines_and_a_mark_at_the_beginning_belong_to_the_fields(tmp_path):
    odd = '"He said ""no"", twice","first line\nsecond, line",News,"Feb 1, 2017"\n'
    splits = fake_news.load(write(tmp_path, fake="\ufeff" + csv(articles("aliens")) + odd))
    assert 'He said "no", twice. first line\nsecond, line' in texts(splits)


def test_an_agencys_own_beginning_tells_nothing(tmp_path):
    true = csv([(f"law {i}", f"WASHINGTON/NEW YORK (Reuters) - Senators voted {i} times") for i in range(40)])
    found = [text for text in texts(fake_news.load(write(tmp_path, true=true))) if "law" in text]
    assert len(found) == 40
    assert not any("Reuters" in text or "WASHINGTON" in text for text in found)


def test_what_repeats_counts_once_and_what_is_both_not_at_all(tmp_path, capsys):
    fake = csv([*articles("aliens"), *articles("aliens", 5), ("ALIENS number 0!", "The aliens did 0 things"), ("both", "same words")])
    splits = fake_news.load(write(tmp_path, fake=fake, true=csv([*articles("parliament"), ("Both", "Same words.")])))
    assert len(texts(splits)) == 80
    assert "1 articles stand in both files and are left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fake", "fragment"),
    [
        ("", "Fake.csv: is empty, expected a line with the names of the columns"),
        (HEAD, "has 0 rows, expected at least 10"),
        ("title,subject,date\n" + "a,b,c\n" * 12, "has no column 'text', expected one of title, subject, date"),
        (HEAD + 'a,"b,c,d\n' * 12, "line"),
        (HEAD + "a,b\n" * 12, "has 2 fields, expected 4"),
        ("title,text,subject,date\n" + ",,x,y\n" * 12, "'fake' has 0 different samples"),
    ],
    ids=["empty", "no rows", "no text", "an open quote", "few fields", "no words"],
)
def test_a_damaged_table_is_told(fake, fragment, tmp_path):
    with pytest.raises(InputError, match=fragment):
        fake_news.load(write(tmp_path, fake=fake))


def test_a_missing_file_is_named_and_without_a_folder_it_is_said_where_to_get_it_from(tmp_path):
    write(tmp_path)
    (tmp_path / "True.csv").unlink()
    with pytest.raises(InputError, match=r"has no True.csv, expected Fake.csv and True.csv with the columns title, text"):
        fake_news.load(DataOptions(folder=tmp_path))
    with pytest.raises(InputError, match="there is no such folder"):
        fake_news.load(DataOptions(folder=tmp_path / "none"))
    with pytest.raises(SetupError, match="--data-dir FOLDER"):
        fake_news.load(DataOptions())


def sentences(count, word="ships"):
    return "".join(f"gj04\t{i % 2}\t{'' if i % 2 else '*'}\tThe {word} sailed {i} times.\n" for i in range(count))


def test_cola_is_read_from_its_own_files(tmp_path):
    (tmp_path / "in_domain_train.tsv").write_text(
        sentences(100) + 'bc01\t1\t\tSam said "go".\n' + "ks08\t0\t*\tThe boats sailed 3 times.\n"
    )
    (tmp_path / "in_domain_dev.tsv").write_text(sentences(10, "boats"))
    (tmp_path / "out_of_domain_dev.tsv").write_text(sentences(10, "planes"))
    splits = cola.load(DataOptions(folder=tmp_path))
    assert (len(splits.test), len(splits.train) + len(splits.validation)) == (20, 101), "the boat of training is tested"
    assert 'Sam said "go".' in texts(splits)
    assert splits.classes[splits.test.targets[0]] == "unacceptable"
    assert set(overlap.shared(splits).values()) == {0}


def test_one_file_of_cola_is_parted(tmp_path):
    (tmp_path / "mine.tsv").write_text(sentences(100))
    assert len(texts(cola.load(DataOptions(folder=tmp_path / "mine.tsv")))) == 100


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("", "is empty"),
        ("gj04\t1\tThe ship.\n", "line 1: has 3 columns, expected 4"),
        (sentences(3) + "index\tsentence\t\tx\n", "line 4: the label is 'sentence', expected 0 or 1"),
        ("gj04\t1\t\t \n", "line 1: has no sentence"),
    ],
    ids=["empty", "columns", "label", "sentence"],
)
def test_lines_of_another_form_are_told(content, fragment, tmp_path):
    (tmp_path / "mine.tsv").write_text(content)
    with pytest.raises(InputError, match=fragment):
        cola.load(DataOptions(folder=tmp_path / "mine.tsv"))


def test_a_folder_without_cola_is_told(tmp_path):
    with pytest.raises(InputError, match=r"expected in_domain_train.tsv with in_domain_dev.tsv and out_of_domain_dev.tsv or train.tsv"):
        cola.load(DataOptions(folder=tmp_path))
    with pytest.raises(SetupError, match="--data-dir"):
        cola.load(DataOptions())


def test_reports_that_are_tested_are_not_learned():
    train = [("earn", f"profit rose in month {i}") for i in range(60)] + [
        ("acq", "bought a firm"),
        ("earn", "bought a  firm"),
        ("ship", "a port"),
    ]
    splits = reuters_r8.parted(train, [("ship", "a port"), ("ship", "a port"), ("crude", "oil")])
    assert len(splits.test) == 3, "the test split stays as papers have it"
    assert len(splits.train) + len(splits.validation) == 61
    assert set(overlap.shared(splits).values()) == {0}
    assert "1 that repeat another, 1 that stand in test as well" in splits.note
    with pytest.raises(InputError, match="has the topic 'gold'"):
        reuters_r8.parted([*train, ("gold", "a mine")], train)


@pytest.mark.slow
def test_the_package_holds_the_split_of_the_papers():
    splits = reuters_r8.load(DataOptions())
    assert (len(splits.test), len(splits.train) + len(splits.validation)) == (2189, 5485 - 66)
    assert set(overlap.shared(splits).values()) == {0}
    assert np.bincount(splits.test.targets).tolist() == [696, 121, 1083, 10, 81, 87, 36, 75]
