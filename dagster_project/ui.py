"""`make ui`: the Dagster UI and daemon on the same store as `make run`, and validation reports.

Browsers do not follow a link from a page to a file, so the reports are served beside the UI.

Belongs here: starting them where the settings say.
Never here: definitions.
"""

import contextlib
import functools
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from adapters.errors import SettingsError, SoilmeldError
from adapters.settings import Settings, load_settings, process_environment
from dagster_project.resources import prepare_home


def check_port(host: str, port: int, setting: str = "ui_port") -> None:
    """See that a server can listen there.

    Raises:
        SettingsError: Another program listens there, or the address is not this machine's.
    """
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                where=setting,
                samples=[port],
                remedy="end the program that uses it, or choose another: "
                f"SOILMELD_{setting.upper()}={port + 10} make ui, or {setting} in soilmeld.toml",
            ) from error


def command(settings: Settings) -> list[str]:
    """Command line that serves the UI and runs the daemon."""
    dagster = Path(sys.executable).parent / "dagster"
    place = ["-h", settings.ui_host, "-p", str(settings.ui_port)]
    quiet = ["--log-level", "warning"]
    return [str(dagster), "dev", "-m", "dagster_project.definitions", *place, *quiet]


@contextlib.contextmanager
def reports(settings: Settings) -> Iterator[ThreadingHTTPServer]:
    """Serve the validation reports while the UI runs."""
    settings.docs.mkdir(parents=True, exist_ok=True)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    handler = functools.partial(Quiet, directory=str(settings.docs))
    with ThreadingHTTPServer((settings.ui_host, settings.docs_port), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def main() -> int:
    """Serve until interrupted."""
    try:
        settings = load_settings()
        check_port(settings.ui_host, settings.ui_port)
        check_port(settings.ui_host, settings.docs_port, "docs_port")
    except SoilmeldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    home = prepare_home(settings)
    sys.stderr.write(
        f"Dagster UI: http://{settings.ui_host}:{settings.ui_port}  (Ctrl-C ends it)\n"
    )
    with reports(settings):
        try:
            return subprocess.call(
                command(settings), env=process_environment(DAGSTER_HOME=str(home))
            )
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    raise SystemExit(main())
