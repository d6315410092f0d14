"""The live page in a real browser, while jobs write to the folder that it shows."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from s2s_lab.records.run_folder import RunFolder
from s2s_lab.reports.live.answers import Answers
from s2s_lab.reports.live.server import LiveServer
from s2s_lab.reports.live.watch import Watch
from tests.end_to_end.opened import executable
from tests.reports.live_runs import go_on, start_run, write_ledger
from tests.reports.synthetic import HOSTILE, sentences, write_run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        started = playwright.chromium.launch(executable_path=executable(playwright), args=arguments, headless=True)
        yield started
        started.close()


class Shown:
    """The page of a folder, with everything that went wrong or was asked for."""

    def __init__(self, browser: Browser, folder: Path, *, width: int = 1280, scheme: str = "light") -> None:
        self.server = LiveServer(Answers(Watch(folder)), 0)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.asked: list[str] = []
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        self.context.route("**/*", self._only_this_machine)
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(self.server.address)
        self.page.wait_for_selector("html[data-ready]")

    def _only_this_machine(self, route) -> None:
        address = urlsplit(route.request.url)
        if address.scheme in ("data", "blob") or address.hostname == "127.0.0.1":
            self.asked.append(address.path)
            route.continue_()
            return
        self.elsewhere.append(route.request.url)
        route.abort()

    def row(self, name: str):
        return self.page.locator("table.jobs tr:not(.group)", has=self.page.get_by_role("link", name=name, exact=True))

    def points(self) -> list[int]:
        """How many points each line of the chart has."""
        return self.page.evaluate("(lab.element('curves-chart').data ?? []).map((trace) => trace.x.length)")

    def wait_for(self, expression: str) -> None:
        """Until something is true; asked from outside, as the page may not evaluate text itself."""
        for _ in range(100):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(100)
        pytest.fail(f"never true: {expression}")

    def close(self) -> None:
        self.context.close()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "outputs"
    write_run(root / "demo", "gru_attention", 1, made=sentences(8))
    return root


@pytest.fixture
def running(folder: Path) -> RunFolder:
    return start_run(folder / "sweep", "lstm", 1, steps=200, total=3)


@pytest.fixture
def shown(browser: Browser, folder: Path, running: RunFolder) -> Iterator[Shown]:
    page = Shown(browser, folder)
    yield page
    page.close()
    assert page.elsewhere == []
    assert page.complaints == []


def test_what_a_job_writes_appears_without_a_reload(shown: Shown, folder: Path, running: RunFolder) -> None:
    row = shown.row("lstm")
    expect(row).to_contain_text("200 / 1,000")
    expect(row.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "20")
    assert shown.points() == [2]
    go_on(running, 200, 400)
    expect(row).to_contain_text("400 / 1,000")
    expect(row.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "40")
    shown.wait_for("lab.element('curves-chart').data[0].x.at(-1) === 400")
    assert shown.points() == [4]
    best = running.read()["best"]["value"]
    expect(row.locator("[data-name=best]")).to_have_text(f"{best:.2f}")
    start_run(folder / "other", "rnn", 5)
    expect(shown.row("rnn")).to_contain_text("running")
    assert shown.asked.count("/") == 1, "the page was never loaded again"


def test_a_change_of_status_and_its_reason_appear(shown: Shown, folder: Path, running: RunFolder) -> None:
    page = shown.page
    group = page.locator("tr.group", has_text="sweep")
    expect(group).to_contain_text("1 running · 2 waiting")
    assert not page.locator("#failures").is_visible()
    running.error_file.write_text(f"Traceback\nValueError: {HOSTILE}\n")
    running.finish("failed")
    expect(shown.row("lstm").locator(".status")).to_have_text("failed")
    expect(page.locator("#failures-list")).to_contain_text(f"ValueError: {HOSTILE}")
    expect(group).to_contain_text("1 failed")
    assert "running" not in group.inner_text()
    running.error_file.unlink()
    running.update({"status": "running"})
    expect(shown.row("lstm").locator(".status")).to_have_text("running")
    expect(page.locator("#failures")).to_be_hidden()
    ended = {
        "event": "ended",
        "job": "1",
        "folder": running.path.name,
        "status": "failed",
        "reason": "killed by signal 9",
    }
    write_ledger(folder / "sweep", ended)
    expect(shown.row("lstm")).to_contain_text("killed by signal 9")


def test_hostile_text_stays_text(browser: Browser, folder: Path, running: RunFolder) -> None:
    running.update({"name": HOSTILE, "seed": HOSTILE, "row_hash": HOSTILE, "command": HOSTILE,
                    "best": {"metric": HOSTILE, "value": 1.0, "step": 100}, "git": {"commit": HOSTILE}})  # fmt: skip
    running.metrics_csv.write_text(f'step,"{HOSTILE.replace(chr(34), chr(34) * 2)}"\n100,1\n200,2\n')
    running.error_file.write_text(HOSTILE)
    running.log_file.write_text(HOSTILE)
    running.finish("failed")
    shown = Shown(browser, folder)
    page = shown.page
    link = page.locator("table.jobs").get_by_role("link", name=HOSTILE, exact=True)
    expect(link).to_be_visible()
    page.click("#choose-shown")
    page.select_option("#curves-name", HOSTILE)
    expect(page.locator("#curves-chart")).to_contain_text("</script><img")
    page.locator("#curves-chart .nsewdrag").hover()
    link.click()
    for tab in ("error", "log", "overview"):
        page.click(f"#details-tabs button[value={tab}]")
        expect(page.locator(f"[data-tab={tab}]")).to_contain_text("</script><img src=x onerror=")
    assert page.locator("#details-name").inner_text() == f"{HOSTILE}, seed {HOSTILE}"
    assert page.locator("img").count() == 0 and page.locator("main b:not(#statuses b)").count() == 0
    assert page.evaluate("window.hacked") is None
    shown.close()
    assert (shown.elsewhere, shown.complaints) == ([], [])


def test_a_log_is_followed_to_its_end(shown: Shown, running: RunFolder) -> None:
    page = shown.page
    shown.row("lstm").get_by_role("link").click()
    page.click("#details-tabs button[value=log]")
    text = page.locator("#log-text")
    expect(text).to_have_text("data ready\nlstm begins\n")
    for number in range(200):
        with running.log_file.open("a") as file:
            file.write(f"line {number} grün\n" if number else "cut in the middle ")
    expect(text).to_contain_text("line 199 grün")
    assert text.inner_text().strip() == running.log_file.read_text().strip()
    assert text.evaluate("node => node.scrollTop + node.clientHeight >= node.scrollHeight - 5"), "its end is in view"
    page.keyboard.press("Escape")
    expect(page.locator("#details")).to_be_hidden()
    assert "#" not in page.url


def test_a_job_is_looked_into(shown: Shown) -> None:
    page = shown.page
    shown.row("gru_attention").get_by_role("link").click()
    assert re.search(r"#run=[0-9a-f]{16}$", page.url)
    expect(page.locator("#details-evaluations tbody tr")).to_have_count(2)
    expect(page.locator("#details-facts")).to_contain_text("Example 9000")
    assert page.locator("#details-tabs button[value=error]").is_disabled()
    page.click("#details-tabs button[value=config]")
    expect(page.locator("#config-text")).to_contain_text("hidden_size: 128")
    page.click("#details-tabs button[value=pictures]")
    page.wait_for_selector("#attention-chart .heatmaplayer image, #attention-chart .heatmaplayer path")
    page.select_option("#attention-sentence", "1")
    assert "</script><img" in page.locator("#attention-chart").inner_text()
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("#details-name")).to_have_text("gru_attention, seed 1")


def test_the_table_is_filtered_and_sorted(browser: Browser, folder: Path) -> None:
    for seed, steps in ((1, 300), (2, 100), (10, 700)):
        start_run(folder / "sweep", "lstm", seed, steps=steps)
    shown = Shown(browser, folder)
    page = shown.page

    def column(number: int) -> list[str]:
        return page.locator(f"table.jobs tr:not(.group) > :nth-child({number})").all_inner_texts()[1:]

    assert column(3) == ["1", "1", "2", "10"]
    page.get_by_role("button", name="Progress").click()
    assert [text.split(" ")[0] for text in column(5)] == ["1,000", "700", "300", "100"]
    page.get_by_role("button", name="Progress").click()
    assert [text.split(" ")[0] for text in column(5)] == ["1,000", "100", "300", "700"]
    page.fill("#filter", "SEED=2")
    expect(page.locator("#shown")).to_have_text("1 of 4 jobs")
    page.fill("#filter", "nothing like that")
    expect(page.locator("#empty")).to_be_visible()
    page.fill("#filter", "")
    page.locator("#statuses button", has_text="finished").click()
    expect(page.locator("#shown")).to_have_text("1 of 4 jobs")
    page.locator("#statuses button", has_text="finished").click()
    page.select_option("#experiment", label="sweep")
    expect(page.locator("#shown")).to_have_text("3 of 4 jobs")
    page.click("#choose-none")
    expect(page.locator("#curves-note")).to_contain_text("Choose jobs")
    page.get_by_role("checkbox").first.check()
    shown.wait_for("lab.element('curves-chart').data?.length === 1 && !lab.element('curves-chart').hidden")
    page.click("#choose-shown")
    shown.wait_for("lab.element('curves-chart').data.length === 3")
    shown.close()
    assert (shown.elsewhere, shown.complaints) == ([], [])


def test_the_report_of_an_experiment_opens(shown: Shown) -> None:
    with shown.context.expect_page() as opened:
        shown.page.locator("tr.group", has_text="demo").get_by_role("link", name="Report").click()
    report = opened.value
    complaints: list[str] = []
    report.on("console", lambda message: complaints.append(message.text))
    report.wait_for_selector("html[data-ready]")
    expect(report.locator(".leaderboard")).to_be_visible()
    assert report.locator("#curves-chart .scatterlayer .trace").count() > 0, "its scripts ran"
    assert complaints == []


@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (1280, "dark")])
def test_nothing_is_cut_off(browser: Browser, folder: Path, running: RunFolder, width: int, scheme: str) -> None:
    running.update({"name": "a_long_name[" + "encoder.dropout=0.5," * 6 + "]"})
    shown = Shown(browser, folder, width=width, scheme=scheme)
    page = shown.page
    page.wait_for_selector("#curves-chart svg.main-svg")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    page.locator("table.jobs tr:not(.group) a").first.click()
    page.wait_for_selector("#details-facts div")
    assert page.locator("#details").evaluate("node => node.scrollWidth <= node.clientWidth")
    shown.close()
    assert (shown.elsewhere, shown.complaints) == ([], [])


def test_a_server_that_ended_is_told(browser: Browser, folder: Path) -> None:
    shown = Shown(browser, folder)
    expect(shown.page.locator("#pulse")).to_have_text("live")
    shown.context.unroute_all()
    shown.context.route("**/*", lambda route: route.abort("connectionrefused"))
    expect(shown.page.locator("#pulse")).to_contain_text("does not answer")
    expect(shown.row("gru_attention")).to_be_visible()
    shown.context.unroute_all()
    expect(shown.page.locator("#pulse")).to_have_text("live")
    shown.close()


def test_an_empty_folder_waits_for_its_first_job(browser: Browser, tmp_path: Path) -> None:
    shown = Shown(browser, tmp_path)
    expect(shown.page.locator("#empty")).to_contain_text("No run here yet")
    start_run(tmp_path / "demo", "gru", 1, steps=100)
    expect(shown.row("gru")).to_contain_text("100 / 1,000")
    shown.close()
    assert (shown.elsewhere, shown.complaints) == ([], [])
