"""The loop of the main job, on a graph small enough to see what it does."""

import socket
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from adapters.errors import ReadError, SettingsError, StoreError
from adapters.settings import Settings
from dagster_project import run as main_job
from dagster_project import ui
from dagster_project.automation import on_new_data
from dagster_project.resources import open_instance
from dagster_project.sources import refusal, report_url
from dagster_project.versions import code_version, news, upstream_key


@dataclass
class Small:
    """Two sources and one matrix made of both."""

    versions: dict[str, str] = field(default_factory=lambda: {"good": "1", "bad": "1"})
    refused: set[str] = field(default_factory=set)

    def build(self, settings: Settings) -> dg.Definitions:
        assets: list[object] = []
        for name in self.versions:
            assets += [self._upstream(name), self._std(name)]

        @dg.asset(
            key=["open", "matrix"],
            deps=[["std", name] for name in self.versions],
            automation_condition=on_new_data(),
        )
        def matrix() -> dg.MaterializeResult:
            return dg.MaterializeResult(data_version=dg.DataVersion(str(self.versions)))

        return dg.Definitions(assets=[*assets, matrix])

    def _upstream(self, name: str) -> dg.AssetsDefinition:
        @dg.observable_source_asset(key=upstream_key(name))
        def observe() -> dg.DataVersion:
            return dg.DataVersion(self.versions[name])

        return observe

    def _std(self, name: str) -> dg.AssetsDefinition:
        @dg.asset(
            key=["std", name],
            deps=[upstream_key(name)],
            automation_condition=on_new_data([upstream_key(name)]),
        )
        def std() -> dg.MaterializeResult:
            with refusal():
                if name in self.refused:
                    raise ReadError("not a table", source=name, remedy="hand in a table")
            return dg.MaterializeResult(data_version=dg.DataVersion(self.versions[name]))

        return std

    def news(self, _specs: object, _settings: object, instance: dg.DagsterInstance) -> list:
        found = []
        for name, version in self.versions.items():
            last = instance.get_latest_data_version_record(upstream_key(name))
            if last is None or last.asset_observation.data_version != version:
                found.append(
                    dg.AssetObservation(upstream_key(name), tags={"dagster/data_version": version})
                )
        return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth", twin=False)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Small:
    graph = Small()
    monkeypatch.setattr(main_job.definitions, "build", graph.build)
    monkeypatch.setattr(main_job.definitions, "all_specs", list)
    monkeypatch.setattr(main_job, "news", graph.news)
    return graph


def test_a_second_run_makes_nothing_again(settings: Settings, small: Small) -> None:
    first = main_job.run(settings).made
    assert first[-1] == "open/matrix"
    assert sorted(first) == ["open/matrix", "std/bad", "std/good"]
    assert main_job.run(settings).made == []


def test_what_changed_is_made_again_and_nothing_else(settings: Settings, small: Small) -> None:
    main_job.run(settings)
    small.versions["bad"] = "2"
    assert main_job.run(settings).made == ["std/bad", "open/matrix"]


def test_one_refused_source_stops_nothing_else(settings: Settings, small: Small) -> None:
    small.refused = {"bad"}
    outcome = main_job.run(settings)
    assert outcome.made == ["std/good", "open/matrix"]
    assert list(outcome.refused_sources) == ["bad"]
    assert "remedy: hand in a table" in outcome.refused_sources["bad"]
    assert outcome.broken == {}


def test_what_failed_is_tried_again_by_the_next_run(settings: Settings, small: Small) -> None:
    small.refused = {"bad"}
    main_job.run(settings)
    again = main_job.run(settings)
    assert again.made == []
    assert list(again.refused_sources) == ["bad"]
    small.refused = set()
    mended = main_job.run(settings)
    assert mended.made == ["std/bad", "open/matrix"]
    assert mended.failed == {}
    assert main_job.run(settings).made == []


def test_a_killed_run_does_not_block_the_next(settings: Settings, small: Small) -> None:
    main_job.run(settings)
    small.versions["good"] = "2"
    with open_instance(settings) as instance:
        definitions = small.build(settings)
        run = instance.create_run_for_job(
            job_def=definitions.resolve_implicit_global_asset_job_def(),
            tags={"soilmeld/by": "run"},
            asset_selection=frozenset({dg.AssetKey(["std", "good"])}),
        )
        instance.report_run_canceling(run)
    assert main_job.run(settings).made == ["std/good", "open/matrix"]


def test_two_runs_on_one_data_root_are_refused(settings: Settings, small: Small) -> None:
    with main_job.alone(settings), pytest.raises(StoreError, match="another run"):
        main_job.run(settings)


def test_upstream_is_news_once(settings: Settings) -> None:
    from adapters.spec import load_spec, source_ids

    manual = [s for s in map(load_spec, source_ids()) if s.access.kind == "manual"][:2]
    inbox = settings.raw / manual[0].id
    inbox.mkdir(parents=True)
    with open_instance(settings) as instance:

        def told() -> list[dg.AssetKey]:
            found = news(manual, settings, instance)
            for observation in found:
                instance.report_runless_asset_event(observation)
            return [observation.asset_key for observation in found]

        assert told() == []
        (inbox / "soil.csv").write_text("a,b\n")
        assert told() == [upstream_key(manual[0].id)]
        assert told() == []
        (inbox / "soil.csv").write_text("a,b\n1,2\n")
        assert told() == [upstream_key(manual[0].id)]


def test_code_version_follows_the_code() -> None:
    assert code_version("adapters") != code_version("fusion")
    assert code_version("adapters") == code_version("adapters")


def test_a_taken_port_is_reported_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"SOILMELD_UI_PORT={port + 10}"):
            ui.check_port("127.0.0.1", port)
    ui.check_port("127.0.0.1", port)


def test_reports_are_served_beside_the_ui(tmp_path: Path) -> None:
    import urllib.request

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(data_root=tmp_path, docs_port=port)
    page = settings.docs / "validations" / "a b.html"
    page.parent.mkdir(parents=True)
    page.write_text("<p>held</p>")
    with ui.reports(settings):
        with urllib.request.urlopen(report_url(page, settings).replace(" ", "%20")) as answer:
            assert answer.read() == b"<p>held</p>"
        with pytest.raises(SettingsError, match="docs_port"):
            ui.check_port(settings.ui_host, port, "docs_port")
