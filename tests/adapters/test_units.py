"""Units: what parses, what converts, and above all what must not."""

import csv
import itertools
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import UnitError
from adapters.quantities import quantities
from adapters.units import _registry, conversion, parse, registry_definitions, units

CATALOGUE = Path(__file__).parent / "catalogue_units.csv"
LISTED = sorted(units(), key=str)


def _dimension(pair: tuple[str, str | None]) -> object:
    return _registry().parse_expression(units()[pair].definition)


def _convertible(a: tuple[str, str | None], b: tuple[str, str | None]) -> bool:
    try:
        conversion(*a, *b)
    except UnitError:
        return False
    return True


PAIRS = [p for p in itertools.product(LISTED, LISTED) if _convertible(*p)]
AFFINE = [p for p in PAIRS if conversion(*p[0], *p[1]).transform is None]


def test_every_unit_of_the_catalogue_parses() -> None:
    with CATALOGUE.open(encoding="utf-8", newline="") as handle:
        written = [row["unit"] for row in csv.DictReader(handle)]
    assert len(written) == 38
    missing = set(written) - {unit for unit, _ in units()}
    assert not missing


def test_every_listed_unit_is_defined_in_the_registry() -> None:
    for pair in LISTED:
        assert _dimension(pair) is not None


def test_every_canonical_unit_parses_with_its_basis() -> None:
    for q in quantities().values():
        if q.unit is not None:
            same = conversion(q.unit, q.basis, q.unit, q.basis, q.analyte)
            assert same.is_identity


@pytest.mark.parametrize(
    ("args", "scale"),
    [
        (("percent", "mass", "g/kg", "mass"), 10.0),
        (("mg/100g", "mass", "g/kg", "mass"), 0.01),
        (("mg/kg", "mass", "g/kg", "mass"), 0.001),
        (("ug/kg", "mass", "mg/kg", "mass"), 0.001),
        (("dS/m", None, "mS/m", None), 100.0),
        (("t/m**3", None, "g/cm**3", None), 1.0),
        (("kg/m**3", None, "g/cm**3", None), 0.001),
        (("percent", "volume", "cm**3/cm**3", "volume"), 0.01),
        (("meq/100g", "charge", "cmol/kg", "charge"), 1.0),
        (("kg_water/m**2", None, "mm", None), 1.0),
        (("m", None, "cm", None), 100.0),
        (("kPa", None, "cm_water", None), 1 / 0.0980665),
        (("t/ha/month", None, "t/ha/year", None), 12.0),
        # One mole of potassium carries one mole of charge, one of calcium two.
        (("cmol/kg", "charge", "mg/kg", "mass", "K"), 390.983),
        (("cmol/kg", "charge", "mg/kg", "mass", "Ca"), 200.39),
        (("cmol/kg", "charge", "mg/kg", "mass", "Al"), 89.938461333),
        (("cmol/kg", "mass", "cmol/kg", "charge", "Mg"), 2.0),
        (
            ("percent as P2O5", "mass", "percent", "mass", "P"),
            2 * 30.973761998 / (2 * 30.973761998 + 5 * 15.999),
        ),
        (("mg/kg as K2O", "mass", "mg/kg", "mass", "K"), 78.1966 / (78.1966 + 15.999)),
        (("percent as CO2", "mass", "percent", "mass", "CaCO3"), 100.086 / 44.009),
    ],
)
def test_known_answers(args: tuple, scale: float) -> None:
    found = conversion(*args)
    assert found.scale == pytest.approx(scale, rel=1e-9)
    assert found.offset == 0.0


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("percent", None, "g/kg", "mass"), "give the basis: mass or volume"),
        (("g/kg", None, "g/kg", "mass"), "give the basis: mass"),
        (("percent", "mass", "percent", "volume"), "do not measure the same"),
        (("percent", "volume", "g/kg", "mass"), "do not measure the same"),
        (("g/cm**3", "volume", "g/cm**3", None), "leave the basis empty"),
        (("1", None, "percent", "mass"), "do not measure the same"),
        (("1", None, "pH", None), "do not measure the same"),
        (("degC", None, "delta_degC", None), "no temperature difference"),
        (("delta_degC", None, "K", None), "no temperature difference"),
        (("mm", None, "kg/m**2", None), "do not measure the same"),
        (("pF", None, "pH", None), "pF converts to a suction"),
        (("cm", None, "kPa", None), "do not measure the same"),
        (("g/kg", "mass", "t/ha", None), "do not measure the same"),
        (("mg/kg", "mass", "cmol/kg", "charge"), "no analyte"),
        (("mg/kg", "mass", "cmol/kg", "charge", "P"), "no valence"),
        (("mg/kg", "mass", "cmol/kg", "charge", "Xx"), "no analyte 'Xx'"),
        (("percent as P2O5", "mass", "percent", "mass"), "give the quantity its analyte"),
        (("percent as P2O5", "mass", "percent", "mass", "K"), "P2O5 does not hold K"),
        (("cm as K2O", None, "cm", None, "K"), "it is no mass"),
    ],
)
def test_refusals_say_what_to_do(args: tuple, says: str) -> None:
    with pytest.raises(UnitError, match=says):
        conversion(*args)


@pytest.mark.parametrize("trap", ["kt", "a", "h", "ph", "Ph", "cmolc/kg", "t", "%", "mg", "min"])
def test_traps_of_general_registries_are_not_units(trap: str) -> None:
    with pytest.raises(UnitError, match="is not a unit that soilmeld knows"):
        parse(trap, None)


def test_organic_matter_is_not_a_form_of_carbon() -> None:
    with pytest.raises(UnitError, match="no analyte 'OM'"):
        conversion("percent as OM", "mass", "g/kg", "mass", "C")


@given(st.sampled_from(AFFINE), st.floats(-1e6, 1e6))
def test_round_trip(pair: tuple, value: float) -> None:
    there, back = conversion(*pair[0], *pair[1]), conversion(*pair[1], *pair[0])
    found = back.array(there.array(np.array([value])))[0]
    assert found == pytest.approx(value, rel=1e-9, abs=1e-9)


@given(st.sampled_from(AFFINE), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_linear(pair: tuple, a: float, b: float) -> None:
    apply = conversion(*pair[0], *pair[1]).array
    zero, left, right, both = apply(np.array([0.0, a, b, a + b]))
    assert both - zero == pytest.approx(left - zero + (right - zero), rel=1e-9, abs=1e-6)


@given(st.sampled_from(LISTED), st.sampled_from(LISTED), st.sampled_from([None, "K", "Ca", "C"]))
def test_only_equal_dimensions_convert(a: tuple, b: tuple, analyte: str | None) -> None:
    same = _dimension(a).dimensionality == _dimension(b).dimensionality
    try:
        conversion(*a, *b, analyte)
    except UnitError:
        assert not same or {"degC", "K"} & {a[0], b[0]}
    else:
        bridged = "pF" in (a[0], b[0]) or analyte is not None
        assert same or bridged


@given(st.floats(0, 7))
def test_suction_round_trip(pf: float) -> None:
    for other in ("cm", "cm_water", "kPa", "bar"):
        there, back = conversion("pF", None, other, None), conversion(other, None, "pF", None)
        assert back.array(there.array(np.array([pf])))[0] == pytest.approx(pf, abs=1e-9)


def test_suction_known_answers() -> None:
    to_kpa = conversion("pF", None, "kPa", None)
    np.testing.assert_allclose(to_kpa.array(np.array([2.0, 4.2])), [9.80665, 1554.249], rtol=1e-6)
    to_pf = conversion("cm", None, "pF", None)
    frame = pl.DataFrame({"h": [330.0, 15849.0, 0.0, -10.0, None]})
    found = frame.select(to_pf.expr(pl.col("h")))["h"].to_list()
    assert found[:2] == pytest.approx([2.518514, 4.200002], abs=1e-6)
    assert found[2:] == [None, None, None]
    assert np.isnan(to_pf.array(np.array([0.0, -10.0]))).all()


def test_temperature() -> None:
    assert conversion("K", None, "degC", None).array(np.array([273.15, 300.0])).tolist() == [
        0.0,
        pytest.approx(26.85),
    ]


@given(st.sampled_from(PAIRS), st.lists(st.floats(0.1, 6), min_size=1, max_size=5))
def test_polars_and_numpy_agree(pair: tuple, values: list[float]) -> None:
    found = conversion(*pair[0], *pair[1])
    by_polars = pl.DataFrame({"x": values}).select(found.expr(pl.col("x")))["x"].to_numpy()
    np.testing.assert_allclose(by_polars, found.array(np.array(values)), rtol=1e-12)


def test_integers_convert() -> None:
    found = conversion("percent", "mass", "g/kg", "mass").expr(pl.col("x"))
    assert pl.DataFrame({"x": [1, 2]}).select(found)["x"].to_list() == [10.0, 20.0]


def test_a_million_values_take_well_under_a_tenth_of_a_second() -> None:
    frame = pl.DataFrame({"x": np.linspace(0, 1000, 1_000_000)})
    expression = conversion("mg/kg", "mass", "cmol/kg", "charge", "K").expr(pl.col("x"))
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        frame.select(expression)
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.1


def test_words() -> None:
    assert conversion("percent", "mass", "g/kg", "mass").describe() == (
        "% by mass to g per kg of soil: x * 10"
    )
    assert conversion("K", None, "degC", None).describe() == "K to degC: x - 273.15"
    assert "soil_mass" in registry_definitions()
