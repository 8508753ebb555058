# SPDX-License-Identifier: GPL-2.0-only
"""A real Chromium without a network, and pages of made-up runs in it."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from harness.report.html import write_html
from harness.report.journal import Journal

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run", "--window-size=1280,900"),
    "--disable-dev-shm-usage",
)
AXE = "selenium_axe_python"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """KHARNESS_BROWSER=required makes its absence a failure, as in CI."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        missing = "chromium and chromedriver are not here: apt-get install chromium chromium-driver"
        if os.environ.get("KHARNESS_BROWSER") == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield started
    finally:
        started.quit()


@dataclass(frozen=True)
class Browser:
    """What a person does with a page."""

    driver: webdriver.Chrome

    def open(self, path: Path, fragment: str = "") -> None:
        """Opens a page; anything of the one before is gone."""
        self.driver.get("about:blank")
        self.complaints()
        self.driver.get(path.as_uri() + fragment)
        self.until(lambda: self.js("return document.documentElement.dataset.ready === 'yes'"))

    def js(self, code: str, *arguments: Any) -> Any:
        """What a script in the page returns."""
        return self.driver.execute_script(code, *arguments)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Waits until something is so; an element that the page has replaced is looked for anew."""
        wait = WebDriverWait(self.driver, 20, ignored_exceptions=[StaleElementReferenceException])
        return wait.until(lambda _: condition())

    def all(self, selector: str) -> Sequence[WebElement]:
        """Elements."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """An element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, *keys: str) -> None:
        """Keys into what has the focus."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> WebElement:
        """What has the focus."""
        return self.driver.switch_to.active_element

    def names(self) -> list[str]:
        """Titles of the cases in the table of all results, in order."""
        code = "return [...document.querySelectorAll('#results .row-open')].map(b => b.textContent)"
        return list(self.js(code))

    def shown(self) -> str:
        """How many results are shown, in the page's words."""
        return self.one("#shown").text

    def cdp(self, command: str, **arguments: Any) -> Any:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, arguments)

    def width(self, pixels: int) -> None:
        """As if the screen were so wide."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            **{"width": pixels, "height": 800, "deviceScaleFactor": 1, "mobile": pixels < 500},
        )

    def colours(self, scheme: str) -> None:
        """As if the system preferred ``dark`` or ``light``."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.cdp("Emulation.setEmulatedMedia", features=[feature])

    def complaints(self) -> list[str]:
        """What the browser's console has had to say since the page was opened."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(entry["message"]) for entry in entries]


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Iterator[Browser]:
    made = Browser(chromium)
    yield made
    made.cdp("Emulation.clearDeviceMetricsOverride")
    made.cdp("Emulation.setEmulatedMedia", features=[])
    made.js("try { localStorage.clear() } catch {}")


@pytest.fixture
def page(tmp_path: Path) -> Callable[..., Path]:
    """Writes the page of a journal and gives its path."""

    def write(journal: Journal, history: Sequence[Journal] = ()) -> Path:
        path = tmp_path / "report.html"
        write_html(journal, path, history)
        return path

    return write
