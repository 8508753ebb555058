# SPDX-License-Identifier: GPL-2.0-only
"""The pages of kharness serve in a real browser: read, searched, looked at by axe; no script."""

import pytest

from harness.report.journal import Journal
from harness.verdict.outcome import Outcome
from tests.browser.conftest import Browser
from tests.browser.test_html import violations
from tests.report.example_run import KERNELS, hostile, journal, passing, result, run
from tests.report.test_html import PROBES
from tests.serve.conftest import Site, history, put, site  # noqa: F401

PATHS = (
    *("", "runs", "runs/1?show=all", "regressions?base=1&head=2", "cases", "problems", "none"),
    "cases/1?kernel=debian-6.12",
)


@pytest.fixture
def filled(site: Site) -> Site:  # noqa: F811
    put(site.runs / "a", passing(day=1))
    put(site.runs / "b", journal(day=2))
    (site.runs / "bad.xml").write_text("")
    site.update()
    return site


def go(browser: Browser, site: Site, path: str) -> None:  # noqa: F811
    browser.driver.get("about:blank")
    browser.complaints()
    browser.driver.get(site.server.url + path)


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_on_any_page(
    browser: Browser, filled: Site, colours: str, width: int
) -> None:
    browser.colours(colours)
    browser.width(width)
    for path in PATHS:
        go(browser, filled, path)
        browser.js("document.querySelectorAll('details').forEach(d => { d.open = true })")
        assert violations(browser) == [], path
        wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert browser.js(wide) == 0, path


@pytest.mark.parametrize("width", [800, 1280])
def test_short_cells_and_heads_are_one_line(browser: Browser, site: Site, width: int) -> None:  # noqa: F811
    long = "expected -1 EINVAL (Invalid argument), got -1 EBADF (Bad file descriptor) " * 4
    name = "a_case_of_which_somebody_has_thought_that_it_needs_a_name_of_great_length"
    made = result(0, Outcome.FAIL, name=name, case=f"c.c::{name}", message=long, detail=long)
    put(site.runs / "a", Journal(run(), KERNELS, [made], ended=True))
    site.update()
    browser.width(width)
    for path in ("", "runs", "runs/1", "regressions?head=1", "cases/1", "cases"):
        go(browser, site, path)
        assert browser.complaints() == [], path
        broken = browser.js(
            "return [...document.querySelectorAll('thead th, td.short, td > .badge, td > time')]"
            ".filter(e => { const range = document.createRange(); range.selectNodeContents(e);"
            " return new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1 })"
            ".map(e => e.textContent)"
        )
        assert broken == [], path
        wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert browser.js(wide) == 0, path
        assert browser.all("td.short") or path in ("", "cases"), path


def test_from_the_overview_to_the_first_bad_run(browser: Browser, site: Site) -> None:  # noqa: F811
    history(site.runs, "ppff")
    site.update()
    go(browser, site, "")
    browser.one("td[data-head=Run] a").click()
    assert browser.one("h1").text == "Run run-4"
    browser.one("tbody th a").click()
    assert "Bad since run-3; last good in run-2" in browser.one(".turn").text
    assert len(browser.all(".tile")) == 4
    browser.one(".turn a").click()
    assert browser.one("h1").text == "Run run-3"
    assert browser.complaints() == []


def test_a_search_by_keyboard(browser: Browser, filled: Site) -> None:
    go(browser, filled, "cases")
    browser.one("#query").send_keys("crash\n")
    browser.until(lambda: "query=crash" in browser.driver.current_url)
    assert [row.text for row in browser.all("tbody th a")] == ["crash_4"]
    assert browser.complaints() == []


@pytest.mark.parametrize("words", PROBES)
def test_words_of_a_guest_do_nothing(browser: Browser, site: Site, words: str) -> None:  # noqa: F811
    watch = "window.acted = 0; window.bad = () => { window.acted++ }; window.alert = window.bad;"
    added = browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=watch)
    try:
        put(site.runs / "a", hostile(words))
        site.update()
        for path in ("", "runs", "runs/1?show=all", "regressions", "cases", "cases/1"):
            go(browser, site, path)
            browser.js("document.querySelectorAll('details').forEach(d => { d.open = true })")
            assert browser.all("iframe, img, object, embed, script, [onerror]") == []
            assert browser.js("return window.acted") == 0
            assert browser.complaints() == []
    finally:
        browser.cdp("Page.removeScriptToEvaluateOnNewDocument", **added)


def test_a_badge_is_a_picture_as_wide_as_its_words(browser: Browser, filled: Site) -> None:
    go(browser, filled, "badge.svg?kernel=debian-6.12&suite=pidfd")
    assert browser.complaints() == []
    box = "const b = document.querySelector('g').getBBox(); return [b.x, b.x + b.width, b.height]"
    left, right, height = browser.js(box)
    width = float(browser.js("return document.documentElement.width.baseVal.value"))
    assert 0 < left < 10
    assert width - 10 < right < width
    assert height < 20
