"""What a run made, told at its end.

Belongs here: reading the published store, the matrices and the evaluations, and laying them out.
Never here: doing anything about it.
"""

import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters.archive import unused, waiting
from adapters.settings import Settings
from adapters.spec import load_spec, source_ids
from adapters.store import read_only
from training.report import bracket, counted

if TYPE_CHECKING:
    from dagster_project.run import Outcome

_FILE_WIDTH = 160
HEADLINES = (
    ("boundaries", "matched IoU"),
    ("symbols of true segments", "accuracy"),
    ("symbols of true segments", "accuracy of main symbols"),
    ("symbols of found segments", "panoptic quality of labels"),
)
"""Table and score of descriptions of profiles that are told at the end of a run."""


def show(settings: Settings, outcome: "Outcome", seconds: float) -> bool:
    """Print the summary.

    Args:
        settings: Whose data root was worked on.
        outcome: What this run made and what failed.
        seconds: How long the run took.

    Returns:
        Is there at least one feature matrix, set of tiles or set of profiles?
    """
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        # A file or a log has no edge to fold at.
        console.width = _FILE_WIDTH
    folders, sets = _current(settings.fused), _current(settings.tiles)
    pictured = _current(settings.profiles)
    if (settings.published / settings.store.name).is_file():
        _sources(console, settings)
    for group in sorted(folders | sets | pictured):
        if group in folders:
            _matrix(console, group, folders[group])
        if group in sets:
            _tiles(console, settings, group, sets[group])
        if group in pictured:
            _profiles(console, group, pictured[group])
        _models(console, settings, group)
    _failures(console, outcome)
    _inboxes(console, settings, outcome)
    _catalogues(console, settings)
    made = f"{len(outcome.made)} steps made" if outcome.made else "nothing had changed"
    console.print(f"\n{made}, {seconds:.1f} s")
    if folders:
        _next(console, settings, sorted(folders))
    else:
        console.print("No matrix could be built: no source with samples is at hand.")
    return bool(folders or sets or pictured)


def _current(place: Path) -> dict[str, Path]:
    """Group -> folder of the version in use."""
    return {
        current.parent.name: current.parent / current.read_text(encoding="utf-8").strip()
        for current in sorted(place.glob("*/CURRENT"))
    }


def _sources(console: Console, settings: Settings) -> None:
    with read_only(settings) as connection:
        sources = connection.execute(
            """select s.source, s.group_name, s.origin, s.rows, s.flags, s.licence,
                      coalesce(c.passed, 0), coalesce(c.failed, 0)
               from meta.source s left join (
                   select source, count(*) filter (success) passed,
                          count(*) filter (not success) failed
                   from meta.check_result group by source) c using (source)
               order by s.group_name, s.source"""
        ).fetchall()
        attributions = connection.execute(
            """select source, licence, attribution, share_alike from meta.source
               where origin = 'open' order by source"""
        ).fetchall()
    table = Table(title="Standardised sources", title_justify="left", box=None)
    for name in ("source", "group", "origin", "licence"):
        table.add_column(name, overflow="fold")
    for name in ("rows", "flags", "checks passed", "advisory not passed"):
        table.add_column(name, justify="right")
    for source, group, origin, rows, flags, licence, passed, failed in sources:
        table.add_row(
            source, group, origin, licence, f"{rows:,}", f"{flags:,}", str(passed), str(failed)
        )
    console.print(table)
    for source, licence, attribution, share_alike in attributions:
        terms = f"{licence}, share alike" if share_alike else licence
        console.print(f"  {source} ({terms}): {attribution}")


def _matrix(console: Console, group: str, folder: Path) -> None:
    dictionary = json.loads((folder / "dictionary.json").read_text(encoding="utf-8"))
    features = dictionary["features"]
    elements = sum(feature["array_length"] or 1 for feature in features)
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select count(*) from read_parquet(?)", [str(folder / "matrix.parquet")]
        ).fetchone()[0]
    console.print(
        f"\n[bold]{group.upper()}[/bold]  {rows:,} samples, {len(features):,} features "
        f"({elements:,} with array elements), origin {dictionary['origin']}"
    )


def _tiles(console: Console, settings: Settings, group: str, folder: Path) -> None:
    described = json.loads((folder / "set.json").read_text(encoding="utf-8"))
    splits = ", ".join(f"{count} {name}" for name, count in described["splits"]["tiles"].items())
    console.print(
        f"\n[bold]{group.upper()}[/bold]  {described['tiles']:,} tiles ({splits}), origin "
        f"{described['origin']}: {', '.join(described['modalities'])}"
    )
    report = json.loads((folder.parent / "report.json").read_text(encoding="utf-8"))
    for reason, count in report["refused_by_reason"].items():
        console.print(f"  {count} places without a tile: {escape(reason)}")
    if captioned := _current(settings.captions).get(group):
        said = json.loads((captioned / "set.json").read_text(encoding="utf-8"))["captions"]
        if said.get("checked"):
            claims = ", ".join(f"{count} {status}" for status, count in said["claims"].items())
            told = f"claims {claims}; {said['sentences']['removed']} sentences removed"
        else:
            told = "as they were published, not checked"
        writers = ", ".join(said.get("writers", ())) or "unknown writers"
        console.print(f"  {said['captioned']:,} captions by {writers}: {told}")
        for reason, count in said.get("refused", {}).items():
            console.print(f"  {count} tiles without a caption: {escape(reason)}")


def _profiles(console: Console, group: str, folder: Path) -> None:
    described = json.loads((folder / "dictionary.json").read_text(encoding="utf-8"))
    splits = ", ".join(f"{n['profiles']} {split}" for split, n in described["splits"].items())
    console.print(
        f"\n[bold]{group.upper()}[/bold]  {described['photographs']:,} photographs of "
        f"{described['profiles']:,} soil profiles ({splits}), origin {described['origin']}"
    )
    report = json.loads((folder.parent / "report.json").read_text(encoding="utf-8"))
    for reason, count in report["left_out_by_reason"].items():
        console.print(f"  {count} left out: {escape(reason)}")


def _models(console: Console, settings: Settings, group: str) -> None:
    for current in sorted(settings.runs.glob(f"*-{group}/CURRENT")):
        run = current.parent / current.read_text(encoding="utf-8").strip()
        if (run / "evaluation.json").is_file():
            report = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
            if "tables" in report:
                _descriptions(console, report)
            else:
                (_features if "goals" in report else _evaluation)(console, report)


def _features(console: Console, report: dict) -> None:
    """Frozen features of an encoder of tiles beside their floors."""
    protocol, goals = report["protocol"], report["goals"]
    reached = sum(goal["outcome"] == "reached" for goal in goals)
    console.print(
        f"  {report['recipe']} beside its floors on {protocol['held_tiles']} held-back tiles in "
        f"{counted(protocol['held_blocks'])} of regions ({report['origin'].upper()} data; "
        f"{protocol['interval']})"
    )
    for target, by_probe in report["tiles"].items():
        found = by_probe["logistic"]["accuracy"]["methods"]
        methods = ", ".join(f"{method} {bracket(value)}" for method, value in found.items())
        console.print(f"    {escape(target)}: accuracy of a linear probe\n      {methods}")
    console.print(f"    {reached} of {len(goals)} scores above their floor")


def _descriptions(console: Console, report: dict) -> None:
    """Descriptions of photographs beside their baselines."""
    protocol, goals = report["protocol"], report["goals"]
    asked, profiles = protocol["photographs"]["test"], protocol["profiles"]["test"]
    reached = sum(goal["outcome"] == "reached" for goal in goals)
    console.print(
        f"  {report['recipe']} beside its baselines on {asked} held-back photographs of "
        f"{profiles} profiles ({report['origin'].upper()} data; {protocol['interval']})"
    )
    for table, score in HEADLINES:
        if found := report["tables"].get(table, {}).get(score):
            methods = ", ".join(f"{name} {bracket(v)}" for name, v in found["methods"].items())
            console.print(f"    {table}: {score}\n      {methods}")
    console.print(f"    {reached} of {len(goals)} scores above their baseline")


def _evaluation(console: Console, report: dict) -> None:
    protocol = report["protocol"]
    console.print(
        f"  {report['recipe']} beside its baselines on {protocol['test_rows']} held-back samples "
        f"in {counted(protocol['test_clusters'])} of sites ({report['origin'].upper()} data; "
        f"{protocol['interval']})"
    )
    for subset in ("all_features", "lightgbm_features"):
        for kind, found in report[subset].items():
            methods = ", ".join(
                f"{method} {bracket(value)}" for method, value in found["methods"].items()
            )
            name = f"{kind}, {subset.replace('_', ' ')}: {protocol['measure'][kind]}"
            console.print(f"    {name}\n      {methods}")


def _failures(console: Console, outcome: "Outcome") -> None:
    for source, reason in outcome.unreached.items():
        console.print(f"\n[bold]Not fetched[/bold] [red]{source}[/red]: {escape(reason)}")
    if outcome.refused_sources:
        console.print("\n[bold]Refused[/bold] (what was in use before stays in use)")
    for source, reason in outcome.refused_sources.items():
        console.print(f"  [red]{source}[/red]: {escape(reason)}")
    if outcome.broken:
        console.print("\n[bold red]Failed[/bold red] (`make ui` shows the whole log)")
    for step, reason in outcome.broken.items():
        console.print(f"  [red]{step}[/red]: {escape(reason)}")


def _inboxes(console: Console, settings: Settings, outcome: "Outcome") -> None:
    """Say which files of the inboxes are not in use, and what would bring them into use."""
    known = source_ids()
    for folder in sorted(p for p in settings.raw.glob("*") if p.is_dir()):
        if folder.name not in known:
            near = ", ".join(difflib.get_close_matches(folder.name, known, n=3)) or "none is near"
            console.print(f"\n{folder} is not used: no source has that name ({near})")
            continue
        spec = load_spec(folder.name)
        if names := unused(spec, settings):
            console.print(
                f"\n{folder.name}: not used, since no table of the source expects such names: "
                + escape(", ".join(names))
            )
        # Of a refused inbox was said above what is wrong.
        if spec.id not in outcome.refused_sources and (names := waiting(spec, settings)):
            console.print(
                f"\n{folder.name}: your files wait, and the twin's stay in use: "
                f"{escape(', '.join(names))}\n"
                f"  soilmeld accept {folder.name} --replace-twin    puts yours in their place; its "
                "columns then say `mixed`\n"
                "  twin = false in soilmeld.toml, in another folder, keeps to your own data"
            )


def _catalogues(console: Console, settings: Settings) -> None:
    """Say which folders of scenes are not in use."""
    for folder in sorted(path for path in settings.scenes.glob("*") if path.is_dir()):
        if not folder.name.startswith(".") and not (folder / "catalog.json").is_file():
            console.print(
                f"\n{folder} is not used: it has no catalog.json; scenes are listed by a static "
                "STAC catalogue (docs/tiles.md)"
            )


def _next(console: Console, settings: Settings, groups: list[str]) -> None:
    console.print(
        "\n[bold]Where to look next[/bold]\n"
        f"  soilmeld features {groups[0]}     the features, their units and sources\n"
        "  soilmeld tiles list          the tiles and their captions\n"
        "  soilmeld profiles list       the photographed profiles and their horizons\n"
        "  soilmeld --help              query, export, predict, explain\n"
        f"  make ui                      lineage, checks and plots on port {settings.ui_port}\n"
        f"  {settings.docs}              validation reports\n"
        f"  {settings.raw}/<source>/     put your own files here and run again"
    )
