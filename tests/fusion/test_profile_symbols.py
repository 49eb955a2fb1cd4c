"""Horizon symbols: one spelling, and rare ones brought to common ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import FusionError
from fusion.profiles.symbols import common, components, levenshtein, main_letter, normalise


@pytest.mark.parametrize(
    ("written", "symbol"),
    [
        ("Ap", "Ap"),
        ("Sw-Bv", "Sw-Bv"),
        ("Sw+Bv", "Sw-Bv"),
        ("Sw°Bv", "Sw-Bv"),
        ("Sw/Bv", "Sw-Bv"),
        ("Sw–Bv", "Sw-Bv"),
        ("Bv2", "Bv"),
        ("Sw2-Bv12", "Sw-Bv"),
        ("II elCv", "elCv"),
        ("IIfAh", "fAh"),
        ("Sw-III Cv", "Sw-Cv"),
        ("M.", "M"),
        ("Bv(t)", "Bvt"),
        ("remark; Ap", "Ap"),
        (" Ah ", "Ah"),
        ("Oh", "Hh"),
        ("fFr", "fHr"),
        ("Tv", "Pv"),
        ("jY", "jG"),
        ("O-H", "H"),
        ("AhBv", "AhBv"),
    ],
)
def test_spellings(written: str, symbol: str) -> None:
    assert normalise(written) == symbol


@pytest.mark.parametrize("written", ["", " ", "II", "unknown", "?", "2", "-", "remark; "])
def test_what_names_no_horizon(written: str) -> None:
    assert normalise(written) is None


@given(st.text(alphabet="ABCFGHOTYSIVXahlprv0129 +°-.;()/", max_size=12))
def test_a_normalised_symbol_stays_as_it_is(written: str) -> None:
    symbol = normalise(written)
    if symbol is not None:
        assert normalise(symbol) == symbol
        assert not set(symbol) & set("FOTY0123456789 +°.")
        assert all(any(map(str.isupper, part)) for part in components(symbol))


def test_main_letter_is_the_last_capital() -> None:
    assert [main_letter(s) for s in ("Ap", "Sw-Bv", "elCc", "Bv-Ael")] == ["A", "B", "C", "A"]


def test_rare_symbols_stand_for_common_ones() -> None:
    counts = {"Ap": 50, "Bv": 40, "Bt": 30, "Sw": 20, "ilC": 11, "Sw-Bv": 12}
    rare = {"Sw-Bvt": 1, "Cv-Bv": 2, "Bv-Sw-Gq": 2, "Axp": 3, "elC": 10, "Gq-Bq": 1}
    found = common(counts | rare, least=11)
    assert found == {
        **{symbol: symbol for symbol in counts},
        "Sw-Bvt": "Sw",  # its last component that is common, not the nearer Sw-Bv
        "Cv-Bv": "Bv",
        "Bv-Sw-Gq": "Sw",
        "Axp": "Ap",
        "elC": "ilC",
        "Gq-Bq": "Sw-Bv",  # no component is common
    }


@pytest.mark.parametrize(
    ("counts", "taken"),
    [
        ({"Sp": 20, "Ax": 99, "Sx": 1}, "Sp"),  # same main symbol
        ({"Bv": 20, "Bt": 30, "Bs": 30, "Bx": 1}, "Bs"),  # more frequent, then alphabet
        ({"Av": 99, "Bt": 11, "Bv": 11, "Bq": 1}, "Bt"),
    ],
)
def test_ties_are_broken_as_said(counts: dict[str, int], taken: str) -> None:
    rare = next(symbol for symbol, count in counts.items() if count == 1)
    for order in (counts, dict(reversed(counts.items()))):
        assert common(order, least=11)[rare] == taken


def test_nothing_common_is_refused() -> None:
    with pytest.raises(FusionError, match="no horizon symbol is seen 11 times"):
        common({"Ap": 3}, least=11)


def test_levenshtein_by_hand() -> None:
    pairs = {("kitten", "sitting"): 3, ("Ap", "Ap"): 0, ("", "Bv"): 2, ("Bv", "Bvt"): 1}
    assert {pair: levenshtein(*pair) for pair in pairs} == pairs


WORD = st.text(alphabet="ABv", max_size=5)


@given(WORD, WORD, WORD)
def test_levenshtein_is_a_distance(a: str, b: str, c: str) -> None:
    assert levenshtein(a, b) == levenshtein(b, a)
    assert (levenshtein(a, b) == 0) == (a == b)
    assert levenshtein(a, c) <= levenshtein(a, b) + levenshtein(b, c)
