"""What the conditions ask for, evaluated as the daemon does, on a graph of the project's shape."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

import dagster as dg
import pytest

from dagster_project.automation import MadeFrom, on_new_data


@dataclass
class World:
    """A small graph: two upstreams, `a` from the first, `b` from either, `c` from `b` alone."""

    instance: dg.DagsterInstance
    versions: dict[str, str] = field(default_factory=lambda: {"a": "1", "b": "1", "c": "1"})
    failing: set[str] = field(default_factory=set)
    more: dict[str, list[str]] = field(default_factory=dict)
    code: str = "1"
    cursor: object = None

    def definitions(self) -> dg.Definitions:
        @dg.observable_source_asset
        def first() -> dg.DataVersion:
            return dg.DataVersion("first")

        @dg.observable_source_asset
        def second() -> dg.DataVersion:
            return dg.DataVersion("second")

        def made(
            name: str, deps: list[str], required: list[str] | None = None
        ) -> dg.AssetsDefinition:
            keys = [dg.AssetKey(key) for key in required] if required else None

            @dg.asset(
                name=name,
                deps=deps,
                automation_condition=on_new_data(keys),
                code_version=self.code,
            )
            def asset() -> dg.MaterializeResult:
                if name in self.failing:
                    raise dg.Failure("made to fail")
                return dg.MaterializeResult(data_version=dg.DataVersion(self.versions[name]))

            return asset

        return dg.Definitions(
            assets=[
                first,
                second,
                made("a", ["first"], ["first"]),
                made("b", ["a", "second"]),
                made("c", ["b", "second"], ["b"]),
                *(made(name, deps) for name, deps in self.more.items()),
            ]
        )

    def observe(self, name: str, version: str) -> None:
        self.instance.report_runless_asset_event(
            dg.AssetObservation(name, tags={"dagster/data_version": version})
        )

    def tick(self) -> set[str]:
        result = dg.evaluate_automation_conditions(
            self.definitions(), self.instance, cursor=self.cursor
        )
        self.cursor = result.cursor
        return {r.key.to_user_string() for r in result.results if not r.true_subset.is_empty}

    def make(self, names: set[str]) -> None:
        self.definitions().resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(name) for name in names],
            raise_on_error=False,
        )

    def settle(self) -> list[set[str]]:
        """Tick and make until nothing is asked for."""
        asked = []
        while wanted := self.tick():
            asked.append(wanted)
            self.make(wanted)
            assert len(asked) < 10
        return asked


@pytest.fixture
def world() -> Iterator[World]:
    with warnings.catch_warnings(), dg.DagsterInstance.ephemeral() as instance:
        warnings.simplefilter("ignore")
        yield World(instance)


@pytest.fixture
def settled(world: World) -> World:
    world.tick()
    world.observe("first", "1")
    world.settle()
    return world


def test_nothing_is_asked_for_while_nothing_is_there(world: World) -> None:
    assert world.settle() == []


def test_news_passes_down_level_by_level(world: World) -> None:
    world.tick()
    world.observe("first", "1")
    assert world.settle() == [{"a"}, {"b"}, {"c"}]


def test_what_was_there_before_the_first_look_is_seen(world: World) -> None:
    world.observe("first", "1")
    assert world.settle() == [{"a"}, {"b"}, {"c"}]


def test_one_dependency_is_enough_unless_it_is_required(world: World) -> None:
    world.observe("second", "1")
    # `a` needs `first`; `b` takes either; `c` needs `b`, and `second` alone would not do.
    assert world.settle() == [{"b"}, {"c"}]


def test_the_same_version_observed_again_triggers_nothing(settled: World) -> None:
    settled.observe("first", "1")
    assert settled.settle() == []


def test_an_unchanged_result_stops_the_news(settled: World) -> None:
    settled.observe("first", "2")
    assert settled.settle() == [{"a"}]


def test_a_changed_result_passes_the_news_on(settled: World) -> None:
    settled.observe("first", "2")
    settled.versions["a"] = "2"
    # `b` makes the same as before, so `c` is left alone.
    assert settled.settle() == [{"a"}, {"b"}]


def test_changed_code_makes_the_asset_again(settled: World) -> None:
    settled.code = "2"
    assert settled.settle() == [{"a", "b", "c"}]


def test_a_failure_is_not_asked_for_again_without_news(settled: World) -> None:
    settled.failing = {"a"}
    settled.observe("first", "2")
    assert settled.settle() == [{"a"}]
    assert settled.settle() == []
    settled.failing = set()
    settled.versions["a"] = "3"
    settled.observe("first", "3")
    assert settled.settle() == [{"a"}, {"b"}]


def test_an_interrupted_level_is_asked_for_again_and_only_what_is_not_made(world: World) -> None:
    world.tick()
    world.observe("first", "1")
    world.observe("second", "1")
    before = world.cursor
    asked = world.tick()
    assert asked == {"a", "b"}
    world.make({"a"})  # killed before `b`; the cursor of this tick is lost
    world.cursor = before
    assert world.settle() == [{"b"}, {"c"}]


def test_a_wiped_asset_is_made_again_once(settled: World) -> None:
    settled.instance.wipe_assets([dg.AssetKey("a")])
    assert settled.settle() == [{"a"}]


def test_what_a_person_made_by_hand_is_not_made_again(settled: World) -> None:
    settled.observe("first", "2")
    settled.make({"a"})
    assert settled.settle() == []


def test_a_new_dependency_is_news(settled: World) -> None:
    settled.observe("second", "1")
    assert settled.settle() == [{"b", "c"}]


def test_changes_are_named() -> None:
    first, second = dg.AssetKey("first"), dg.AssetKey("second")
    before = MadeFrom("1", {first: "1"})
    now = MadeFrom("2", {first: "2", second: "1"})
    assert now.differences(before) == ["code", "first", "second"]
    assert now.differences(now) == []


def test_what_is_made_of_near_and_far_is_made_once(world: World) -> None:
    """`d` is made from `a`, which is ready at once, and from `c`, which follows from it later."""
    world.versions["d"] = "1"
    world.more["d"] = ["a", "c"]
    world.tick()
    world.observe("first", "1")
    assert world.settle() == [{"a"}, {"b"}, {"c", "d"}]
    world.observe("first", "2")
    world.versions |= {"a": "2", "b": "2", "c": "2"}
    assert world.settle() == [{"a"}, {"b"}, {"c", "d"}]
    world.observe("first", "3")
    world.versions["a"] = "3"
    # `b` makes the same as before, so nothing is left to wait for.
    assert world.settle() == [{"a"}, {"b"}, {"d"}]
