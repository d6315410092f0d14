"""A page in a real browser, watched for complaints and requests."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def executable(playwright: Playwright) -> str:
    """The machine's Chromium, or the one Playwright installed; having none is a failure, not a reason to skip."""
    own = Path(playwright.chromium.executable_path)
    found = next(filter(None, map(shutil.which, BROWSERS)), str(own) if own.is_file() else None)
    if found is None:
        pytest.fail(f"no browser: none of {', '.join(BROWSERS)} is on the PATH; `make browser` installs one")
    return found


class Opened:
    """A page in the browser with everything that went wrong or was asked for."""

    def __init__(self, browser: Browser, path: Path, *, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.context.route("**/*", self._only_files)
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    def _only_files(self, route) -> None:
        if route.request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
            return
        self.requests.append(route.request.url)
        route.abort()

    def texts(self, selector: str) -> list[str]:
        return [text.strip() for text in self.page.locator(selector).all_inner_texts()]

    def box(self, selector: str) -> tuple[float, float]:
        found = self.page.locator(selector).first.bounding_box()
        assert found is not None, f"{selector} is not visible"
        return found["width"], found["height"]
