"""Quantities and methods: the shipped files are sound, faulty ones are refused."""

from pathlib import Path

import pytest

from adapters.errors import SpecError
from adapters.quantities import method, methods, quantities, quantity
from adapters.spec import load_spec, source_ids
from adapters.units import conversion


def test_methods_that_change_the_meaning_are_quantities_of_their_own() -> None:
    assert quantity("ph_h2o") != quantity("ph_cacl2") != quantity("ph_kcl")
    assert quantity("extractable_phosphorus_olsen").analyte == "P"
    assert quantity("organic_matter").analyte is None
    assert quantity("organic_carbon").unit == "g/kg"
    assert method("iso_10390").reference == "ISO 10390:2005"


@pytest.mark.parametrize("source", source_ids())
def test_every_source_names_quantities_methods_and_units_that_meet(source: str) -> None:
    for column in load_spec(source).columns:
        if column.method:
            assert method(column.method).id == column.method
        if not column.quantity:
            continue
        said = quantity(column.quantity)
        # A spread of temperatures is a difference, which no thermometer scale holds.
        if column.kind == "numeric" and said.unit and column.statistic not in ("sd", "variance"):
            by = conversion(column.unit, column.basis, said.unit, said.basis, said.analyte)
            assert by.transform or by.scale > 0


def test_unknown_ids_say_what_there_is() -> None:
    with pytest.raises(SpecError, match="(?s)no quantity 'ph'.*ph_h2o"):
        quantity("ph")
    with pytest.raises(SpecError, match="(?s)no method 'iso_1'.*iso_10390"):
        method("iso_1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- {id: a, title: A, group: g, description: d}", "canonical unit"),
        ("- {id: a, title: A, kind: text, unit: m, group: g, description: d}", "canonical unit"),
        ("- {id: A b, title: A, unit: m, group: g, description: d}", "match pattern"),
        ("- {id: a, title: A, unit: m, group: g, description: d, colour: 1}", "colour"),
        ("- {id: a, title: A, unit: m, minimum: 2, maximum: 1, group: g, description: d}", "below"),
        ("- &a {id: a, title: A, unit: m, group: g, description: d}\n- *a", "stands twice"),
    ],
)
def test_faulty_quantities_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "quantities.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=says):
        quantities(path)


def test_a_method_stands_once(tmp_path: Path) -> None:
    path = tmp_path / "methods.yaml"
    path.write_text("- &a {id: a, title: A, reference: r, description: d}\n- *a", encoding="utf-8")
    with pytest.raises(SpecError, match="stands twice"):
        methods(path)
