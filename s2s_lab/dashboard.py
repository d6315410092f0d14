"""Serves a live page about a folder of runs, on this machine alone."""

import argparse
import sys

ABOUT = """Serves a live page about a folder of runs, running ones included, for browsers of this machine alone: every
job with its progress and scores, learning curves, failures, logs and attention. Ctrl-C ends it.

FOLDER is what trainings write to, e.g. outputs or outputs/demo."""


def main() -> None:
    """Entry point of `s2s-dashboard`; exit codes: 0 done, 1 failed, 2 wrong request."""
    parser = argparse.ArgumentParser(
        prog="s2s-dashboard", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", default="outputs", metavar="FOLDER", help="default: %(default)s")
    parser.add_argument("--port", type=int, metavar="N", help="default: the first free one from 8765 on")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    arguments = parser.parse_args()
    sys.exit(_run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from s2s_lab.faults import RequestError, RunError

    try:
        _serve(arguments)
    except (RequestError, RunError, OSError) as error:
        print(f"s2s-dashboard: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, RequestError) else 1
    return 0


def _serve(arguments: argparse.Namespace) -> None:
    import contextlib
    import signal
    from pathlib import Path

    from s2s_lab.faults import RequestError
    from s2s_lab.reports.live.answers import Answers
    from s2s_lab.reports.live.server import listen
    from s2s_lab.reports.live.watch import Watch

    if arguments.port is not None and not 0 <= arguments.port < 2**16:
        raise RequestError(f"--port {arguments.port}: expected 0 (any free one) to 65535")
    watch = Watch(Path(arguments.folder))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), listen(Answers(watch), arguments.port) as server:
        print(f"dashboard {server.address} shows {arguments.folder}; Ctrl-C ends it", flush=True)
        if not arguments.no_browser:
            _open(server.address)
        server.serve_forever()


def _open(address: str) -> None:
    """Opens a browser where there is a screen; a browser that runs in the terminal would take it away."""
    import os
    import webbrowser

    if sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(address)


if __name__ == "__main__":
    main()
