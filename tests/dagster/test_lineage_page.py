"""The web server and its lineage page, looked at in a headless browser."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adapters.settings import Settings, process_environment
from dagster_project.resources import prepare_home

START_TIMEOUT_S, PAGE_TIMEOUT_MS = 90, 45_000
GROUPS = ("upstream", "raw", "standard", "synthetic", "open", "user", "published")
MODELS = {"feature_matrix": "soilformer", "captions": "geomeld_fm", "profiles": "soilnet"}
"""What a model is trained on -> the model."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/server_info", timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the Dagster web server on an empty data root, without the daemon."""
    root = tmp_path_factory.mktemp("ui")
    home = prepare_home(Settings(data_root=root / "data", truth_root=root / "truth"))
    port = free_port()
    command = [str(Path(sys.executable).parent / "dagster-webserver")]
    command += ["-m", "dagster_project.definitions", "-h", "127.0.0.1", "-p", str(port)]
    environment = process_environment(
        DAGSTER_HOME=str(home),
        SOILMELD_DATA_ROOT=str(root / "data"),
        SOILMELD_TRUTH_ROOT=str(root / "truth"),
    )
    log = root / "server.log"
    address = f"http://127.0.0.1:{port}"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process,
    ):
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers(address):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"the web server did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.3)
        try:
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)


def test_lineage_is_readable_and_nothing_leaves_the_machine(
    server: str, chromium: Path, tmp_path: Path
) -> None:
    from playwright.sync_api import expect, sync_playwright

    requested: set[str] = set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1800, "height": 1200})
        page.set_default_timeout(PAGE_TIMEOUT_MS)
        page.on("request", lambda request: requested.add(request.url))

        page.goto(f"{server}/asset-groups")
        for group in GROUPS:
            expect(page.get_by_text(group, exact=True).first).to_be_visible(timeout=PAGE_TIMEOUT_MS)
        page.screenshot(path=tmp_path / "groups.png")

        # No welcome, telemetry or community dialog lies over the page.
        assert page.locator("[role=dialog], .bp5-dialog, .bp6-dialog").count() == 0

        page.goto(f"{server}/locations/dagster_project.definitions/asset-groups/synthetic/lineage")
        for name in ("samples", "feature_matrix"):
            expect(page.get_by_text(name, exact=False).first).to_be_visible(timeout=PAGE_TIMEOUT_MS)
        page.screenshot(path=tmp_path / "lineage.png")

        # What lies outside the window is not drawn, so each model is looked at by itself. Long
        # names are shortened in their middle.
        for data, model in MODELS.items():
            page.goto(f"{server}/assets/synthetic/{model}?view=lineage")
            for name in (data, model, "_evaluation"):
                expect(page.get_by_text(name, exact=False).first).to_be_visible(
                    timeout=PAGE_TIMEOUT_MS
                )
            page.screenshot(path=tmp_path / f"{model}.png")
        browser.close()

    hosts = {
        urlsplit(url).hostname for url in requested if urlsplit(url).scheme in ("http", "https")
    }
    assert hosts == {"127.0.0.1"}
