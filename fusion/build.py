"""The three steps of fusion: samples, one aligned source, the matrix.

Belongs here: what is read and written where, versions, and skipping what is up to date.
Never here: how anything is joined (`samples.py`, `align.py`, `matrix.py`).

Samples and aligned sources are kept in `data/aligned/<group>/`; each file says in its metadata what
it was made from, and is made again only when that changed. A matrix is a folder named by the hash
of its inputs, written aside and renamed. The same inputs give the same bytes.
"""

import hashlib
import json
import tempfile
from importlib.metadata import version as installed
from pathlib import Path

import polars as pl

from adapters.errors import FusionError
from adapters.settings import Settings
from adapters.spec import load_spec, source_ids
from adapters.store import Store, new_file
from fusion.align import bring
from fusion.dictionary import SCHEMA_VERSION, records
from fusion.inputs import Source, sources
from fusion.matrix import Joined, backbone_rows, join, validate
from fusion.samples import NUTS_SOURCE, backbone
from fusion.splits import splits

_KEY = "soilmeld"


def samples(settings: Settings, group: str) -> Path | None:
    """Samples of a group.

    Returns:
        `data/aligned/<group>/samples.parquet`, or None where the group has no backbone source.
    """
    with Store(settings).reading(f"samples of {group}") as tables:
        return _samples(settings, group, sources(tables, group))


def align(settings: Settings, group: str, source: str) -> list[Path]:
    """One source brought to the samples of a group, part by part.

    Returns:
        `data/aligned/<group>/<source or part>.parquet` of each part that stands in the group and
        is ever aligned; none where the group has no samples.

    Raises:
        FusionError: A part cannot be aligned.
    """
    with Store(settings).reading(f"aligning {source}") as tables:
        present = sources(tables, group)
        path = _samples(settings, group, present)
        if path is None:
            return []
        return [
            _align(settings, group, piece, path)
            for piece in present.values()
            if piece.spec.source == source and piece.spec.fuse.join not in ("backbone", "none")
        ]


def matrix(settings: Settings, group: str) -> Path:
    """The feature matrix of a group, with flags, splits, dictionary and report.

    Returns:
        Folder of the version, which `CURRENT` names now.

    Raises:
        FusionError: The group has no sample, or the matrix breaks a rule.
    """
    with Store(settings).reading(f"matrix of {group}") as tables:
        present = sources(tables, group)
        path = _samples(settings, group, present)
        if path is None:
            raise FusionError(
                f"group {group!r} has no backbone source, so there is nothing to fuse",
                samples=present,
                remedy="put files of a source with samples into data/raw, or use `soilmeld "
                "sample` for points of your own",
            )
        frames = {
            id_: _align(settings, group, source, path)
            for id_, source in present.items()
            if source.spec.fuse.join not in ("backbone", "none")
        }
        for source in present.values():
            source.load()
    version = _digest(
        {"of": "matrix", "code": _code()}
        | {name: _made_from(file) for name, file in {"samples": path, **frames}.items()}
        | {"sources": {s.id: [s.version, s.spec.digest(), s.origin] for s in present.values()}}
    )[:16]
    base = settings.fused / group
    target = base / version
    if not target.is_dir():
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=base) as scratch:
            made = Path(scratch) / version
            made.mkdir()
            _write_matrix(made, group, version, present, path, frames)
            made.replace(target)
    with new_file(base / "CURRENT") as current:
        current.write_text(version + "\n", encoding="utf-8")
    return target


def _samples(settings: Settings, group: str, present: dict[str, Source]) -> Path | None:
    own = [s for s in present.values() if s.spec.sample is not None]
    if not own:
        return None
    regions = present.get(NUTS_SOURCE)
    used = [*own, *([regions] if regions else [])]
    made_from = _digest(
        {"of": "samples", "code": _code()} | {s.id: [s.version, s.spec.digest()] for s in used}
    )
    path = settings.data_root / "aligned" / group / "samples.parquet"
    if _made_from(path) != made_from:
        table, refused = backbone(own, regions)
        if not table.height:
            raise FusionError(
                f"no row of group {group!r} can be a sample",
                samples=[f"{s}: {r}" for s, r in refused.items()],
                remedy="samples need a position and a depth to be trusted: see the flags",
            )
        _write(table, path, made_from, {"refused": refused})
    return path


def _align(settings: Settings, group: str, source: Source, samples_path: Path) -> Path:
    made_from = _digest(
        {
            "of": source.id,
            "code": _code(),
            "samples": _made_from(samples_path),
            "version": source.version,
            "spec": source.spec.digest(),
        }
    )
    path = settings.data_root / "aligned" / group / f"{source.id}.parquet"
    if _made_from(path) != made_from:
        table = bring(source, pl.read_parquet(samples_path), settings.data_root, settings.threads)
        _write(table, path, made_from, {})
    return path


def _write_matrix(
    folder: Path,
    group: str,
    version: str,
    present: dict[str, Source],
    samples_path: Path,
    frames: dict[str, Path],
) -> None:
    table = pl.read_parquet(samples_path)
    own = [s for s in present.values() if s.spec.sample is not None]
    aligned = {id_: (present[id_], pl.read_parquet(path)) for id_, path in frames.items()}
    joined = join(table, own, aligned)
    features = records(
        joined.matrix, joined.contributions, table["survey"], joined.distances, group
    )
    validate(joined, features)
    sides = splits(table)
    joined.matrix.write_parquet(folder / "matrix.parquet", statistics=False)
    table.write_parquet(folder / "samples.parquet")
    joined.flags.write_parquet(folder / "flags.parquet")
    sides.write_parquet(folder / "splits.parquet")
    backbone_rows(table, own).write_parquet(folder / "rows.parquet")
    pl.DataFrame({"sample_id": table["sample_id"], **joined.distances}).write_parquet(
        folder / "distances.parquet"
    )
    origin = group if all(f["origin"] == group for f in features) else "mixed"
    head = {"schema_version": SCHEMA_VERSION, "group": group, "origin": origin}
    _write_json(folder / "dictionary.json", {**head, "features": features})
    about = _metadata(samples_path)
    report = _report(group, table, present, joined, aligned, features, sides, about)
    _write_json(folder / "report.json", {**head, "version": version, **report})


def _report(
    group: str,
    table: pl.DataFrame,
    present: dict[str, Source],
    joined: Joined,
    aligned: dict[str, tuple[Source, pl.DataFrame]],
    features: list[dict],
    sides: pl.DataFrame,
    about_samples: dict,
) -> dict:
    return {
        "samples": {
            "rows": table.height,
            "sites": table["site"].n_unique(),
            "by_survey": dict(table["survey"].value_counts().sort("survey").iter_rows()),
            "refused": about_samples["refused"],
        },
        "features": {
            "count": len(features),
            "count_with_elements": sum(f["array_length"] or 1 for f in features),
            "of_varying_length": sorted(
                n for n, d in joined.matrix.schema.items() if isinstance(d, pl.List)
            ),
            "exact_sums": sorted(f["id"] for f in features if f["derived_from"]),
            "left_out_without_values": joined.empty,
        },
        "sources": {
            s.id: {
                "version": s.version,
                "origin": s.origin,
                "join": s.spec.fuse.join,
                "never_aligned_because": s.spec.fuse.reason,
                "samples_met": _met(aligned[s.id][1]) if s.id in aligned else None,
            }
            for s in present.values()
        },
        "missing_sources": [id_ for id_ in _could_stand_in(group) if id_ not in present],
        "flags_of_samples": dict(
            joined.flags.drop_nulls("sample_id")["flag"].value_counts().sort("flag").iter_rows()
        ),
        "flags": dict(joined.flags["flag"].value_counts().sort("flag").iter_rows()),
        "splits": {
            "samples": dict(sides["split"].value_counts().sort("split").iter_rows()),
            "clusters": sides["cluster"].n_unique(),
            "blocks": sides["block"].n_unique(),
        },
    }


def _could_stand_in(group: str) -> list[str]:
    """Sources that files of the group's origin can bring; auxiliary ones of the twin join none."""
    if group == "user":
        return source_ids()
    specs = map(load_spec, source_ids())
    if group == "synthetic":
        return [spec.id for spec in specs if not spec.auxiliary]
    return [spec.id for spec in specs if spec.access.kind != "manual"]


def _met(table: pl.DataFrame) -> int:
    """Samples that have at least one value of the source."""
    return table.select(
        pl.any_horizontal(pl.exclude("sample_id", "row_ref", "distance_m").is_not_null()).sum()
    ).item()


def _digest(inputs: dict) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _code() -> str:
    """Hash of this room's code and of the library that writes its files."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    text = b"\0".join(file.read_bytes() for file in files)
    return hashlib.sha256(text + installed("polars").encode()).hexdigest()


def _write(table: pl.DataFrame, path: Path, made_from: str, about: dict) -> None:
    with new_file(path) as file:
        table.write_parquet(
            file, metadata={_KEY: json.dumps({"made_from": made_from, **about}, sort_keys=True)}
        )


def _metadata(path: Path) -> dict:
    return json.loads(pl.read_parquet_metadata(path)[_KEY])


def _made_from(path: Path) -> str | None:
    return _metadata(path)["made_from"] if path.is_file() else None


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
