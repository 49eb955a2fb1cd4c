"""Limits of quantification that another table of the source lists by header."""

import datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from making import column, make_raw, make_spec, text

from adapters import twin
from adapters.archive import ingest
from adapters.checking import examine
from adapters.errors import ReadError
from adapters.settings import Settings
from adapters.spec import Column, SourceSpec, load_spec
from adapters.standardise import standardise

CSV = {"reader": "csv"}


def _spec(folder: Path, **more: object) -> SourceSpec:
    amount = {"unit": "mg/kg", "basis": "mass", "quantity": "pesticide_residue"}
    return make_spec(
        folder,
        [
            text("region", native="Region"),
            column("residues", native="*", limits="loq", **amount),
            text("substance", native="Name", table="label"),
            column("loq", native="LOQ", table="label", minimum=0, maximum=1, **amount, **more),
        ],
        keys=("region",),
        tables={
            "main": {"files": ["means.csv"], "read": CSV},
            "label": {
                "files": ["label.csv"], "read": CSV, "compose": "limits", "on": ["substance"],
            },
        },
    )  # fmt: skip


LEVEL = st.sampled_from(["0", "0.0", "0.004", "2.5", "", "<0.1"])


@given(
    rows=st.lists(st.tuples(LEVEL, LEVEL, LEVEL), min_size=1, max_size=8),
    limits=st.lists(st.none() | st.sampled_from(["0.01", "0.5"]), min_size=3, max_size=3),
)
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_zero_is_below_its_limit_where_one_is_listed(
    settings: Settings, rows: list[tuple[str, str, str]], limits: list[str | None]
) -> None:
    names = ("AMPA", "DDE p p'", "Boscalid")
    means = ["Region,ampa," + ",".join(names[1:])]
    means += [f"R{i},{','.join(row)}" for i, row in enumerate(rows)]
    label = ["Name,LOQ"] + [f"{n},{v}" for n, v in zip(names, limits, strict=True) if v]
    files = {"means.csv": "\n".join(means).encode(), "label.csv": "\n".join(label).encode()}
    if len(label) == 1:
        label.append("Else,0.1")
        files["label.csv"] = "\n".join(label).encode()
    made = standardise(_spec(settings.data_root / "spec"), make_raw(settings, files), settings)
    told = made.flags.filter(flag="below_detection")
    for number, row in enumerate(rows):
        own = told.filter(row_ref=f"means.csv#{number + 2}")
        values = made.table["residues"][number]
        for place, (name, cell, limit) in enumerate(zip(names, row, limits, strict=True)):
            mine = own.filter(own["detail"].str.to_lowercase().str.starts_with(name.lower()))
            value = None if values is None else values[place]
            if cell in ("0", "0.0") and limit:
                assert value is None
                assert mine["value"].to_list() == [float(limit)]
                assert mine["raw"].to_list() == [cell]
            elif cell in ("", "<0.1"):
                assert value is None
                assert mine["value"].to_list() == ([0.1] if cell else [])
            else:
                assert value == float(cell)
                assert mine.is_empty()


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("Name,LOQ\nA,0.1\nA,0.2\n", "a key more than once"),
        ("Name,LOQ\nA,50\n", "limits that are no plausible numbers"),
        ("Name,LOQ\nA,x\n", "no number"),
    ],
)
def test_limits_that_cannot_be_right_are_refused(settings: Settings, label: str, said: str) -> None:
    files = {"means.csv": b"Region,A\nR1,0\n", "label.csv": label.encode()}
    with pytest.raises(ReadError, match=said):
        standardise(_spec(settings.data_root / "spec"), make_raw(settings, files), settings)


def test_limits_must_stand_in_a_table_of_limits(settings: Settings) -> None:
    spec = _spec(settings.data_root / "spec")
    columns = [c.model_dump() for c in spec.columns]
    columns[1]["limits"] = "region"
    with pytest.raises(ValueError, match="name no column of a table that composes limits"):
        SourceSpec.model_validate({**spec.model_dump(), "folder": spec.folder, "columns": columns})


def test_pesticides_below_their_limit_are_no_zeros(settings: Settings) -> None:
    twin.write(settings, sources=("pesticides_residues_nuts2",), size="tiny", seed=5)
    spec = load_spec("pesticides_residues_nuts2")
    raw = ingest(spec, settings)
    assert raw is not None
    made = standardise(spec, raw, settings)
    below = made.flags.filter(flag="below_detection")
    of_vector = below.filter(column="pesticide_concentrations")
    assert of_vector.height > 100
    assert set(of_vector["value"].unique()) <= {0.001, 0.005, 0.01, 0.05}
    values = made.table["pesticide_concentrations"].explode()
    assert (values == 0).sum() == 0
    # The ten that are declared by name say the same as the vector.
    ampa = of_vector.filter(of_vector["detail"].str.starts_with("AMPA:"))["row_ref"].to_list()
    assert below.filter(column="pesticide_ampa")["row_ref"].to_list() == ampa


def test_a_registry_number_that_was_saved_as_a_date_is_flagged(settings: Settings) -> None:
    from expectations.checking import check

    source = "pesticides_residues_nuts2"
    twin.write(settings, sources=[source], size="tiny")
    path = settings.raw / source / "pesticides_residues_NUTS2.xlsx"
    spec = load_spec(source)
    good = check(spec, path, settings)
    assert good.meets
    assert "malformed" not in good.flags
    book = openpyxl.load_workbook(path)
    rows = {row[0].value: row for row in book["Label"]}
    rows["AMPA"][1].value = datetime.datetime(1966, 9, 1)
    rows["Glyphosate"][1].value = "01/09/1971"
    book.save(path)
    bad = check(spec, path, settings)
    assert bad.meets
    assert bad.flags["malformed"] == 2
    (finding,) = [f for f in bad.findings if f.where == "cas_number"]
    assert not finding.refused
    assert finding.samples[1].endswith("!Label#3: 01/09/1971")
    assert "a spreadsheet made dates of such texts" in finding.change
    assert finding.spec_line == f"columns.csv:{spec.column('cas_number').line}"
    (standard,) = examine(spec, path, settings).standards
    flags = standard.flags.filter(flag="malformed")
    assert flags["row_ref"].str.contains("!Label#").all()


@pytest.mark.parametrize(
    ("kind", "form", "said"), [("numeric", "x", "of texts"), ("text", "(", "no regular expression")]
)
def test_a_form_that_cannot_be_does_not_load(kind: str, form: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Column(
            name="a", table="t", native="A", kind=kind, form=form, evidence="assumed",
            description="a", unit="1" if kind == "numeric" else None,
            quantity="ph_ratio" if kind == "numeric" else None,
        )  # fmt: skip
