"""Sources behind a local server, refreshed through the real assets: what changes runs, once."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
import rasterio
from local_server import Served, Site, serving
from typer.testing import CliRunner

from adapters import archive, twin
from adapters import download as downloading
from adapters.acquire import polled
from adapters.errors import ArchiveError
from adapters.quarantine import accept, quarantined
from adapters.settings import Settings
from adapters.spec import Access, Poll, SourceSpec, load_spec
from adapters.store import Store
from dagster_project import definitions, jobs
from dagster_project import run as main_job
from dagster_project.fusion import fusion_assets
from dagster_project.groups import groups
from dagster_project.plan import Plan, plan
from dagster_project.resources import open_instance, resources
from dagster_project.sources import source_assets
from dagster_project.versions import upstream_key

SURVEY, MAP = "lucas_2018_topsoil", "arsenic_topsoils"
SOIL = "LUCAS-SOIL-2018.csv"
OF_MAP = ["raw/arsenic_topsoils", "std/arsenic_topsoils", "open/aligned/arsenic_topsoils"]
ALL = [
    f"raw/{SURVEY}",
    f"std/{SURVEY}",
    "open/samples",
    *OF_MAP,
    "open/feature_matrix",
]


@dataclass
class Place:
    """A data root whose two sources lie behind a server."""

    settings: Settings
    site: Site
    specs: list[SourceSpec]

    def run(self) -> main_job.Outcome:
        return main_job.run(self.settings)

    def plan(self, *, ask: bool = True) -> Plan:
        if ask:
            main_job.ask_servers(self.specs, self.settings)
        return plan(self.settings)

    def publish(self, name: str, content: bytes, tag: str) -> None:
        self.site.pages[_path(name)] = Served(content, etag=f'"{tag}"')

    def content(self, name: str) -> bytes:
        return self.site.pages[_path(name)].content

    def survey(self, share: float) -> bytes:
        """The first rows of the survey's main file."""
        header, *rows = self.content(SOIL).splitlines(keepends=True)
        return b"".join([header, *rows[: round(share * len(rows))]])


def _path(name: str) -> str:
    return "/" + name.replace(" ", "_")


def _names(made: Plan, *, certain: bool | None = None) -> list[str]:
    return [s.name for s in made.steps if certain is None or s.certain == certain]


def _served(spec: SourceSpec, site: Site, folder: Path) -> SourceSpec:
    """The same source, fetched from the server, asked at every run."""
    urls = {}
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith(".")):
        site.pages[_path(path.name)] = Served(path.read_bytes(), etag='"1"')
        urls[path.name] = site.url(_path(path.name))
    access = Access(kind="http", instructions="wait", urls=urls)
    poll = Poll(by="etag", every_days=1e-9)
    return spec.model_copy(update={"access": access, "poll": poll})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("published")
    settings = Settings(data_root=root, truth_root=root / "truth", twin_size="tiny")
    twin.write(settings, sources=[SURVEY, MAP])
    return settings.raw


@pytest.fixture
def place(tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(downloading, "BACKOFF_S", 0.001)
    settings = Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth", twin=False)
    with serving() as site, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        specs = [_served(load_spec(source), site, files / source) for source in (MAP, SURVEY)]
        (group,) = (g for g in groups(specs) if g.name == "open")

        def build(settings: Settings) -> dg.Definitions:
            assets = [asset for spec in specs for asset in source_assets(spec)]
            return dg.Definitions(
                assets=[*assets, *fusion_assets(group)],
                sensors=jobs.poll_sensors(specs),
                resources=resources(settings),
            )

        monkeypatch.setattr(definitions, "all_specs", lambda: specs)
        monkeypatch.setattr(definitions, "build", build)
        yield Place(settings, site, specs)


def test_what_changed_upstream_is_made_again_once_and_nothing_else(place: Place) -> None:
    assert place.plan(ask=False).servers == (MAP, SURVEY)
    planned = place.plan()
    assert sorted(_names(planned, certain=True)) == sorted(ALL)
    assert sorted(place.run().made) == sorted(ALL)

    # Nothing changed.
    assert place.plan().steps == ()
    assert place.run().made == []

    # The same bytes under another tag: fetched again, and nothing follows.
    before = len(place.site.answers(_path("arsenic.tif")))
    place.publish("arsenic.tif", place.content("arsenic.tif"), "2")
    assert place.plan().steps == ()
    assert place.run().made == []
    assert place.site.answers(_path("arsenic.tif"))[before:] == [200, 304]

    # Other bytes: exactly what depends on them, once.
    place.publish("arsenic.tif", _altered(place.content("arsenic.tif")), "3")
    planned = place.plan()
    assert _names(planned, certain=True) == OF_MAP
    assert _names(planned, certain=False) == ["open/feature_matrix"]
    assert dict((s.name, s.reasons) for s in planned.steps)["raw/arsenic_topsoils"] == (
        "upstream/arsenic_topsoils changed",
    )
    outcome = place.run()
    assert (outcome.made, outcome.failed) == ([*OF_MAP, "open/feature_matrix"], {})
    assert place.run().made == []

    # A server that fails changes nothing, and is told.
    del place.site.pages[_path("arsenic.tif")]
    outcome = place.run()
    assert (outcome.made, list(outcome.unreached)) == ([], [MAP])
    assert "answers 404" in place.plan(ask=False).unreached[MAP]
    assert "answers 404" in place.plan(ask=False).readable()


def _altered(content: bytes) -> bytes:
    """The same raster with other values in every other row."""
    with rasterio.MemoryFile(content) as file:
        with file.open() as raster:
            profile, values = raster.profile, raster.read(1, masked=True)
        values[::2] = values[::2] * 1.1
        with rasterio.MemoryFile() as out:
            with out.open(**profile) as raster:
                raster.write(values.filled(profile["nodata"]).astype(profile["dtype"]), 1)
            return out.read()


def test_what_is_much_unlike_waits_until_a_person_accepts_it(place: Place) -> None:
    place.run()
    survey = place.specs[1]
    good = archive.active(survey, place.settings)
    assert good is not None
    whole = place.content(SOIL)

    # A file that lost most of its size does not come past the door.
    place.publish(SOIL, place.survey(0.4), "2")
    planned = place.plan()
    assert list(planned.refused) == [SURVEY]
    assert planned.steps == ()
    outcome = place.run()
    assert (outcome.made, list(outcome.refused_sources)) == ([], [SURVEY])
    (entry,) = quarantined(survey, place.settings)
    assert entry.acceptable
    assert SOIL in entry.reasons[0]
    assert archive.active(survey, place.settings) == good

    # One that lost less is archived, and refused for its rows.
    place.publish(SOIL, whole, "3")
    place.publish(SOIL, place.survey(0.7), "4")
    outcome = place.run()
    assert list(outcome.refused_sources) == [SURVEY]
    assert "soilmeld accept" in outcome.refused_sources[SURVEY]
    entry = quarantined(survey, place.settings)[-1]
    assert entry.acceptable
    assert archive.active(survey, place.settings) == good
    rows = Store(place.settings).table(SURVEY).height

    # A person looks at it and wants it.
    accept(survey, place.settings, by="a person", reason="fewer sites", version=entry.version[:6])
    planned = place.plan()
    assert _names(planned, certain=True)[:2] == [f"raw/{SURVEY}", f"std/{SURVEY}"]
    outcome = place.run()
    assert outcome.refused_sources == {}
    assert outcome.made == _names(planned)
    now = archive.active(survey, place.settings)
    assert now is not None
    assert (now.version, now.accepted) == (entry.version, True)
    assert Store(place.settings).table(SURVEY).height < 0.8 * rows
    lock = place.settings.archive / SURVEY / f"{now.version}.lock.json"
    for said in ("a person", "fewer sites", *entry.reasons[:1]):
        assert said.splitlines()[0][:40] in lock.read_text()
    assert place.run().made == []


def test_what_is_broken_cannot_be_accepted(place: Place) -> None:
    place.run()
    survey = place.specs[1]
    place.publish(SOIL, b"\0" * len(place.content(SOIL)), "2")
    assert list(place.run().refused_sources) == [SURVEY]
    (entry,) = quarantined(survey, place.settings)
    assert not entry.acceptable
    with pytest.raises(ArchiveError, match="cannot be accepted") as refused:
        accept(survey, place.settings, by="a person", reason="I insist")
    assert "binary" in str(refused.value)
    with pytest.raises(ArchiveError, match="no version waits"):
        accept(place.specs[0], place.settings, by="a person", reason="none waits")


def test_servers_are_asked_in_batches_by_observation_runs(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "POLL_BATCH", 1)
    graph = definitions.build(place.settings)
    sensor = graph.resolve_sensor_def("servers")
    with open_instance(place.settings) as instance:

        def tick(cursor: str | None) -> dg.SensorResult:
            with dg.build_sensor_context(
                instance, cursor, definitions=graph, resources=resources(place.settings)
            ) as context:
                return sensor.evaluate_tick(context)

        first = tick(None)
        assert [r.asset_selection for r in first.run_requests] == [[upstream_key(MAP)]]
        assert place.site.asked == []
        second = tick(first.cursor)
        assert [r.asset_selection for r in second.run_requests] == [[upstream_key(SURVEY)]]
        job = graph.resolve_implicit_global_asset_job_def()
        job.execute_in_process(instance=instance, asset_selection=[upstream_key(MAP)])
        assert polled(place.specs[0], place.settings) is not None
        observed = instance.fetch_observations(upstream_key(MAP), limit=1).records
        assert observed[0].asset_observation.data_version


def test_the_sources_that_are_due_are_asked_in_turn(place: Place) -> None:
    from datetime import UTC, datetime

    def asked(last: str | None) -> list[str]:
        return [s.id for s in jobs.next_batch(place.specs, place.settings, _NOW, last)]

    _NOW = datetime.now(UTC)  # noqa: N806
    assert asked(None) == [MAP, SURVEY]
    assert asked(MAP) == [SURVEY, MAP]
    assert asked(SURVEY) == [MAP, SURVEY]


def test_the_command_line_plans_and_accepts(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    from soilmeld.cli import app

    monkeypatch.setenv("SOILMELD_DATA_ROOT", str(place.settings.data_root))
    monkeypatch.setenv("SOILMELD_TWIN", "false")
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["plan", "--ask", "--json"])
    assert said.exit_code == 0, said.output
    assert sorted(s["step"] for s in json.loads(said.output)["steps"]) == sorted(ALL)
    without = CliRunner().invoke(app, ["accept", SURVEY])
    assert without.exit_code == 2
    by_hand = CliRunner().invoke(app, ["fetch", SURVEY])
    assert by_hand.exit_code == 0
    assert "Expected files" in by_hand.output
