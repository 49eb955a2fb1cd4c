"""Codebooks: native spellings come to their code, faulty books are refused."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codebooks import _SHARED, codebook
from adapters.errors import CodebookError
from adapters.spec import load_spec, source_ids

SHARED = sorted(path.stem for path in _SHARED.glob("*.csv"))


def _normalise(name: str, *texts: str | None) -> tuple[list, list]:
    codes, unknown = codebook(name).normalise(pl.Series("c", texts, dtype=pl.String))
    return codes.to_list(), unknown.to_list()


@pytest.mark.parametrize("name", SHARED)
def test_shared_books_load_and_each_code_is_itself(name: str) -> None:
    book = codebook(name)
    codes, unknown = book.normalise(pl.Series(list(book.codes)))
    assert codes.to_list() == list(book.codes)
    assert not unknown.any()
    codes, unknown = book.normalise(pl.Series(list(book.aliases), dtype=pl.String))
    assert codes.to_list() == list(book.aliases.values())


@pytest.mark.parametrize("source", source_ids())
def test_every_codebook_a_source_names_loads(source: str) -> None:
    spec = load_spec(source)
    for column in spec.columns:
        if column.codebook:
            book = codebook(column.codebook, spec.folder)
            assert book.codes or column.codebook == "open"


def test_spellings_of_the_land_survey() -> None:
    codes, unknown = _normalise("lucas_land_cover", "E20 ", "Bx1", "BX2", "C20", "D01", "", None)
    assert codes == ["E20", "BX1", "BX2", "C20", "D10", None, None]
    assert unknown == [False] * 7
    assert _normalise("lucas_land_use", "0", "U228", " u111") == (
        [None, "U228", "U111"],
        [True, False, False],
    )


def test_norway_and_namibia_style_traps() -> None:
    assert _normalise("country_iso2", "NO", "EL", "UK", "no")[0] == ["NO", "GR", "GB", "NO"]
    assert _normalise("nuts_0", "GR", "UK")[0] == ["EL", "UK"]
    assert codebook("country_iso2").label("NO") == "Norway"


def test_texture_names_and_parents() -> None:
    assert _normalise("usda_texture", "silty clay loam", "SiClLo")[0] == ["SiClLo", "SiClLo"]
    assert codebook("lucas_land_cover").ancestors("C21") == ["C20", "C00"]
    assert codebook("wrb_full").ancestors("CMeu") == ["CM"]


def test_whole_numbers_with_decimals_are_whole_numbers(tmp_path: Path) -> None:
    book = _write(tmp_path, "code,label\n1,one\n10,ten\n")
    codes, unknown = book.normalise(pl.Series([1.0, 10.0, 1.5, None]))
    assert codes.to_list() == ["1", "10", None, None]
    assert unknown.to_list() == [False, False, True, False]


def test_open_takes_every_code() -> None:
    codes, unknown = _normalise("open", " XY1 ", "", None)
    assert codes == ["XY1", None, None]
    assert unknown == [False, False, False]


def test_codes_that_differ_in_case_alone_are_matched_exactly(tmp_path: Path) -> None:
    book = _write(tmp_path, "code,label\nm,metre\nM,mega\n")
    codes, unknown = book.normalise(pl.Series(["m", "M"]))
    assert codes.to_list() == ["m", "M"]


@given(st.lists(st.text(max_size=4) | st.none(), max_size=20))
def test_a_text_becomes_a_code_or_is_told(texts: list[str | None]) -> None:
    book = codebook("lucas_land_cover")
    codes, unknown = book.normalise(pl.Series("x", texts, dtype=pl.String))
    for text, code, strange in zip(texts, codes, unknown, strict=True):
        empty = text is None or not text.strip()
        assert (code is None) == (strange or empty)
        assert code is None or code in book.codes


def _write(folder: Path, text: str) -> object:
    (folder / "codebooks").mkdir()
    (folder / "codebooks" / "book.csv").write_text(text, encoding="utf-8")
    return codebook("book", folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("code,label\nA,a\nA,b\n", "line 3: 'A' stands in line 2 too"),
        ("code,label\n,a\n", "faulty code"),
        ("code,label\nA ,a\n", "faulty code"),
        ("code,label\nA,\n", "faulty code"),
        ("code,label\nA,a,b\n", "do not match the header"),
        ("code,label\nA\n", "do not match the header"),
        ("key,label\nA,a\n", "the header is"),
        ("code,label\n", "holds no code"),
        ("code,label,parent\nA,a,Q\n", "parent 'Q' is no code"),
        ("code,label,parent\nA,a,B\nB,b,A\n", "its own ancestor"),
        ("code,label,alias_of\nA,a,\nB,b,Q\n", "alias_of 'Q' is no code"),
        ("code,label,evidence\nA,a,perhaps\n", "line 2: evidence 'perhaps'"),
    ],
)
def test_faulty_books_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(CodebookError, match=says):
        _write(tmp_path, text)


def test_codes_not_yet_shown_are_told_apart(tmp_path: Path) -> None:
    book = _write(tmp_path, "code,label,evidence\nA,a,assumed\nB,b,verified\nC,c,\n")
    assert book.assumed == {"A"}


def test_a_source_folder_goes_before_the_shared_books(tmp_path: Path) -> None:
    (tmp_path / "codebooks").mkdir()
    (tmp_path / "codebooks" / "yes_no.csv").write_text("code,label\nja,yes\n", encoding="utf-8")
    assert list(codebook("yes_no", tmp_path).codes) == ["ja"]
    assert list(codebook("nuts_0", tmp_path).codes)[0] == "AL"


def test_missing_book_and_code_say_what_there_is() -> None:
    with pytest.raises(CodebookError, match="available: .*lucas_land_cover.*open"):
        codebook("nothing")
    with pytest.raises(CodebookError, match="use one of: yes, no"):
        codebook("yes_no").label("perhaps")
