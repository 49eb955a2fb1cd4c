"""Photographed profiles in the main job: made once, made again for new photographs."""

import dagster as dg
import pytest
from good_photographs import horizons, write_layout
from PIL import Image
from published_profiles import LEFT_OUT, PROFILES, SOURCE, layout, wall

from adapters.settings import Settings
from adapters.spec import load_spec
from dagster_project import definitions, summary
from dagster_project import run as main_job
from dagster_project.groups import groups
from dagster_project.plan import plan
from dagster_project.profiles import profile_assets, profile_set, profiles_key
from dagster_project.resources import open_instance, resources
from dagster_project.sources import source_assets
from dagster_project.training import FAMILIES, SOILNET, training_assets
from fusion.profiles.examine import examine
from fusion.profiles.store import ProfileSet


def build(settings: Settings) -> dg.Definitions:
    """The source of photographs, and the sets that are made of it in all groups."""
    spec = load_spec(SOURCE)
    assets = source_assets(spec)
    assets += [asset for group in groups([spec]) for asset in profile_assets(group)]
    return dg.Definitions(assets=assets, resources=resources(settings))


@pytest.fixture(scope="module")
def patched() -> pytest.MonkeyPatch:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(definitions, "build", build)
        patch.setattr(definitions, "all_specs", lambda: [load_spec(SOURCE)])
        yield patch


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, patched: pytest.MonkeyPatch
) -> tuple[Settings, main_job.Outcome]:
    root = tmp_path_factory.mktemp("profile_assets")
    settings = Settings(data_root=root / "data", truth_root=root / "truth", twin=False)
    write_layout(settings.raw / SOURCE, *layout())
    return settings, main_job.run(settings)


def about(settings: Settings, key: dg.AssetKey) -> dict[str, object]:
    with open_instance(settings) as instance:
        event = instance.get_latest_materialization_event(key)
        return {k: v.value for k, v in event.asset_materialization.metadata.items()}


def test_profiles_are_made_once_in_their_group_alone(
    made: tuple[Settings, main_job.Outcome],
) -> None:
    settings, outcome = made
    assert outcome.failed == {}
    assert outcome.made == [f"raw/{SOURCE}", f"std/{SOURCE}", "user/profiles"]
    again = main_job.run(settings)
    assert (again.made, again.failed) == ([], {})
    assert plan(settings).steps == ()


def test_checks_ask_what_the_examination_answers(made: tuple[Settings, main_job.Outcome]) -> None:
    settings, _ = made
    names = {finding.name for finding in examine(ProfileSet(profile_set(settings, "user")))}
    graph, key = build(settings).resolve_asset_graph(), profiles_key("user")
    with open_instance(settings) as instance:
        found = instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [check for check in graph.asset_check_keys if check.asset_key == key]
        )
    passed = {
        check.name: record.event.dagster_event.asset_check_evaluation_data.passed
        for check, record in found.items()
    }
    assert passed == dict.fromkeys(names, True)


def test_metadata_show_counts_map_labels_and_pictures(
    made: tuple[Settings, main_job.Outcome],
) -> None:
    told = about(made[0], profiles_key("user"))
    assert (told["photographs"], told["built"]) == (2 * PROFILES + 1, 2 * PROFILES + 1)
    assert told["left_out_photographs"] == len(LEFT_OUT)
    for name, why in LEFT_OUT.items():
        assert f"| {name} | {why} |" in told["left_out"]
    assert "| train |" in told["splits"]
    assert "| Sw-Bv |" in told["labels"]
    assert told["redistribute"] is False
    assert told["map"].startswith("![map](data:image/png;base64,")
    assert told["pictures"].count(".JPG](data:image/png;base64,") == 3


def test_the_summary_tells_of_profiles(
    made: tuple[Settings, main_job.Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    assert summary.show(made[0], main_job.Outcome(), 1.0)
    said = capsys.readouterr().out
    assert f"USER  {2 * PROFILES + 1} photographs of {PROFILES} soil profiles" in said
    assert "1 left out: red and blue are swapped" in said


def test_a_new_photograph_is_planned_and_makes_the_set_anew(
    made: tuple[Settings, main_job.Outcome],
) -> None:
    settings, _ = made
    rows = [*layout()[0], *horizons("RP_9_Y_3.JPG", 0, 50, 100)]
    inbox = settings.raw / SOURCE
    Image.fromarray(wall(8)).save(inbox / "Profilbilder_no_ruler_no_sky" / "RP_9_Y_3.JPG")
    header, *_ = (inbox / "data_horizons.csv").read_text().splitlines()
    lines = [",".join(row[name] for name in header.split(",")) for row in rows]
    (inbox / "data_horizons.csv").write_text("\n".join([header, *lines]) + "\n")
    assert {step.name for step in plan(settings).steps} == {
        f"raw/{SOURCE}",
        f"std/{SOURCE}",
        "user/profiles",
    }
    again = main_job.run(settings)
    assert again.failed == {}
    assert again.made[-1] == "user/profiles"
    told = about(settings, profiles_key("user"))
    assert (told["built"], told["taken_over"]) == (1, 2 * PROFILES + 1)


def test_models_of_single_tasks_are_made_by_themselves_only_where_settings_ask() -> None:
    group = next(group for group in groups([load_spec(SOURCE)]) if group.name == "user")

    def automatic(settings: Settings) -> set[str]:
        assets = training_assets(group, settings)
        graph = dg.Definitions(assets, resources=resources(settings)).resolve_asset_graph()
        return {
            node.key.path[1]
            for node in graph.asset_nodes
            if node.is_materializable and node.automation_condition
        }

    families = {family.name for family in FAMILIES}
    families |= {f"{name}_evaluation" for name in families}
    assert automatic(Settings(soilnet_families=True)) - automatic(Settings()) == families
    assert {SOILNET.name, f"{SOILNET.name}_evaluation"} < automatic(Settings())
