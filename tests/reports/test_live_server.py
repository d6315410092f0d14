"""The live page over HTTP: what is served, to whom, and what is refused."""

import http.client
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

import s2s_lab.dashboard
from s2s_lab.faults import RequestError
from s2s_lab.reports.live import server as live_server
from s2s_lab.reports.live.answers import Answers
from s2s_lab.reports.live.server import PAGE, ROUTES, LiveServer, listen
from s2s_lab.reports.live.watch import Watch
from tests.reports.live_runs import start_run
from tests.reports.synthetic import HOSTILE, sentences, write_run

SECRET = "the secret of the machine"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("machine")
    (root / "secret.txt").write_text(SECRET)
    outputs = root / "outputs"
    (outputs / "demo").mkdir(parents=True)
    (outputs / "secret.txt").write_text(SECRET)
    (outputs / "demo" / ".hidden").write_text(SECRET)
    for seed in (1, 2):
        write_run(outputs / "demo", "gru_attention", seed, made=sentences(8))
    run = start_run(outputs / "demo", "lstm", 1, steps=200)
    (run.path / ".hidden").write_text(SECRET)
    (run.path / "checkpoints").mkdir()
    (run.path / "checkpoints" / "last.ckpt").write_text(SECRET)
    run.error_file.write_text(f"{HOSTILE}\n")
    return outputs


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[LiveServer]:
    with LiveServer(Answers(Watch(folder)), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Got:
    """One answer."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()
        self.text = self.body.decode("utf-8")


def ask(server: LiveServer, address: str, method: str = "GET", **headers: str) -> Got:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    try:
        connection.request(method, address, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return Got(connection.getresponse())
    finally:
        connection.close()


def raw(server: LiveServer, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as line:
        line.sendall(text)
        line.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: line.recv(65536), b""))


def rows(server: LiveServer) -> dict[str, dict]:
    return {row["name"]: row for row in json.loads(ask(server, "/api/runs").text)["runs"]}


def addresses(server: LiveServer) -> list[str]:
    """Every address that answers with something."""
    row = rows(server)["gru_attention"]
    run = row["key"]
    evaluation = json.loads(ask(server, f"/api/run?run={run}").text)["evaluations"][0]["id"]
    return [
        *PAGE, "/api/runs", f"/api/curves?runs={run}", f"/api/run?run={run}",
        f"/api/log?run={rows(server)['lstm']['key']}", f"/text?run={run}&file=config",
        f"/api/attention?run={run}&evaluation={quote(evaluation)}", f"/report?experiment={row['experiment']}",
    ]  # fmt: skip


def test_every_address_answers_with_the_same_protection(served: LiveServer) -> None:
    found = addresses(served)
    assert {address.split("?")[0] for address in found} == {*PAGE, *ROUTES} - {"/picture"}
    for address in [*found, "/nothing", "/picture?run=1&name=2"]:
        got = ask(served, address)
        assert got.status == (200 if address in found else 404), (address, got.text[:200])
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        assert got.headers["Referrer-Policy"] == "no-referrer"
        assert got.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        policy = {part.split()[0]: part.split()[1:] for part in got.headers["Content-Security-Policy"].split(";")}
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
        scripts = policy.get("script-src", [])
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*"} & set(scripts)
        assert all(source == "'self'" or source.startswith("'sha256-") for source in scripts)
        assert not any(re.match(r"https?:|\*", source) for sources in policy.values() for source in sources)
        assert "Access-Control-Allow-Origin" not in got.headers
        assert "Python" not in got.headers["Server"]


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.inline, self.handlers, self.outside = [], [], []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        self.handlers += [name for name in facts if name.startswith("on") or name == "style"]
        self.outside += [value for name, value in attrs if name in ("src", "href") and ":" in (value or "")]
        if tag == "script" and "src" not in facts and facts.get("type") != "application/json":
            self.inline.append(tag)


def test_the_page_has_no_script_of_its_own_in_it_and_nothing_from_elsewhere(served: LiveServer) -> None:
    read = _Scripts()
    read.feed(ask(served, "/").text)
    assert (read.inline, read.handlers) == ([], [])
    assert read.outside == ["data:,"]


def test_the_scripts_never_write_markup() -> None:
    from importlib.resources import files

    for package, name, kind in PAGE.values():
        if kind == "text/javascript" and package != "plotly":
            source = files(package).joinpath(name).read_text(encoding="utf-8")
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", source
            ), name


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "//etc/passwd", "/etc/passwd", "/secret.txt",
        "/demo/", "/demo/.hidden", "/page/../live.html", "/page/%2e%2e/answers.py", "/page/", "/page/live.html",
        "/text?run=../..&file=secret.txt", "/text?run={run}&file=../../secret.txt", "/text?run={run}&file=.hidden",
        "/text?run={run}&file=checkpoints/last.ckpt", "/text?run={run}&file=run.json", "/text?run={run}",
        "/text?run=demo%2f{folder}&file=log", "/api/log?run=..%2f..", "/api/run?run=", "/report?experiment=..",
        "/report?experiment=demo", "/picture?run={run}&name=..%2f..%2fsecret.txt",
        "/picture?run={run}&name=config.yaml",
        "/api/attention?run={run}&evaluation=..%2f..", "/api/attention?run={run}&evaluation=%00", "/%00", "/*",
        "http://127.0.0.1/secret.txt", "/outputs/secret.txt", "/text?run={run}&file=log%00.txt", "/\\..\\secret.txt",
    ],
)  # fmt: skip
def test_no_other_path_is_served(path: str, served: LiveServer, folder: Path) -> None:
    run = rows(served)["lstm"]["key"]
    got = ask(served, path.format(run=run, folder="x"))
    assert got.status in (400, 403, 404), path
    assert SECRET not in got.text and got.text.startswith("s2s-dashboard: ") and got.text.count("\n") == 1
    assert str(folder.parent) not in got.text


def test_the_secret_is_in_no_answer(served: LiveServer) -> None:
    assert not any(SECRET in ask(served, address).text for address in addresses(served))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "NONSENSE"])
def test_only_get_and_head_are_served(method: str, served: LiveServer) -> None:
    got = ask(served, "/api/runs", method)
    assert (got.status, got.headers["Allow"]) == (405, "GET, HEAD")
    assert got.headers["Content-Security-Policy"]


def test_head_sends_the_headers_of_get_alone(served: LiveServer) -> None:
    for address in ("/", "/api/runs", "/page/plotly.js", "/nothing"):
        got, head = ask(served, address), ask(served, address, "HEAD")
        assert (head.status, head.body) == (got.status, b"")
        for name in ("Content-Length", "Content-Type", "ETag"):
            assert head.headers[name] == got.headers[name]


def test_a_host_that_is_not_this_machine_is_refused(served: LiveServer) -> None:
    port = served.server_port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}"):
        assert ask(served, "/api/runs", Host=host).status == 200
    names = ("evil.example", f"evil.example:{port}", f"127.0.0.1.nip.io:{port}", f"localhost:{port}.evil.example")
    for host in (*names, "localhost", f"127.0.0.1:{port + 1}", f"[::1]:{port}", "", f"0.0.0.0:{port}"):
        got = ask(served, "/api/runs", Host=host)
        assert got.status == 403 and f"http://127.0.0.1:{port}/" in got.text, host
        assert "gru_attention" not in got.text
    good = f"Host: localhost:{port}\r\n".encode()
    assert b" 403 " in raw(served, b"GET /api/runs HTTP/1.1\r\nConnection: close\r\n\r\n").splitlines()[0]
    assert (
        b" 403 "
        in raw(served, b"GET /api/runs HTTP/1.1\r\n" + good + b"Host: evil\r\nConnection: close\r\n\r\n").splitlines()[
            0
        ]
    )
    assert b" 403 " in raw(served, b"GET http://evil.example/api/runs HTTP/1.0\r\n\r\n").splitlines()[0]


def test_another_sites_page_gets_nothing(served: LiveServer) -> None:
    for site in ("cross-site", "same-site"):
        assert ask(served, "/api/runs", Sec_Fetch_Site=site).status == 403
        assert ask(served, "/page/plotly.js", Sec_Fetch_Site=site).status == 403
        assert ask(served, "/", Sec_Fetch_Site=site).status == 200, "a link to the page may be followed"
    assert ask(served, "/api/runs", Sec_Fetch_Site="same-origin").status == 200


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00\xff\xfe\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500 + b"\r\n", b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /api/runs?" + b"a=1&" * 2000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_and_the_next_one_is_served(
    text: bytes, served: LiveServer, capfd: pytest.CaptureFixture[str]
) -> None:
    assert b" 200 " not in raw(served, text)[:20]
    assert ask(served, "/api/runs").status == 200
    assert "Traceback" not in capfd.readouterr().err


def test_unchanged_answers_are_not_sent_again(served: LiveServer) -> None:
    for address in ("/", "/page/plotly.js", "/api/runs"):
        first = ask(served, address)
        again = ask(served, address, If_None_Match=first.headers["ETag"])
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
        assert ask(served, address, If_None_Match='"else"').status == 200
        assert first.headers["Cache-Control"] == "no-cache"


def test_text_is_sent_as_text(served: LiveServer) -> None:
    got = ask(served, f"/text?run={rows(served)['lstm']['key']}&file=error")
    assert got.text == f"{HOSTILE}\n" and got.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "sandbox" in got.headers["Content-Security-Policy"]


def test_an_experiments_report_is_rendered_once_for_each_state(
    served: LiveServer, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    from s2s_lab.reports import page

    address = f"/report?experiment={rows(served)['lstm']['experiment']}"
    first = ask(served, address)
    assert first.headers["Content-Type"].startswith("text/html") and 'id="results"' in first.text
    rendered = []
    whole = page.render
    monkeypatch.setattr(page, "render", lambda *words, **more: (rendered.append(1), whole(*words, **more))[1])
    assert ask(served, address).text == first.text and not rendered
    start_run(folder / "demo", "rnn", 7)
    monkeypatch.setattr(served.answers.watch, "_looked", -10.0)
    assert ask(served, address).text != first.text and rendered == [1]


def test_a_fault_of_ours_does_not_end_the_server(
    served: LiveServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(served.answers, "runs", lambda since: 1 / 0)
    got = ask(served, "/api/runs")
    assert (got.status, got.text) == (500, "s2s-dashboard: ZeroDivisionError, see the terminal\n")
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_it_listens_on_this_machine_alone(served: LiveServer) -> None:
    assert served.server_address[0] == "127.0.0.1"


def test_a_taken_port_is_refused_when_asked_for_and_passed_over_when_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Answers(Watch(folder))
    with listen(answers, 0) as first:
        with pytest.raises(RequestError, match=f"--port {first.server_port}: .*in use"):
            listen(answers, first.server_port)
        monkeypatch.setattr(live_server, "FIRST_PORT", first.server_port)
        with listen(answers, None) as second:
            assert second.server_port > first.server_port
        monkeypatch.setattr(live_server, "PORTS_TRIED", 1)
        with pytest.raises(RequestError, match="all taken"):
            listen(answers, None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["--port", "70000"], "--port 70000: expected"),
        (["--port", "-1"], "--port -1: expected"),
    ],
)
def test_a_wrong_request_ends_with_one_line(
    words: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    monkeypatch.setattr(sys, "argv", ["s2s-dashboard", *words, "--no-browser"])
    with pytest.raises(SystemExit) as ended:
        s2s_lab.dashboard.main()
    error = capsys.readouterr().err
    assert ended.value.code == 2 and error.count("\n") == 1 and expected in error


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_it_says_where_it_is_and_ends_cleanly(number: str, folder: Path) -> None:
    import signal

    command = [sys.executable, "-m", "s2s_lab.dashboard", str(folder), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"dashboard (http://127\.0\.0\.1:\d+/) shows .*; Ctrl-C ends it\n", line)
        assert found, line
        with socket.create_connection(
            ("127.0.0.1", int(found[1].split(":")[2].strip("/")))
        ):  # one reader is still there
            process.send_signal(getattr(signal, number))
            out, error = process.communicate(timeout=20)
    assert (process.returncode, out, error) == (0, "", "")
