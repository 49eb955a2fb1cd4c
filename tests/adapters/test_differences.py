"""`soilmeld diff`: rows by key, shifts of columns and layers, files and specification."""

import json

import numpy as np
import pytest
import rasterio
from making import column, make_spec, text
from rasterio.transform import from_origin

from adapters.archive import activate, ingest
from adapters.differences import difference, resolve
from adapters.errors import ArchiveError
from adapters.standardise import standardise
from adapters.store import Store

BEFORE = {i: (5 + i / 10, "sand") for i in range(40)}


def csv(rows: dict[int, tuple[float, str]], header: str = "id,ph,note") -> str:
    return header + "\n" + "".join(f"{i},{ph},{note}\n" for i, (ph, note) in rows.items())


def handed_in(spec, settings, name: str, content: str | bytes, commit: bool = False):
    path = settings.raw / spec.id / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    raw = ingest(spec, settings)
    if commit:
        Store(settings).commit(standardise(spec, raw, settings), [[]])
        activate(raw, settings)
    return raw


def pits(folder, **more):
    ph = column("ph", unit="pH", quantity="ph_h2o", **more)
    return make_spec(folder, [text("id"), ph, text("note", required=False)], keys=["id"])


def test_rows_added_removed_and_changed_by_key(tmp_path, settings):
    spec = pits(tmp_path / "spec")
    old = handed_in(spec, settings, "pits.csv", csv(BEFORE), commit=True)
    after = {**BEFORE, 3: (7.7, "clay"), 40: (6.0, "silt"), 41: (6.1, "silt")}
    del after[0]
    new = handed_in(spec, settings, "pits.csv", csv(dict(reversed(after.items()))))
    (found,) = difference(spec, "active", "next", settings)
    assert (found.before, found.after) == (old.version[:12], new.version[:12])
    assert found.rows == {
        "rows before": 40, "after": 41, "added": 2, "removed": 1, "changed": 1,
    }  # fmt: skip
    assert found.examples["removed"] == ["0"]
    assert set(found.examples["added"]) == {"40", "41"}
    assert found.examples["changed"] == ["3: ph 5.3 -> 7.7, note sand -> clay"]
    assert {s.column: s.changed for s in found.columns} == {"ph": 1, "note": 1}
    assert found.files == {"pits.csv": "changed"}
    assert json.loads(json.dumps(found.as_dict()))["rows"]["added"] == 2
    assert "3: ph 5.3 -> 7.7" in found.readable()


def test_the_shift_of_a_column(tmp_path, settings):
    spec = pits(tmp_path / "spec")
    handed_in(spec, settings, "pits.csv", csv(BEFORE), commit=True)
    moved = {i: ((ph + 1, n) if i % 4 else ("", n)) for i, (ph, n) in BEFORE.items()}
    handed_in(spec, settings, "pits.csv", csv(moved))
    (found,) = difference(spec, "active", "next", settings)
    (shift,) = found.columns
    assert shift.missing == (0.0, 0.25)
    before, after = (np.array([v for v in values]) for values in (
        [ph for ph, _ in BEFORE.values()], [ph for ph, _ in moved.values() if ph != ""],
    ))  # fmt: skip
    assert shift.quantiles[0][1] == pytest.approx(np.median(before))
    assert shift.quantiles[1][1] == pytest.approx(np.median(after))
    from scipy.stats import ks_2samp

    assert shift.ks == pytest.approx(ks_2samp(before, after).statistic, abs=1e-6)


def test_the_same_version_has_no_difference(tmp_path, settings):
    spec = pits(tmp_path / "spec")
    handed_in(spec, settings, "pits.csv", csv(BEFORE), commit=True)
    (found,) = difference(spec, "active", "next", settings)
    assert (found.columns, found.files, found.spec, found.rows["changed"]) == ((), {}, (), 0)


def test_what_changed_in_the_specification(tmp_path, settings):
    handed_in(pits(tmp_path / "spec"), settings, "pits.csv", csv(BEFORE), commit=True)
    spec = pits(tmp_path / "spec", minimum=4.0)
    handed_in(spec, settings, "pits.csv", csv({**BEFORE, 1: (6, "x")}))
    (found,) = difference(spec, "active", "next", settings)
    assert found.spec == (("ph", "minimum", None, 4.0),)


def test_a_version_by_the_beginning_of_its_id_and_what_is_none(tmp_path, settings):
    spec = pits(tmp_path / "spec")
    with pytest.raises(ArchiveError, match="no version 'active'"):
        resolve(spec, "active", settings)
    old = handed_in(spec, settings, "pits.csv", csv(BEFORE))
    assert resolve(spec, old.version[:6], settings).version == old.version
    with pytest.raises(ArchiveError, match="no version 'quarantined'"):
        resolve(spec, "quarantined", settings)


def tif(tmp_path, values, west: float = 0.0) -> bytes:
    path = tmp_path / "layer.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=4, height=3, count=1, dtype="float32", crs="EPSG:3035",
        transform=from_origin(west, 3000, 1000, 1000), nodata=-1,
    ) as target:  # fmt: skip
        target.write(np.asarray(values, dtype="float32").reshape(3, 4), 1)
    return path.read_bytes()


def test_pixels_that_changed_and_another_grid(tmp_path, settings):
    spec = make_spec(
        tmp_path / "spec",
        [column("stock", native="layer.tif", unit="t/ha")],
        modality="raster",
        tables={"main": {"files": ["layer.tif"], "read": {"reader": "raster"}}},
        space={"support": "grid"},
    )
    values = np.arange(12.0)
    handed_in(spec, settings, "layer.tif", tif(tmp_path, values), commit=True)
    values[[0, 5]] = [-1, 50]
    handed_in(spec, settings, "layer.tif", tif(tmp_path, values))
    (found,) = difference(spec, "active", "next", settings)
    (shift,) = found.columns
    assert (shift.column, shift.changed, shift.note) == ("stock", 2, None)
    assert shift.missing == pytest.approx((0, 1 / 12), abs=1e-5)
    handed_in(spec, settings, "layer.tif", tif(tmp_path, values, west=500.0))
    (found,) = difference(spec, "active", "next", settings)
    assert found.columns[0].note == "another grid: transform"
    assert found.columns[0].changed is None
