"""Serving the read-only operations over HTTP (JSON, OpenAPI at `/docs`) and MCP (`/mcp`, stdio).

Belongs here: transport. Never here: what the operations do.
"""

import contextlib
import functools
import inspect
import socket
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import create_model

from adapters.errors import SettingsError, SoilmeldError
from soilmeld.operations import Operations
from soilmeld.reader import Dataset, NotFoundError

INSTRUCTIONS = (
    "Soil and Earth-observation samples from many sources in one feature matrix a group. Start "
    "with `sources` and `features`. Values of group `synthetic` are invented for tests: never "
    "report them as measurements. Cite the attribution of each source whose values you show."
)


def mcp_server(data: Dataset) -> MCPServer:
    """MCP server whose tools are the operations."""
    server = MCPServer("soilmeld", instructions=INSTRUCTIONS, version=version("soilmeld"))
    for operation in Operations(data).all():
        server.add_tool(_tool(operation))
    return server


def http_app(data: Dataset) -> FastAPI:
    """HTTP application: `POST /<operation>` with a JSON body for each operation, and `/mcp`."""
    mcp_app = mcp_server(data).streamable_http_app(streamable_http_path="/")

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with mcp_app.router.lifespan_context(mcp_app):
            yield

    app = FastAPI(
        title="soilmeld", version=version("soilmeld"), description=INSTRUCTIONS, lifespan=lifespan
    )
    for operation in Operations(data).all():
        app.post(f"/{operation.__name__}", summary=inspect.getdoc(operation))(_endpoint(operation))
    app.mount("/mcp", mcp_app)

    @app.exception_handler(SoilmeldError)
    async def refused(_: Request, error: SoilmeldError) -> JSONResponse:
        status = 404 if isinstance(error, NotFoundError) else 400
        content = {"error": type(error).__name__, "message": str(error)}
        return JSONResponse(content, status_code=status)

    return app


def serve_http(app: FastAPI, host: str, port: int) -> None:
    """Serve until interrupted.

    Raises:
        SettingsError: The port is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                remedy="stop what listens there, or set another serve_port in soilmeld.toml",
            ) from error
    uvicorn.run(app, host=host, port=port)


def _tool(operation: Callable[..., Any]) -> Callable[..., Any]:
    """The operation, with errors of ours handed on to the caller as they are."""

    @functools.wraps(operation)
    def tool(*args: Any, **kwargs: Any) -> Any:
        try:
            return operation(*args, **kwargs)
        except SoilmeldError as error:
            raise ToolError(str(error)) from error

    return tool


def _endpoint(operation: Callable[..., Any]) -> Callable[..., Any]:
    """A function that takes the operation's arguments as one JSON body."""
    fields = {
        name: (p.annotation, ... if p.default is p.empty else p.default)
        for name, p in inspect.signature(operation).parameters.items()
    }
    if not fields:
        return lambda: operation()
    body_model = create_model(f"{operation.__name__}_arguments", **fields)

    def endpoint(arguments):
        return operation(**{name: getattr(arguments, name) for name in fields})

    endpoint.__annotations__ = {"arguments": body_model}
    return endpoint
