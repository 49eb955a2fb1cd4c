"""The whole twin through the main job: every source is written, and every fault is found."""

import polars as pl

from adapters import twin
from adapters.settings import Settings
from adapters.spec import SourceSpec, load_spec
from adapters.store import Store


def _flags(piece: SourceSpec, store: Store) -> pl.DataFrame:
    """Flags of one piece with the keys that its faults bear."""
    flags, table = store.table(f"{piece.id}__flags"), store.table(piece.id)
    assert flags is not None
    assert table is not None
    if piece.is_raster:
        return flags.with_columns(key="row_ref")
    keys = [pl.col(key).cast(pl.String) for key in piece.keys]
    rows = table.select("row_ref", key=pl.concat_str(keys, separator="|"))
    return flags.join(rows, on="row_ref")


def test_every_planted_fault_is_flagged(whole: tuple[Settings, object]) -> None:
    settings, _ = whole
    missed, looked = [], 0
    for source in twin.SOURCES:
        for piece in load_spec(source).pieces:
            path = settings.truth_root / piece.id / "faults.parquet"
            # Rows without a key cannot be told apart here; their sources have tests of their own.
            if not path.is_file() or not (piece.is_raster or piece.keys):
                continue
            planted = pl.read_parquet(path).drop_nulls("flag")
            flags = _flags(piece, Store(settings))
            of_row = pl.col("column").is_null()
            missed += [
                *planted.filter(of_row).join(flags, on=["key", "flag"], how="anti").rows(),
                *planted.filter(~of_row)
                .join(flags, on=["key", "flag", "column"], how="anti")
                .rows(),
            ]
            looked += planted.height
    assert missed == []
    assert looked > 200


def test_all_68_have_a_writer() -> None:
    beside = {source for source in twin.SOURCES if load_spec(source).auxiliary}
    assert len(twin.SOURCES) - len(beside) == 68
    assert beside == {"soilnet_profiles"}
