"""A source with several supports: each part is a table of its own under one access and version."""

import pytest

from adapters.errors import SpecError
from adapters.spec import SourceSpec, load_spec
from adapters.standardise import standardise
from adapters.store import Store
from tests.adapters.making import column, make_raw, make_spec, text

TABLES = {
    "main": {"files": ["pits.csv"], "read": {"reader": "csv"}},
    "means": {"files": ["regions.csv"], "required": False, "read": {"reader": "csv"}},
}
PARTS = {
    "regions": {
        "description": "Means of regions.",
        "modality": "table",
        "tables": ["means"],
        "keys": ["region"],
        "space": {"support": "region", "region": "region", "region_system": "NUTS_2016"},
        "fuse": {"join": "region"},
    }
}
FILES = {"pits.csv": b"id,ph\na,5\nb,6\n", "regions.csv": b"region,ph\nAT11,5.5\n"}


@pytest.fixture
def spec(tmp_path) -> SourceSpec:
    return make_spec(
        tmp_path / "pits",
        [
            text("id"),
            column("ph"),
            text("region", table="means"),
            column("ph", table="means", unit="1"),
        ],
        tables=TABLES,
        keys=["id"],
        parts=PARTS,
    )


def test_pieces_are_sources_of_their_own(spec):
    main, regions = spec.pieces
    assert (main.id, regions.id) == ("pits", "pits__regions")
    assert main.source == regions.source == "pits"
    assert list(main.tables) == ["main"]
    assert list(regions.tables) == ["means"]
    assert [c.name for c in regions.columns] == ["region", "ph"]
    assert regions.fuse.join == "region"
    assert main.fuse.join == "none"
    assert regions.access == spec.access
    assert regions.pieces == (regions,)
    assert main.digest() != regions.digest()


def test_each_part_becomes_a_table_of_its_own(spec, settings):
    standard = standardise(spec, make_raw(settings, FILES), settings)
    main, regions = standard.pieces
    assert main.table["ph"].to_list() == [5.0, 6.0]
    assert regions.table["ph"].to_list() == [5.5]
    assert main.raw is regions.raw
    assert standard.whole_version not in (main.version, regions.version)


def test_all_parts_are_committed_and_one_that_left_goes(spec, settings):
    store = Store(settings)
    both = standardise(spec, make_raw(settings, FILES), settings)
    store.commit(both, [[], []])
    assert store.table("pits__regions")["ph"].to_list() == [5.5]
    assert set(store.meta("source")["source"]) == {"pits", "pits__regions"}
    alone = make_raw(settings, {"pits.csv": FILES["pits.csv"]})
    without = standardise(spec, alone, settings)
    assert without.parts == ()
    store.commit(without, [[]])
    assert store.table("pits__regions") is None
    assert store.table("pits__regions__flags") is None
    assert store.meta("source")["source"].to_list() == ["pits"]
    assert store.table("pits")["ph"].to_list() == [5.0, 6.0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"regions": {**PARTS["regions"], "tables": ["nowhere"]}}, "nowhere"),
        ({"regions": {**PARTS["regions"], "tables": ["means", "main"]}}, "main part"),
        ({"flags": PARTS["regions"]}, "flags"),
        ({"a": PARTS["regions"], "b": PARTS["regions"]}, "two parts"),
        ({"regions": {**PARTS["regions"], "keys": ["id"]}}, "id"),
    ],
)
def test_parts_that_make_no_sense_are_refused(tmp_path, change, said):
    columns = [text("id"), text("region", table="means")]
    with pytest.raises(ValueError, match=said):
        make_spec(tmp_path / "pits", columns, tables=TABLES, parts=change)


def test_a_part_of_a_source_is_loaded_by_its_id():
    with pytest.raises(SpecError, match="no such part"):
        load_spec("arsenic_topsoils__points")
