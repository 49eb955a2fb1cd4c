"""The assets of one source, made by a factory: `upstream`, `raw` and `std`.

Belongs here: turning a source specification into assets, and what they show of themselves.
Never here: reading, converting or checking data (`adapters`, `expectations`).
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from adapters.acquire import is_fetched, poll
from adapters.errors import SoilmeldError
from adapters.settings import Settings
from adapters.spec import SourceSpec
from dagster_project import automation, checks, rendering
from dagster_project.versions import code_version, upstream_key, upstream_version

if TYPE_CHECKING:
    from adapters.standardise import Standard

OWNERS = ["team:soil-data"]
_CODE = ("adapters", "adapters/readers", "expectations")


def raw_key(source: str) -> dg.AssetKey:
    """Key of a source's archived raw version."""
    return dg.AssetKey(["raw", source])


def std_key(source: str) -> dg.AssetKey:
    """Key of a source's standardised table."""
    return dg.AssetKey(["std", source])


@contextlib.contextmanager
def refusal(spec: SourceSpec | None = None) -> Iterator[None]:
    """Show an error that was raised on purpose as what it is: its message, without a stack.

    Args:
        spec: The source whose files are read: the message says what of it was assumed.
    """
    from adapters.checking import with_evidence

    try:
        yield
    except SoilmeldError as error:
        said = with_evidence(spec, error) if spec else str(error)
        raise dg.Failure(said, metadata=_about_error(error), allow_retries=False) from error


def source_assets(spec: SourceSpec) -> list[dg.AssetsDefinition]:
    """The three assets of one source, in the order in which its data pass them."""
    return [_upstream(spec), _raw(spec), _std(spec)]


def _kinds(spec: SourceSpec) -> set[str]:
    readers = {table.read.reader for table in spec.tables.values()}
    return set(sorted(readers)[:2])


def _tags(spec: SourceSpec) -> dict[str, str]:
    return {
        "modality": spec.modality,
        "join": spec.fuse.join,
        "auxiliary": str(spec.auxiliary).lower(),
    }


def observable(
    observe: Callable[..., dg.DataVersion], **about: Any
) -> dg.SourceAsset:  # `about` as of `dg.observable_source_asset`
    """An asset that is looked at and never made."""
    with warnings.catch_warnings():
        # Dagster says on each use that observable assets may still change; the version is pinned.
        warnings.simplefilter("ignore", category=dg.BetaWarning)
        return dg.observable_source_asset(**about)(observe)


def _upstream(spec: SourceSpec) -> dg.SourceAsset:
    def observe(settings: dg.ResourceParam[Settings]) -> dg.DataVersion:
        if is_fetched(spec):
            with refusal():
                poll(spec, settings, datetime.now(UTC))
        return dg.DataVersion(upstream_version(spec, settings))

    return observable(
        observe,
        key=upstream_key(spec.id),
        group_name="upstream",
        description=f"{spec.title}: the files as their publisher or user hands them over.\n\n"
        f"{spec.access.instructions}\n\n{spec.origin.page}",
        tags={**_tags(spec), **{f"dagster/kind/{kind}": "" for kind in _kinds(spec)}},
    )


def _raw(spec: SourceSpec) -> dg.AssetsDefinition:
    @dg.asset(
        key=raw_key(spec.id),
        deps=[upstream_key(spec.id)],
        group_name="raw",
        description=f"{spec.title}: raw files, archived by content with a lock file.",
        kinds=_kinds(spec),
        owners=OWNERS,
        tags=_tags(spec),
        automation_condition=automation.on_new_data([upstream_key(spec.id)]),
        output_required=False,
    )
    def raw(settings: dg.ResourceParam[Settings]) -> Iterator[dg.MaterializeResult]:
        from adapters.archive import ingest

        with refusal(spec):
            version = ingest(spec, settings)
        if version is None:
            return
        yield dg.MaterializeResult(
            # What follows must know of a person's word, too.
            data_version=dg.DataVersion(version.version + "-accepted" * version.accepted),
            metadata={
                "origin": version.origin,
                "group": version.group,
                "files": rendering.table(
                    [{"file": f.name, "bytes": f.size, "sha256": f.sha256} for f in version.files]
                ),
                "size_mb": round(sum(f.size for f in version.files) / 1e6, 3),
                "licence": _licence(spec),
                "peak_memory_mb": rendering.peak_memory_mb(),
            },
        )

    return raw


def _std(spec: SourceSpec) -> dg.AssetsDefinition:
    key = std_key(spec.id)

    @dg.asset(
        key=key,
        deps=[raw_key(spec.id)],
        group_name="standard",
        description=f"{spec.description}\n\nCitation: {spec.origin.citation}",
        kinds={"duckdb", "polars"},
        owners=OWNERS,
        tags=_tags(spec),
        automation_condition=automation.on_new_data([raw_key(spec.id)]),
        code_version=f"{code_version(*_CODE)}-{spec.digest()[:16]}",
        check_specs=checks.expectation_specs(key),
    )
    def std(
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        from adapters.archive import candidate
        from adapters.standardise import standardise
        from expectations.gate import RefusedError, commit_if_valid
        from expectations.site import data_docs

        with refusal(spec):
            standard = standardise(spec, candidate(spec, settings), settings)
        try:
            reports = commit_if_valid(standard, settings)
        except RefusedError as error:
            yield from checks.expectation_results(error.reports, None)
            raise dg.Failure(
                str(error), metadata=_about_error(error), allow_retries=False
            ) from error
        pages = [data_docs(report, settings) for report in reports]
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(standard.whole_version),
            metadata=_about(standard, settings),
            check_results=checks.expectation_results(reports, report_url(pages[0], settings)),
        )

    return std


def report_url(page: Path, settings: Settings) -> str:
    """Where `make ui` serves a page of the validation reports."""
    place = page.resolve().relative_to(settings.docs.resolve()).as_posix()
    return f"http://{settings.ui_host}:{settings.docs_port}/{place}"


def _about(standard: "Standard", settings: Settings) -> dict[str, object]:
    spec = standard.spec
    metadata: dict[str, object] = {
        "origin": standard.raw.origin,
        "licence": _licence(spec),
        "attribution": spec.origin.licence.attribution,
        "redistribute": spec.origin.licence.redistribute,
        "share_alike": spec.origin.licence.share_alike,
        **_about_piece(standard, settings),
        "peak_memory_mb": rendering.peak_memory_mb(),
    }
    if spec.origin.licence.note:
        metadata["licence_note"] = spec.origin.licence.note
    for part in standard.parts:
        name = part.spec.id.removeprefix(f"{spec.id}__")
        metadata |= {f"{name}: {k}": v for k, v in _about_piece(part, settings).items()}
    return metadata


def _about_piece(piece: "Standard", settings: Settings) -> dict[str, object]:
    by_flag = piece.flags.group_by("flag").len().sort("flag")
    about: dict[str, object] = {
        "dagster/row_count": piece.table.height,
        "flags": rendering.table(by_flag.to_dicts()),
        "columns_and_units": rendering.table(
            [
                {
                    "column": column.name,
                    "unit": column.unit,
                    "native": column.native,
                    "native unit": column.native_unit,
                    "scale": column.scale,
                    "offset": column.offset,
                    "method": column.method,
                }
                for column in piece.columns
            ]
        ),
    }
    if piece.spec.is_raster:
        first = piece.table.row(0, named=True)
        path = settings.data_root / Path(first["path"])
        return {**about, "preview": rendering.raster_preview(path, first["column"])}
    placed = piece.table.drop_nulls(["longitude", "latitude"])
    if not placed.height:
        return about
    places = (placed["longitude"].to_list(), placed["latitude"].to_list())
    return {**about, "map": rendering.point_map(*places)}


def _licence(spec: SourceSpec) -> dg.MetadataValue:
    licence = spec.origin.licence
    return dg.MetadataValue.url(licence.url) if licence.url else dg.MetadataValue.text(licence.id)


def _about_error(error: SoilmeldError) -> dict[str, object]:
    about = {
        "problem": error.problem,
        "file": error.file,
        "where": error.where,
        "found": ", ".join(error.samples),
        "remedy": error.remedy,
    }
    return {name: value for name, value in about.items() if value}
