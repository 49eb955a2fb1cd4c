import asyncio
import socket
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from mcp import Client, StdioServerParameters

from adapters.errors import SettingsError
from adapters.settings import Settings
from soilmeld.reader import Dataset
from soilmeld.server import http_app, mcp_server, serve_http

TOOLS = {
    *("sources", "source", "features", "describe_feature", "query", "predict", "explain"),
    *("tiles", "describe_tile", "describe_profile"),
}
FEATURE = "clay__iso_11277"


@pytest.fixture
def http(data: Dataset) -> TestClient:
    return TestClient(http_app(data))


def test_http_answers_with_origin_and_licence(http: TestClient) -> None:
    assert {s["source"] for s in http.post("/sources").json()} >= {"limesoda", "spade_m"}
    body = {"group": "open", "features": [FEATURE], "limit": 3, "complete": True}
    answer = http.post("/query", json=body).json()
    assert answer["total"] > len(answer["rows"]) == 3
    assert answer["features"][FEATURE]["origin"] == "open"
    assert answer["features"][FEATURE]["licences"] == ["CC-BY-SA-4.0"]
    assert isinstance(answer["rows"][0][FEATURE], float)


def test_http_explains(http: TestClient) -> None:
    body = {"group": "open", "features": [FEATURE], "limit": 1, "complete": True}
    sample = http.post("/query", json=body).json()["rows"][0]["sample_id"]
    told = http.post(
        "/explain", json={"group": "open", "sample_id": sample, "feature": FEATURE}
    ).json()
    assert told["raw"] is not None
    assert told["files"][0]["sha256"]


def test_http_refuses_clearly(http: TestClient) -> None:
    missing = http.post("/describe_feature", json={"group": "open", "feature": "clay"})
    assert missing.status_code == 404
    assert FEATURE in missing.json()["message"]
    assert http.post("/query", json={"group": "open", "features": []}).status_code == 422
    assert http.post("/query", json={"group": "open"}).status_code == 422


def test_openapi_names_every_operation(http: TestClient) -> None:
    assert {path.strip("/") for path in http.get("/openapi.json").json()["paths"]} == TOOLS


def test_mcp_offers_the_same_operations(data: Dataset) -> None:
    async def ask() -> tuple[set[str], object]:
        async with Client(mcp_server(data)) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            found = await client.call_tool(
                "query", {"group": "open", "features": [FEATURE], "limit": 2}
            )
            return tools, found

    tools, found = asyncio.run(ask())
    assert tools == TOOLS
    assert not found.is_error
    assert len(found.structured_content["rows"]) == 2


def test_mcp_speaks_on_stdio(settings_file: Path) -> None:
    program = StdioServerParameters(
        command=sys.executable,
        args=["-m", "soilmeld", "serve", "--mcp", "--settings", str(settings_file)],
    )

    async def ask() -> object:
        async with Client(program) as client:
            return await client.call_tool("describe_feature", {"group": "open", "feature": "clay"})

    refused = asyncio.run(ask())
    assert refused.is_error
    assert FEATURE in refused.content[0].text


def test_a_taken_port_is_reported(data: Dataset, settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError, match="serve_port"):
            serve_http(http_app(data), "127.0.0.1", taken.getsockname()[1])
