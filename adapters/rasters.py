"""Raster sources: every layer rewritten as a tiled GeoTIFF in canonical units.

Belongs here: which layers there are, conversion, plausible range, codes, statistics, writing.
Never here: how a format is opened (`readers`), sampling at points (room `fusion`).

Layers are read and written in strips, so that a raster need not fit in memory.
"""

import contextlib
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from adapters.codebooks import codebook
from adapters.columns import ColumnRecord, canonical_unit, column_range, convert, record
from adapters.correcting import correct_layer
from adapters.crs import require_same_crs, to_degrees
from adapters.errors import CodebookError, ReadError, SoilmeldError, UnitError, refuse
from adapters.layers import element_files, refuse_misnamed
from adapters.readers import is_glob, refuse_web_page, table_files
from adapters.readers.netcdf import open_variable
from adapters.readers.raster import Grid, open_band, open_mosaic
from adapters.rules import FLAGS_SCHEMA
from adapters.settings import Settings
from adapters.spec import Column, SourceSpec, TextureSum
from adapters.tally import Flag, Tally
from adapters.units import PACKED, conversion
from adapters.value_tables import decoded

_TILE = 512
# Cells of one strip: 16 M float64 are 128 MB.
_STRIP_CELLS = 16_000_000
_NO_CODE = -(2**31)
LAYERS_SCHEMA = {
    "row_ref": pl.String,
    "origin": pl.String,
    "column": pl.String,
    "element": pl.Int32,
    "path": pl.String,
    "sha256": pl.String,
    "crs": pl.String,
    "transform": pl.List(pl.Float64),
    "width": pl.Int32,
    "height": pl.Int32,
    "dtype": pl.String,
    "nodata": pl.Float64,
    "unit": pl.String,
    "minimum": pl.Float64,
    "maximum": pl.Float64,
    "mean": pl.Float64,
    "valid_share": pl.Float64,
    "codes": pl.List(pl.String),
}


def standardise_layers(
    spec: SourceSpec, raw: object, version: str, settings: Settings
) -> tuple[pl.DataFrame, pl.DataFrame, list[ColumnRecord]]:
    """Rewrite every layer of a raster source.

    The files appear under `data/std/<source>/<version>/` all together or not at all.

    Returns:
        One row a layer (LAYERS_SCHEMA), flags with one line for each layer and fault, records.

    Raises:
        ReadError: A layer is missing, cut off, without CRS, or no grid.
        CodebookError: A code is not in its codebook.
        UnitError: A unit does not parse or measures something else, or scales a second time.
    """
    final = settings.std / spec.id / version
    part = settings.scratch / f"std-{spec.id}-{uuid.uuid4().hex}"
    part.mkdir(parents=True)
    try:
        folder = raw.open(settings)
        for name in spec.tables:
            try:
                table_files(spec, name, raw.files)
            except SoilmeldError as error:
                refuse(error)
        try:
            refuse_misnamed(spec, raw.files)
        except SoilmeldError as error:
            refuse(error, ("tables", next(iter(spec.tables)), "files"))
        rows, flags, records = [], [], []
        for column in spec.columns:
            try:
                by = convert(spec, column) if column.kind == "numeric" else None
                written, flagged = _column(spec, column, raw, folder, part, settings)
            except SoilmeldError as error:
                refuse(error, ("columns", column.name))
                continue
            records.append(record(spec, column, by))
            flags += flagged
            for row in written:
                path = (final / row["path"]).relative_to(settings.data_root).as_posix()
                rows.append({**row, "path": path})
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.is_dir():
            # The version names all that the pixels depend on: what is there is the same.
            shutil.rmtree(part)
        else:
            part.rename(final)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return (
        pl.DataFrame(rows, schema=LAYERS_SCHEMA),
        pl.DataFrame(flags, schema=FLAGS_SCHEMA, orient="row"),
        records,
    )


def _column(
    spec: SourceSpec, column: Column, raw: object, folder: Path, part: Path, settings: Settings
) -> tuple[list[dict[str, object]], list[Flag]]:
    """Write the layers of one column: their rows, `path` being the name in `part`, and flags."""
    rows: list[dict[str, object]] = []
    with contextlib.ExitStack() as stack:
        layers, flags = _corrected(spec, column, raw, folder, stack)
        whole = _fractions(spec, column, raw, folder, stack) if layers else None
        for element, (row_ref, grid) in enumerate(layers):
            suffix = f"_{element}" if len(layers) > 1 else ""
            out = part / f"{column.name}{suffix}.tif"
            row, flagged = _rewrite(spec, column, row_ref, grid, whole, out, settings)
            rows.append({**row, "element": element, "origin": raw.origin, "path": out.name})
            flags += flagged
    return rows, flags


def _corrected(
    spec: SourceSpec, column: Column, raw: object, folder: Path, stack: contextlib.ExitStack
) -> tuple[list[tuple[str, Grid]], list[Flag]]:
    """Layers of a column with known errors of the publisher put right, and flags of those."""
    layers, flags = _layers(spec, column, raw, folder, stack), []
    for place, (row_ref, grid) in enumerate(layers):
        file = row_ref.partition("#")[0]
        grid, corrected = correct_layer(spec, column, file, row_ref, grid)
        _refuse_second_scale(spec, column, row_ref, grid)
        layers[place] = (row_ref, grid)
        flags += corrected
    return layers, flags


def _refuse_second_scale(spec: SourceSpec, column: Column, row_ref: str, grid: Grid) -> None:
    """Refuse a layer that its file and its unit would both scale.

    Raises:
        UnitError: The file declares a scale or an offset, and the unit of the column is a packed
            one.
    """
    plain = PACKED.get(str(column.unit))
    if plain is None or (grid.scale, grid.offset) == (1.0, 0.0):
        return
    by = conversion(str(column.unit), column.basis, plain, column.basis)
    bounds = "".join(
        f", {name} to {float(by.array(np.array(value))):g}"
        for name, value in (("minimum", column.minimum), ("maximum", column.maximum))
        if value is not None
    )
    declared = f"a scale of {grid.scale:g}"
    declared += f" and an offset of {grid.offset:g}" if grid.offset else ""
    raise UnitError(
        f"the file declares {declared}, and the unit {column.unit} of column {column.name} would "
        f"scale its values by {by.scale:g} once more",
        source=spec.id,
        file=row_ref,
        samples=[f"scale {grid.scale:g}, offset {grid.offset:g}"],
        remedy=f"where the file is right, set unit to {plain}{bounds} in line "
        f"{spec.columns.index(column) + 2} of columns.csv",
    )


@dataclass(frozen=True)
class _Fractions:
    """The layers that must add up to 100 % with the one that is written."""

    rule: TextureSum
    parts: tuple[tuple[Column, str, Grid], ...]

    def sums(self, spec: SourceSpec, start: int, stop: int) -> np.ndarray:
        """Sum of one strip in percent; NaN where a fraction is not known."""
        total: np.ndarray | float = 0.0
        for column, row_ref, grid in self.parts:
            unit, basis, _ = canonical_unit(column)
            percent = conversion(unit, basis, "percent", "mass")
            strip = _canonical(spec, column, row_ref, grid, grid.rows(start, stop), Tally())
            total = total + percent.array(strip)
        return np.asarray(total)


def _fractions(
    spec: SourceSpec, column: Column, raw: object, folder: Path, stack: contextlib.ExitStack
) -> _Fractions | None:
    """The rule that a column adds up by, if all its fractions are there.

    Raises:
        ReadError: The fractions lie on different grids.
    """
    rules = [r for r in spec.rules if isinstance(r, TextureSum) and column.name in r.columns]
    for rule in rules:
        parts: list[tuple[Column, str, Grid]] = []
        for name in rule.columns:
            layers, _ = _corrected(spec, spec.column(name), raw, folder, stack)
            parts += [(spec.column(name), row_ref, grid) for row_ref, grid in layers]
        if len(parts) < len(rule.columns):
            continue
        grids = {(g.height, g.width, tuple(g.transform)) for _, _, g in parts}
        if len(grids) > 1:
            raise ReadError(
                "layers that must add up lie on different grids",
                source=spec.id,
                file=parts[0][1],
                samples=[f"{ref}: {g.width} x {g.height} pixels" for _, ref, g in parts],
                remedy="hand in all fractions from one edition",
            )
        return _Fractions(rule, tuple(parts))
    return None


def _layers(
    spec: SourceSpec, column: Column, raw: object, folder: Path, stack: contextlib.ExitStack
) -> list[tuple[str, Grid]]:
    """(row_ref, grid) of every element of a column; none where it is optional and absent."""
    read = spec.tables[column.table].read
    found: list[tuple[str, Grid]] = []
    elements = element_files(column, raw.files)
    if not column.required and not any(files for _, files in elements):
        return []
    for native, files in elements:
        pattern, _, part = native.partition("#")
        if len(files) != 1 and not (files and is_glob(pattern)):
            raise ReadError(
                f"{len(files) or 'no'} files for layer {native!r}",
                source=spec.id,
                file=pattern,
                samples=files or [f.name for f in raw.files],
                remedy=f"put the file into data/raw/{spec.source}/, or correct native of column "
                f"{column.name} in line {spec.columns.index(column) + 2} of columns.csv",
            )
        paths = [(file, folder / file) for file in files]
        for file, path in paths:
            _refuse_no_raster(spec, file, path)
        file, path = paths[0]
        place = pattern if len(files) > 1 else file
        row_ref = f"{place}#{part}" if part else place
        if read.reader == "netcdf":
            as_array = column.axis is not None and len(column.natives) == 1
            opened = open_variable(spec, read, path, file, part, as_array)
            found += [(row_ref, grid) for grid in stack.enter_context(opened)]
        elif len(files) > 1:
            found.append((row_ref, stack.enter_context(open_mosaic(spec, read, paths, part))))
        else:
            found.append((row_ref, stack.enter_context(open_band(spec, read, path, file, part))))
    if read.value_table and column.kind == "categorical":
        found = [(ref, decoded(spec, column, ref, grid)) for ref, grid in found]
    return found


def _refuse_no_raster(spec: SourceSpec, file: str, path: Path) -> None:
    if path.is_dir():  # an ESRI binary grid
        return
    if path.stat().st_size == 0:
        raise ReadError(
            "the file is empty", source=spec.id, file=file, remedy="fetch the file again"
        )
    refuse_web_page(spec.id, file, path)


def _rewrite(
    spec: SourceSpec,
    column: Column,
    row_ref: str,
    grid: Grid,
    whole: _Fractions | None,
    out: Path,
    settings: Settings,
) -> tuple[dict[str, object], list[Flag]]:
    """Write one layer; its row and its flags."""
    import rasterio
    from rasterio.transform import array_bounds
    from rasterio.windows import Window

    declared = spec.tables[column.table].read.crs or spec.space.crs
    bounds = array_bounds(grid.height, grid.width, grid.transform)
    crs = require_same_crs(spec, row_ref, declared, grid.crs, bounds, column.table)
    _require_place(spec, row_ref, crs, bounds)
    numeric = column.kind == "numeric"
    dtype, nodata = ("float32", np.nan) if numeric else ("int32", _NO_CODE)
    tally = Tally()
    profile = {
        "driver": "GTiff",
        "height": grid.height,
        "width": grid.width,
        "count": 1,
        "dtype": dtype,
        "crs": crs,
        "transform": grid.transform,
        "nodata": nodata,
        "tiled": True,
        # A small layer is one tile of its own size: writing 512 x 512 cells for 70 x 80 takes time.
        "blockxsize": min(_TILE, -(-grid.width // 16) * 16),
        "blockysize": min(_TILE, -(-grid.height // 16) * 16),
        "compress": "deflate",
        "predictor": 3 if numeric else 2,
        "zlevel": 1,
        "bigtiff": "if_safer",
        "num_threads": settings.threads,
    }
    with rasterio.open(out, "w", **profile) as target:
        for start, stop in _strips(grid):
            values = _canonical(spec, column, row_ref, grid, grid.rows(start, stop), tally)
            if whole is not None:
                sums = whole.sums(spec, start, stop)
                off = np.abs(sums - 100.0) > whole.rule.tolerance
                if off.any():
                    tally.miss_sum(values[off], sums[off])
                    values[off] = np.nan
            tally.add(values)
            if not numeric:
                values = np.where(np.isfinite(values), values, _NO_CODE)
            target.write(values.astype(dtype), 1, window=Window(0, start, grid.width, stop - start))
    cells = grid.height * grid.width
    unit = canonical_unit(column)[0] if numeric else None
    known = tally.valid > 0
    row = {
        "row_ref": row_ref,
        "column": column.name,
        "sha256": _sha256(out),
        "crs": crs,
        "transform": list(grid.transform)[:6],
        "width": grid.width,
        "height": grid.height,
        "dtype": dtype,
        "nodata": float(nodata),
        "unit": unit,
        "minimum": tally.low if known else None,
        "maximum": tally.high if known else None,
        "mean": tally.total / tally.valid if known else None,
        "valid_share": tally.valid / cells,
        "codes": None if grid.coded is None else list(grid.coded.codes),
    }
    book = codebook(str(column.codebook), spec.folder) if column.codebook else None
    if column.background is not None and not tally.background:
        raise CodebookError(
            f"column {column.name}: no pixel holds {column.background}, the code of the background",
            source=spec.id,
            file=row_ref,
            samples=[] if book is None else [book.codes[column.background]],
            remedy="where nodata is the background of this file, set background_is_nodata to true "
            f"in line {spec.columns.index(column) + 2} of columns.csv; absence is then told of "
            "all nodata pixels, those outside the map among them",
        )
    rule = whole.rule if whole else None
    return row, tally.flags(row_ref, column, cells, rule, dict(book.codes) if book else {})


def _require_place(
    spec: SourceSpec, row_ref: str, crs: str, bounds: tuple[float, float, float, float]
) -> None:
    """Refuse a layer whose middle lies outside of the source's bounds, or nowhere on Earth."""
    west, south, east, north = spec.space.bounds or (-180.0, -90.0, 180.0, 90.0)
    middle = ((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
    longitude, latitude = to_degrees(crs).transform(*middle)
    if not (west <= longitude <= east and south <= latitude <= north):
        raise ReadError(
            f"its middle lies outside of {west:g} to {east:g} E, {south:g} to {north:g} N",
            source=spec.id,
            file=row_ref,
            samples=[f"{middle[0]:g}, {middle[1]:g}: {longitude:.2f} E, {latitude:.2f} N"],
            remedy="the CRS is another one: correct `crs` in source.yaml, or fetch the file again "
            "with its side files (.prj, .aux.xml)",
        )


def _strips(grid: Grid) -> Iterator[tuple[int, int]]:
    height = max(_TILE, _STRIP_CELLS // grid.width // _TILE * _TILE)
    for start in range(0, grid.height, height):
        yield start, min(start + height, grid.height)


def _canonical(
    spec: SourceSpec, column: Column, row_ref: str, grid: Grid, values: np.ndarray, tally: Tally
) -> np.ndarray:
    """One strip in the canonical unit, NaN where there is no ordinary value."""
    read = spec.tables[column.table].read
    values[~np.isfinite(values)] = np.nan
    for token in (*read.missing, *column.missing):
        # What the codes of a value attribute table say is missing was looked up with them.
        if token and grid.coded is None:
            # Pixels of 32 bits hold what a person writes with 16 digits to the seventh alone.
            found = np.isclose(values, _token(spec, column, token), rtol=1e-6, atol=0)
            if token in column.missing and found.any():
                tally.missing[token] = tally.missing.get(token, 0) + int(found.sum())
            values[found] = np.nan
    if column.kind != "numeric":
        values = _known_codes(spec, column, row_ref, grid, values, tally)
        if column.background is not None:
            code = float(column.background)
            if column.background_is_nodata:
                values[np.isnan(values)] = code
            tally.background += int((values == code).sum())
        return values
    if column.clip_below is not None:
        slight = (values >= column_range(column)[0]) & (values < column.clip_below)
        if slight.any():
            tally.clip(values[slight])
            values[slight] = column.clip_below
    converted = convert(spec, column).array(values)
    own = column.minimum is not None or column.maximum is not None
    low, high, _ = column_range(column)
    compared = values if own else converted
    with np.errstate(invalid="ignore"):
        outside = (compared < low) | (compared > high)
    outside |= np.isfinite(values) & ~np.isfinite(converted)
    # float32 keeps seven digits: a number beyond its range would be written as infinite.
    outside |= np.abs(converted) > np.finfo(np.float32).max
    if outside.any():
        tally.refuse(converted[outside])
        converted[outside] = np.nan
    return converted


def _token(spec: SourceSpec, column: Column, token: str) -> float:
    try:
        return float(token)
    except ValueError as error:
        raise ReadError(
            f"missing token {token!r} is no number, and pixels are numbers",
            source=spec.id,
            file="columns.csv",
            where=f"column {column.name}",
            remedy="write the number that means missing",
        ) from error


def _known_codes(
    spec: SourceSpec, column: Column, row_ref: str, grid: Grid, values: np.ndarray, tally: Tally
) -> np.ndarray:
    present = np.unique(values[np.isfinite(values)])
    if (broken := present[present != np.round(present)]).size:
        raise ReadError(
            f"column {column.name}: codes that are no whole numbers",
            source=spec.id,
            file=row_ref,
            samples=broken.tolist(),
            remedy="make the column numeric with a unit, or correct native in columns.csv",
        )
    book = codebook(str(column.codebook), spec.folder) if column.kind == "categorical" else None
    if book is None:
        return values
    foreign = np.zeros(len(present), dtype=bool)
    lacking = f"codebook {column.codebook}"
    samples, natives = [int(c) for c in present], present.tolist()
    if grid.coded is not None:
        last = len(grid.coded.codes)
        foreign = present >= last
        strange = [grid.coded.foreign[int(p) - last] if p >= last else None for p in present]
        samples = [said and said[1] for said in strange]
        natives = [said[0] if said and said[0] is not None else np.nan for said in strange]
    elif not book.is_open:
        foreign = book.normalise(pl.Series(present.astype(np.int64)))[1].to_numpy()
    if grid.codes is not None and not foreign.any():
        foreign, lacking = ~np.isin(present, list(grid.codes)), "the file's own table of values"
    unknown = present[foreign].tolist()
    if not unknown:
        return values
    count = int(np.isin(values, unknown).sum())
    if column.unknown_code == "refuse":
        raise CodebookError(
            f"column {column.name}: {count} pixels hold codes that {lacking} lacks",
            source=spec.id,
            file=row_ref,
            samples=[s for s, odd in zip(samples, foreign, strict=True) if odd],
            remedy=f"add the codes to codebooks/{column.codebook}.csv, or to `missing` or set "
            f"unknown_code to flag in line {spec.columns.index(column) + 2} of columns.csv",
        )
    tally.unknown += count
    tally.code, tally.lacking = natives[int(np.argmax(foreign))], lacking
    return np.where(np.isin(values, unknown), np.nan, values)


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
        return hashlib.file_digest(handle, "sha256").hexdigest()
