"""A set of tiles on disk, read back: `TileSet`, from a folder or from an http(s) address.

Belongs here: how a version of a set is laid out, and reading one.
Never here: writing one (`writing.py`), the bytes of a shard (`shards.py`).

A version is a folder that never changes, named by what is in it::

    <folder>/<version>/shards/00000.tar ...   the tiles, 256 a shard
    <folder>/<version>/index.parquet          one row a tile (GeoParquet)
    <folder>/<version>/set.json               modalities, statistics, checksums
"""

import datetime
import functools
import hashlib
import io
import json
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from adapters.errors import FusionError
from adapters.modalities import ModalitySpec, modality
from fusion.tiles.shards import broken_member, open_place, unframe
from fusion.tiles.statistics import TileStatistics
from fusion.tiles.tile import Tile

FORMAT = 3
DESCRIBED = ("described.offset", "described.bytes", "described.crc")
"""Columns of the index: where what describes a tile is, and its checksum."""
SPANS = ("offset", "bytes", "mask_offset", "mask_bytes")
"""Columns of each modality: where its values and its masks are."""
PLACE = ("id", "longitude", "latitude", "crs", "west", "north", "origin")
"""Fields of a tile that describe it as they are."""
_GAP = 32_768
"""Members that lie this close to each other are read at once: a request costs more than the gap."""


def storage(spec: ModalitySpec) -> dict[str, Any]:
    """What must still be true of a modality for its stored pixels to mean the same."""
    fields = ("kind", "gsd", "dtype", "scale", "offset", "bands", "codes")
    dumped = spec.model_dump(mode="json", include={*fields})
    bands = [{k: band[k] for k in ("name", "unit", "wavelength_nm")} for band in dumped["bands"]]
    return {**dumped, "bands": bands}


class Rows:
    """Tiles by row number; any thread may ask."""

    def __init__(self, place, frame: pl.DataFrame, held: Sequence[ModalitySpec]) -> None:  # noqa: ANN001
        self.place, self.count = place, frame.height
        self._shards, self._shard = _numbered(frame["shard"])
        self._described = frame.select(DESCRIBED).to_numpy()
        self._spans: dict[str, np.ndarray] = {}  # (n, 4)
        self._shares: dict[str, np.ndarray | pl.Series] = {}
        self.names = tuple(spec.id for spec in held)
        # Looked up for every member that is read.
        self._kinds = {spec.id: (np.dtype(spec.dtype), spec.shape) for spec in held}
        for spec in held:
            columns = [pl.col(f"{spec.id}.{part}").fill_null(-1) for part in SPANS]
            self._spans[spec.id] = frame.select(columns).to_numpy()
            shares = frame[f"{spec.id}.share"]
            if not spec.is_vector:
                absent = [0.0] * len(spec.bands)
                shares = shares.fill_null(pl.Series([absent], dtype=shares.dtype))
                shares = shares.list.to_array(len(spec.bands)).to_numpy()
            self._shares[spec.id] = shares
        # Most tiles have the same names: each list is kept once.
        self._names: dict[str, tuple[list[tuple[str, ...]], np.ndarray]] = {}
        for spec in (spec for spec in held if spec.is_vector):
            listed, which = _numbered(frame[f"{spec.id}.names"].list.join("\0"))
            self._names[spec.id] = [tuple(names.split("\0")) for names in listed], which

    @staticmethod
    def columns(held: Sequence[ModalitySpec]) -> list[str]:
        """Columns of the index that tiles are found by."""
        parts = {spec.id: (*SPANS, "share", *(["names"] * spec.is_vector)) for spec in held}
        found = [f"{name}.{part}" for name, listed in parts.items() for part in listed]
        return ["shard", *DESCRIBED, *found]

    def vector_names(self, i: int) -> dict[str, tuple[str, ...]]:
        """Names of the elements of the vectors that a tile has."""
        found = {name: (listed, which[i]) for name, (listed, which) in self._names.items()}
        return {name: listed[place] for name, (listed, place) in found.items() if place >= 0}

    def shard(self, i: int) -> str:
        """File that a tile is in."""
        return f"shards/{self._shards[self._shard[i]]}"

    def stored(
        self, i: int, wanted: Sequence[str] | None
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Stored arrays and masks of a tile; modalities that it has not are left out."""
        spans = self._wanted(i, wanted)
        members = [(int(s[0]), int(s[1])) for s in spans.values()]
        members += [(int(s[2]), int(s[3])) for s in spans.values() if s[3] > 0]
        data = self.members(i, members)
        return {name: self._decoded(i, name, span, data) for name, span in spans.items()}

    def described(self, i: int) -> dict[str, Any]:
        """What describes a tile."""
        start, length, crc = self._described[i].tolist()
        data = bytes(self.members(i, [(start, length)])[start])
        if zlib.crc32(data) != crc:
            raise broken_member(f"{self.place.name}/{self.shard(i)}, byte {start}")
        return json.loads(data)

    def members(self, i: int, spans: list[tuple[int, int]]) -> dict[int, memoryview]:
        """Contents of members by where they begin, neighbours read at once."""
        runs: list[list] = []
        for start, length in sorted(spans):
            if runs and start - runs[-1][1] <= _GAP:
                runs[-1][1] = start + length
                runs[-1][2].append((start, length))
            else:
                runs.append([start, start + length, [(start, length)]])
        found = {}
        for first, last, inside in runs:
            data = memoryview(self.place.part(self.shard(i), first, last - first))
            found |= {s: data[s - first : s - first + length] for s, length in inside}
        return found

    def _wanted(self, i: int, wanted: Sequence[str] | None) -> dict[str, np.ndarray]:
        names = self.names if wanted is None else wanted
        if unknown := sorted(set(names) - set(self.names)):
            raise FusionError(
                "the set has no such modality",
                file=self.place.name,
                samples=unknown,
                remedy=f"use some of: {', '.join(self.names)}",
            )
        return {name: span for name in names if (span := self._spans[name][i])[1] >= 0}

    def _decoded(
        self, i: int, name: str, span: np.ndarray, data: dict[int, memoryview]
    ) -> tuple[np.ndarray, np.ndarray]:
        share = np.asarray(self._shares[name][int(i)])
        dtype, shape = self._kinds[name]
        shape = shape or (len(share),)
        where = f"{self.place.name}/{self.shard(i)}, byte {span[0]}"
        values = unframe(data[int(span[0])], dtype, shape, where)
        present = np.empty(shape, bool)
        present[...] = (share == 1).reshape(-1, *(1,) * (len(shape) - 1))
        if span[3] > 0:
            mixed = np.flatnonzero((share > 0) & (share < 1))
            pixels = math.prod(shape[1:])
            packed = (len(mixed), -(-pixels // 8))
            bits = unframe(data[int(span[2])], np.dtype(np.uint8), packed, where)
            masks = np.unpackbits(bits, axis=1, count=pixels).view(bool)
            present[mixed] = masks.reshape(len(mixed), *shape[1:])
        return values, present


def _numbered(series: pl.Series) -> tuple[list[str], np.ndarray]:
    """The different texts of a series, and which one each row has; -1 for none."""
    different = series.drop_nulls().unique(maintain_order=True)
    which = series.replace_strict(
        different, pl.int_range(len(different), eager=True), default=-1, return_dtype=pl.Int32
    )
    return different.to_list(), which.to_numpy()


class TileSet:
    """A version of a set of tiles, in a folder or behind an http(s) address.

    Attributes:
        modalities: Ids of the modalities that any tile has.
        statistics: Of the training split.
        described: Content of `set.json`.
        fingerprint: sha256 of all that the set holds.
    """

    def __init__(self, folder: Path | str) -> None:
        """Open a version.

        Args:
            folder: What `write` returned, or the address that it is served at.

        Raises:
            FusionError: It is no set of tiles, the index is not what it was, or the set was written
                under other definitions of its modalities.
        """
        self._place = open_place(folder)
        content = self._place.whole("set.json")
        self.described: dict[str, Any] = json.loads(content)
        self.fingerprint = hashlib.sha256(content).hexdigest()
        self._require_same_meaning()
        held = [modality(name) for name in self.described["modalities"]]
        self.modalities = tuple(spec.id for spec in held)
        self.statistics = TileStatistics.model_validate(self.described["statistics"])
        # A set of millions of tiles is read by these columns alone.
        self._rows = Rows(self._place, self.columns(*Rows.columns(held)), held)

    def __len__(self) -> int:
        return self._rows.count

    @functools.cached_property
    def index(self) -> pl.DataFrame:
        """One row a tile.

        Columns: id, place, geometry, date, origin, licences, split, block, caption, checksum; of
        each modality `<modality>.share` (present pixels of each band), `.mean`, `.std`,
        `.minimum`, `.maximum`, `.names` (vectors) and where its bytes are.
        """
        return self.columns()

    @functools.cached_property
    def captions_checked(self) -> bool | None:
        """Was every claim of the captions checked on the tiles' arrays? None without captions.

        A set that does not say so counts as unchecked.
        """
        if "captions" in self.described:
            return bool(self.described["captions"].get("checked", False))
        return False if self.columns("caption")["caption"].count() else None

    def columns(self, *names: str) -> pl.DataFrame:
        """Some columns of the index, without keeping the others; all columns if none is named.

        Raises:
            FusionError: The index is not what it was.
        """
        content = self._place.whole("index.parquet")
        if hashlib.sha256(content).hexdigest() != self.described["index"]["sha256"]:
            raise FusionError(
                "the index is not the one that was written",
                file=f"{self._place.name}/index.parquet",
                remedy="write the set again or copy it again",
            )
        return pl.read_parquet(io.BytesIO(content), columns=[*names] or None)

    def read(self, i: int, modalities: Sequence[str] | None = None) -> Tile:
        """One tile, as exact as its storage.

        Args:
            i: Row of the index.
            modalities: To read; by default all that the tile has. Those that it has not are left
                out.

        Raises:
            FusionError: There is no such row or modality, or what is read is not what was written.
        """
        if not 0 <= i < len(self):
            raise FusionError(
                f"there is no tile {i}", file=self._place.name, remedy=f"0 to {len(self) - 1}"
            )
        found = self._rows.stored(i, modalities)
        described = self._rows.described(i)
        return Tile(
            **{name: described[name] for name in PLACE},
            date=datetime.date.fromisoformat(described["date"]),
            licences=tuple(described["licences"]),
            arrays={name: modality(name).restored(v) for name, (v, _) in found.items()},
            present={name: mask for name, (_, mask) in found.items()},
            vector_names={
                name: tuple(listed)
                for name, listed in described["vector_names"].items()
                if name in found
            },
            extra=described["extra"],
        )

    def stored(
        self, i: int, modalities: Sequence[str] | None = None
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Stored pixels and masks of a tile: what `read` makes the tile of, for loaders.

        Raises:
            FusionError: There is no such modality, or what is read is not what was written.
        """
        return self._rows.stored(i, modalities)

    def vector_names(self, i: int) -> dict[str, tuple[str, ...]]:
        """Names of the elements of a tile's vectors."""
        return self._rows.vector_names(i)

    def verify(self) -> None:
        """Compare every shard with its checksum.

        Raises:
            FusionError: Shards are missing or broken; it names them and the tiles in them that are.
        """
        broken = {}
        for name, expected in self.described["shards"].items():
            try:
                data = self._place.whole(f"shards/{name}")
            except FusionError as error:
                broken[name] = error.problem
                continue
            if hashlib.sha256(data).hexdigest() != expected["sha256"]:
                rows = self.index.filter(pl.col("shard") == name)
                wrong = [
                    row["id"]
                    for row in rows.iter_rows(named=True)
                    if hashlib.sha256(
                        data[row["offset"] : row["offset"] + row["bytes"]]
                    ).hexdigest()
                    != row["checksum"]
                ]
                broken[name] = f"{len(wrong)} tiles differ: {', '.join(wrong[:5])}"
        if broken:
            raise FusionError(
                f"{len(broken)} of {len(self.described['shards'])} shards are broken",
                file=self._place.name,
                samples=[f"{name}: {what}" for name, what in broken.items()],
                remedy="write the set again or copy these shards again",
            )

    def close(self) -> None:
        """Close what is open."""
        self._place.close()

    def _require_same_meaning(self) -> None:
        if self.described["format"] != FORMAT:
            raise FusionError(
                f"the set has format {self.described['format']}, not {FORMAT}",
                file=self._place.name,
                remedy="write the set again",
            )
        for name, written in self.described["modalities"].items():
            now = json.loads(json.dumps(storage(modality(name))))
            if different := sorted(k for k in now if now[k] != written.get(k)):
                raise FusionError(
                    f"{name} meant something else when the set was written",
                    file=self._place.name,
                    samples=[f"{k}: {written.get(k)} and now {now[k]}" for k in different],
                    remedy="write the set again",
                )
