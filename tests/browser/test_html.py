# SPDX-License-Identifier: GPL-2.0-only
"""The page in a real browser: what a person sees and does, and that nothing of a guest acts."""

import re
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from harness.report.journal import Journal, KernelInfo
from harness.verdict.outcome import Attempt, Outcome
from tests.browser.conftest import AXE, Browser
from tests.report.example_run import KERNELS, hostile, journal, large, passing, result, run
from tests.report.test_html import PROBES

Write = Callable[..., Path]


@pytest.fixture
def opened(browser: Browser, page: Write) -> Browser:
    browser.open(page(journal()))
    return browser


def earlier_runs() -> list[Journal]:
    return [journal(day=day) if day % 2 else passing(day=day) for day in range(1, 15)]


def turning_runs() -> list[Journal]:
    """Runs in which the case that is bad on every odd day was good on the even ones."""
    runs = [journal(day=day) for day in range(1, 15)]
    for one in runs[1::2]:
        one.results[:] = [
            replace(r, outcome=Outcome.PASS) if r.outcome is Outcome.FAIL else r
            for r in one.results
        ]
    return runs


def test_it_opens_with_the_verdict_on_top_and_no_complaint(opened: Browser) -> None:
    assert opened.one("h1").text.startswith("FAIL: 5 of 48 failed on debian-6.12")
    assert opened.one("h1").text.endswith("1 error), 1 flaky")
    assert opened.one("#h-failures").text == "Failures (5) and what is flaky (1)"
    assert opened.shown() == "48 results"
    order = opened.js(
        "return [...document.querySelectorAll('h1, main > section, .pair > section')]"
        ".filter(e => !e.hidden).map(e => e.id || 'verdict')"
    )
    sections = ["s-matrix", "s-failures", "s-slowest", "s-timeline", "s-results"]
    assert order == ["verdict", *sections]
    assert opened.complaints() == []


@pytest.mark.parametrize("make", [Journal, passing, lambda: hostile("x"), large])
def test_every_kind_of_run_opens(browser: Browser, page: Write, make: Any) -> None:
    browser.open(page(make()))
    assert browser.one("h1").text
    assert browser.complaints() == []


# Finding


def test_the_search_is_a_key_away_and_finds_names_kernels_and_messages(opened: Browser) -> None:
    opened.press("/")
    opened.press("crash_")
    opened.until(lambda: opened.shown() == "1 of 48 results")
    assert opened.names() == ["crash_4"]
    opened.press(Keys.ESCAPE)
    opened.until(lambda: opened.shown() == "48 results")
    opened.press("DEBIAN-6.1 pass_10")
    opened.until(lambda: opened.shown() == "20 of 48 results")
    opened.press(Keys.ESCAPE)
    opened.press("why it is timeout")
    opened.until(lambda: opened.names() == ["timeout_5"])


def test_outcomes_and_kernels_filter(opened: Browser) -> None:
    opened.one("[data-outcome=timeout]").click()
    opened.one("[data-outcome=crash]").click()
    assert opened.names() == ["crash_4", "timeout_5"]
    assert opened.one("[data-outcome=crash]").get_attribute("aria-pressed") == "true"
    opened.one("#reset").click()
    opened.one("[data-kernel='debian-6.1']").click()
    assert opened.shown() == "20 of 48 results"


def test_failures_only_is_a_key_there_and_back(opened: Browser) -> None:
    opened.press("f")
    assert opened.shown() == "6 of 48 results"
    assert {name.rstrip("_0123456789") for name in opened.names()} == {
        *("fail", "xpass", "crash", "timeout", "error", "flaky")
    }
    opened.press("f")
    assert opened.shown() == "48 results"


def test_what_is_shown_is_announced(opened: Browser) -> None:
    assert opened.one("#shown").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize(("key", "column"), [("t", "time"), ("n", "case"), ("o", "outcome")])
def test_keys_sort_and_sort_back(opened: Browser, key: str, column: str) -> None:
    opened.press("o" if key != "o" else "t")
    opened.press(key)
    first = opened.names()
    header = f"th.c-{column}"
    was = opened.one(header).get_attribute("aria-sort")
    opened.press(key)
    assert {was, opened.one(header).get_attribute("aria-sort")} == {"ascending", "descending"}
    assert opened.names() != first
    assert sorted(opened.names()) == sorted(first)


def test_headers_sort_and_keep_the_focus(opened: Browser) -> None:
    opened.one("[data-sort=time]").click()
    times = opened.js("return [...document.querySelectorAll('td.c-time')].map(t => t.textContent)")
    assert times == sorted(times, reverse=True)
    assert opened.focused().get_attribute("data-sort") == "time"


# Going about


def test_j_and_k_walk_the_table_and_over_its_pages(browser: Browser, page: Write) -> None:
    browser.open(page(passing(120)))
    browser.press("j")
    assert browser.focused().text == "pass_0"
    browser.press("j", Keys.ARROW_DOWN)
    assert browser.focused().text == "pass_2"
    browser.press("k")
    assert browser.focused().text == "pass_1"
    browser.press(*("j" * 49))
    assert browser.focused().text == "pass_50"
    browser.press("k")
    assert browser.focused().text == "pass_49"


def test_enter_opens_a_result_and_escape_comes_back(opened: Browser) -> None:
    opened.press("j", Keys.ENTER)
    assert opened.one("#sheet").is_displayed()
    assert "crash_4" in opened.one("#sheet-title").text
    opened.press("j")
    assert "timeout_5" in opened.one("#sheet-title").text
    opened.press("k")
    assert "crash_4" in opened.one("#sheet-title").text
    opened.press(Keys.ESCAPE)
    assert not opened.one("#sheet").is_displayed()
    assert opened.focused().text == "crash_4"


def test_escape_comes_back_to_what_was_seen_last(browser: Browser, page: Write) -> None:
    browser.open(page(passing(60)))
    browser.press("j", Keys.ENTER, "j", "j", Keys.ESCAPE)
    browser.until(lambda: browser.focused().text == "pass_2")
    browser.press(Keys.ENTER, *("j" * 50), Keys.ESCAPE)
    browser.until(lambda: browser.focused().text == "pass_52")  # on the next page


def test_who_sorts_stays_at_the_result(opened: Browser) -> None:
    opened.press("j", "j")
    name = opened.focused().text
    opened.press("t")
    assert opened.focused().text == name
    opened.press("f", "f")
    assert opened.focused().text == name
    slow = opened.all("#slowest .row-open")[3]
    opened.js("arguments[0].focus()", slow)
    opened.press("n")
    assert opened.focused().get_dom_attribute("data-open") is not None


def test_who_goes_on_while_the_sheet_closes_is_not_taken_back(opened: Browser) -> None:
    opened.press("j", Keys.ENTER)
    opened.js(
        "const sheet = document.getElementById('sheet');"
        "sheet.addEventListener('close', () => { document.body.dataset.closed = 'yes'; });"
        "sheet.close();"
        "document.getElementById('search').focus();"
    )
    opened.until(lambda: opened.js("return document.body.dataset.closed"))
    assert opened.focused().get_dom_attribute("id") == "search"


def test_the_matrix_is_walked_by_keys(opened: Browser) -> None:
    opened.press("m")
    where = opened.one("#matrix .where")
    first = where.text
    assert " on debian-6.1" in first
    opened.press(Keys.ARROW_RIGHT)
    second = where.text
    assert second != first
    opened.press(Keys.ARROW_LEFT)
    assert where.text == first
    opened.press(Keys.ARROW_RIGHT, Keys.ENTER)
    assert opened.one("#sheet .path").text in second


def test_a_click_on_a_tile_opens_it(opened: Browser) -> None:
    canvas = opened.one("#matrix canvas")
    opened.press("m")
    first = opened.one("#matrix .where").text
    size = canvas.size
    for right in range(0, int(size["width"]), 7):
        ActionChains(opened.driver, duration=0).move_to_element_with_offset(
            canvas, right - int(size["width"] / 2) + 1, 12 - int(size["height"] / 2)
        ).perform()
        if opened.one("#tip").is_displayed():
            break
    assert opened.one("#tip").text == first
    ActionChains(opened.driver).click().perform()
    assert opened.one("#sheet .path").text in first


def test_the_matrix_as_a_table_says_the_same(opened: Browser) -> None:
    opened.one("#matrix-as").click()
    rows = opened.js(
        "return [...document.querySelectorAll('.grid tbody tr')].map(r => r.innerText.trim())"
    )
    (crash,) = [row for row in rows if row.startswith("crash_4")]
    assert crash.split() == ["crash_4", "crash", "no", "result"]
    heads = [cell.text for cell in opened.all(".grid thead th")]
    assert heads == ["Case", "debian-6.12", "debian-6.1"]


def test_the_timeline_is_walked_by_keys(opened: Browser) -> None:
    opened.js("document.querySelector('#timeline canvas').focus()")
    opened.press(Keys.END)
    last = opened.one("#timeline .where").text
    opened.press(Keys.ARROW_LEFT)
    assert opened.one("#timeline .where").text != last
    assert "2 workers" in opened.one("#timeline-note").text


def test_cases_one_after_another_are_one_lane(browser: Browser, page: Write) -> None:
    """Their starts and times are rounded, so that one may seem to begin before the end."""
    at = "2026-01-01T00:00:0{}.{:03}+00:00"
    results = [
        result(
            n, Outcome.PASS, worker="gw0", started=at.format(n, 999 * n % 1000), duration_s=0.9996
        )
        for n in range(5)
    ]
    browser.open(page(Journal(run(), KERNELS[:1], results, ended=True)))
    words = browser.one("#timeline-note").text
    assert "1 worker, 1 case at a time" in words
    assert "A gap is time without a case" in words


def test_other_tries_are_in_the_timeline(browser: Browser, page: Write) -> None:
    def at(second: int) -> str:
        return f"2026-01-01T00:00:0{second}+00:00"

    tries = tuple(
        Attempt(Outcome.FAIL, "no", started=at(n), duration_s=1, worker="gw0", number=n + 1)
        for n in range(2)
    )
    flaky = result(
        0,
        Outcome.FLAKY,
        worker="gw0",
        started=at(2),
        duration_s=1,
        attempts=tries,
        message="2 of 3",
    )
    browser.open(page(Journal(run(), KERNELS[:1], [flaky], ended=True)))
    words = browser.one("#timeline-note").text
    assert "1 worker, 1 case at a time" in words
    assert "3.00 s, 100 % of it spent in cases. What is hollow is a try" in words
    browser.js("document.querySelector('#timeline canvas').focus()")
    browser.press(Keys.HOME)
    assert "flaky" in browser.one("#timeline .where").text
    assert browser.complaints() == []


def test_help_lists_the_keys(opened: Browser) -> None:
    opened.press("?")
    assert "failures only" in opened.one("#help").text
    opened.press(Keys.ESCAPE)
    assert not opened.one("#help").is_displayed()


def test_the_address_leads_back_to_what_was_seen(opened: Browser) -> None:
    opened.one("[data-outcome=crash]").click()
    opened.press("t", "j", Keys.ENTER)
    address = opened.js("return location.href")
    opened.driver.get("about:blank")
    opened.driver.get(address)
    opened.until(lambda: opened.one("#sheet").is_displayed())
    assert "crash_4" in opened.one("#sheet-title").text
    opened.press(Keys.ESCAPE)
    assert opened.shown() == "1 of 48 results"
    assert "s=time" in opened.js("return location.hash")


# One result


def test_a_failure_shows_what_was_expected_beside_what_came(opened: Browser) -> None:
    opened.open(Path(opened.js("return decodeURI(location.pathname)")), "#o=fail")
    (failure,) = opened.all("#failures .failure")
    assert failure.get_attribute("open")
    pair = [cell.text for cell in opened.all("#failures .expect dd")]
    assert pair == ["-1 EINVAL (Invalid argument)", "-1 EBADF (Bad file descriptor)"]


def test_a_crash_shows_its_splat_marked_with_its_trace(opened: Browser) -> None:
    first = opened.all("#failures .failure")[0]
    assert "crash_4" in first.text
    marked = opened.js(
        "return [...document.querySelectorAll('#failures .mark .words')].map(e => e.textContent)"
    )
    assert len(marked) == 3
    assert "BUG: KASAN" in marked[0]
    assert "pidfd_poll  fs/pidfs.c:142" in first.text
    assert "blocked tasks" in first.text
    links = [link.get_dom_attribute("href") for link in opened.all("#failures .failure a")]
    assert links == ["./consoles/debian-6.12/pidfd.crash_4.log", "./dumps/open.elf"]


def test_a_flaky_case_shows_its_earlier_try(browser: Browser, page: Write) -> None:
    browser.open(page(journal()), "#o=flaky")
    assert "Try 1" in browser.one("#failures .attempt").text
    assert "first try" in browser.one("#failures .attempt").text


def test_tries_of_a_case_that_always_failed_are_called_what_they_are(
    browser: Browser, page: Write
) -> None:
    others = tuple(
        Attempt(Outcome.FAIL, "again", number=n, console_file=f"consoles/k/fail.try{n}.log")
        for n in (2, 3)
    )
    tries = {"tries": "3", "failed": "3", "try": "1"}
    browser.open(page(Journal(run(), [], [result(1, Outcome.FAIL, attempts=others, extra=tries)])))
    heads = [head.get_attribute("textContent") for head in browser.all("#failures .attempt h5")]
    assert heads == ["Try 2 of 3 fail", "Try 3 of 3 fail"]
    words = browser.one("#failures .failure").text
    assert "LATER TRIES" in words
    assert "What stands above is of try 1 of 3." in words
    links = [a.get_dom_attribute("href") for a in browser.all("#failures .attempt a")]
    assert links == ["./consoles/k/fail.try2.log", "./consoles/k/fail.try3.log"]


def copied(browser: Browser) -> str:
    """What is in the clipboard, by pasting it into the search."""
    browser.press("/")
    browser.one("#search").clear()
    ActionChains(browser.driver).key_down(Keys.CONTROL).send_keys("v").key_up(
        Keys.CONTROL
    ).perform()
    return str(browser.js("return document.getElementById('search').value"))


COMMAND = "kharness run --kernel debian:6.12 'cases/pidfd/area1.c::crash_4'"


def test_the_command_is_copied(opened: Browser) -> None:
    button = opened.one("#failures .copy")
    button.click()
    opened.until(lambda: button.text == "Copied")
    assert opened.one("#said").get_attribute("textContent") == "Copied"
    assert copied(opened) == COMMAND


def test_it_is_copied_where_the_clipboard_is_refused(browser: Browser, page: Write) -> None:
    refuse = "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
    added = browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=refuse)
    try:
        browser.open(page(journal()))
        assert browser.js("return navigator.clipboard === undefined")
        browser.one("#failures .copy").click()
        browser.until(lambda: browser.one("#failures .copy").text == "Copied")
        assert copied(browser) == COMMAND
    finally:
        browser.cdp("Page.removeScriptToEvaluateOnNewDocument", **added)


def test_c_copies_what_is_open(opened: Browser) -> None:
    opened.press("j", Keys.ENTER, "c")
    opened.until(lambda: opened.one("#sheet .copy").text == "Copied")
    opened.press(Keys.ESCAPE)
    assert copied(opened) == COMMAND


def test_earlier_runs_are_sparklines(browser: Browser, page: Write) -> None:
    browser.open(page(journal(), earlier_runs()))
    assert browser.one("#s-history").is_displayed()
    label = browser.one("#failures .spark").get_attribute("aria-label")
    assert label is not None
    assert label.startswith("Outcomes, oldest first: crash, none, crash")
    assert browser.complaints() == []


def test_what_has_just_gone_bad_comes_before_what_changes_often(
    browser: Browser, page: Write
) -> None:
    runs = [journal(day=day) for day in range(1, 15)]
    for number, one in enumerate(runs):
        for n, r in enumerate(one.results):
            # The crash is new; the failure comes and goes, and was there the day before.
            if r.outcome is Outcome.CRASH or (r.outcome is Outcome.FAIL and number % 2 == 0):
                one.results[n] = replace(r, outcome=Outcome.PASS)
    browser.open(page(journal(), runs))
    first, second, *_ = [name.text for name in browser.all(".pasts .row-open")]
    assert first.startswith("crash_")
    assert second.startswith("fail_")
    assert "were good before (1)" in browser.one("#history-note").text


# Screens and people


RECORD = """
window.words = [];
const fill = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  const width = this.measureText(text).width;
  const left = this.textAlign === "right" ? x - width : x;
  window.words.push([this.canvas.closest("#matrix") ? text : "", left, left + width, y]);
  return fill.call(this, text, x, y);
};
const clear = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...box) {
  window.words = [];
  return clear.call(this, ...box);
};
"""
"""Keeps what was last written into a picture, and where."""


def many_files(kernels: int, files: int = 60) -> Journal:
    """Small files on some kernels, of which one has a long name; the last case crashed."""
    names = [f"debian-6.{n}" for n in range(kernels - 1)] + ["lts-5.15.999-of-a-very-long-name"]
    results = []
    for number in range(files * 3):
        file = f"cases/s{number % files}/a_file_of_a_rather_long_name_{number % files}.c"
        case = f"{file}::case_{number}"
        last = number == files * 3 - 1
        outcome = Outcome.CRASH if last else Outcome.PASS
        results += [result(number, outcome, name, case=case) for name in names]
    return Journal(run(), [KernelInfo(n, n, "6", "x86_64", "tcg") for n in names], results, True)


@pytest.mark.parametrize("width", [360, 390, 760, 1280])
@pytest.mark.parametrize("kernels", [1, 2, 5])
def test_no_words_in_the_matrix_overlap(
    browser: Browser, page: Write, width: int, kernels: int
) -> None:
    added = browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=RECORD)
    try:
        browser.width(width)
        browser.open(page(many_files(kernels)))
        browser.js(
            "words = []; document.querySelector('.canvas-box').dispatchEvent(new Event('scroll'))"
        )
        words = [(text, *box) for text, *box in browser.js("return words") if text.strip()]
        edge = browser.js("return document.querySelector('#matrix canvas').clientWidth")
    finally:
        browser.cdp("Page.removeScriptToEvaluateOnNewDocument", **added)
    assert any("_0.c" in text for text, *_ in words)
    if kernels > 1:
        assert sum(text == "debian-6.0" for text, *_ in words) > 3, "rows have names"
    for n, (text, left, right, y) in enumerate(words):
        assert left > -1, text
        assert right < edge + 1, text
        for other, other_left, other_right, other_y in words[n + 1 :]:
            apart = right <= other_left + 1 or other_right <= left + 1 or abs(y - other_y) >= 9
            assert apart, f"{text!r} over {other!r}"


@pytest.mark.parametrize("width", [390, 1280])
def test_what_is_below_the_edge_of_the_matrix_is_told(
    browser: Browser, page: Write, width: int
) -> None:
    browser.width(width)
    browser.open(page(many_files(2, 300)))
    more = browser.one("#matrix .more")
    assert "more files below, with 2 crash" in more.text
    assert browser.all(".canvas-frame.more-below")
    more.click()
    browser.until(lambda: "back to the top" in more.text)
    assert not browser.all(".canvas-frame.more-below")
    more.click()
    browser.until(lambda: "more files below" in more.text)
    browser.open(page(many_files(2, 3)))
    assert not browser.one("#matrix .more").is_displayed()


def test_earlier_runs_are_stacked_on_a_phone(browser: Browser, page: Write) -> None:
    browser.width(390)
    browser.open(page(journal(), turning_runs()))
    boxes = browser.js(
        "return [...document.querySelectorAll('.pasts tbody tr')].map(row => {"
        " const box = selector => row.querySelector(selector).getBoundingClientRect();"
        " const name = box('.row-open'), spark = box('.spark');"
        " return [name.width, name.height, spark.width, spark.top - name.bottom] })"
    )
    assert boxes
    for width, height, spark, below in boxes:
        assert width > height, "a name is a line, no column of letters"
        assert spark >= 15 * 9, "a point for each of 15 runs"
        assert below >= 0


@pytest.mark.parametrize("make", [journal, lambda: hostile("x" * 300)])
def test_a_phone_scrolls_one_way_only(browser: Browser, page: Write, make: Any) -> None:
    browser.width(360)
    browser.open(page(make(), earlier_runs()))
    fits = "return document.documentElement.scrollWidth <= innerWidth && innerWidth === 360"
    assert browser.js(fits)
    browser.press("j", Keys.ENTER)
    assert browser.js(fits)
    assert browser.js("const s = document.getElementById('sheet'); return s.scrollWidth") <= 360


def test_it_follows_the_system_and_the_switch(opened: Browser) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    opened.colours("light")
    light = opened.js(ground)
    opened.colours("dark")
    assert opened.js(ground) != light
    opened.press("d")
    assert opened.js(ground) == light


def violations(browser: Browser) -> list[str]:
    if not browser.js("return Boolean(window.axe)"):
        browser.js(files(AXE).joinpath("axe-core", "axe.min.js").read_text("utf-8"))
    found = browser.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document).then(r => done(r), e => done({violations: [{id: String(e)}]}))"
    )
    assert found.get("passes"), "axe looked at nothing"
    return [
        f"{v['id']}: {v.get('help')}: {[n['target'] for n in v.get('nodes', [])][:3]}"
        for v in found["violations"]
    ]


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(browser: Browser, page: Write, colours: str, width: int) -> None:
    browser.colours(colours)
    browser.width(width)
    browser.open(page(journal(60, ended=False), earlier_runs()))
    assert violations(browser) == []
    browser.js("document.querySelectorAll('details').forEach(d => { d.open = true })")
    browser.until(lambda: browser.all(".failure:last-child .detail"))
    browser.one("#matrix-as").click()
    assert violations(browser) == []
    browser.press("j", Keys.ENTER)
    assert violations(browser) == []
    browser.press(Keys.ESCAPE, "?")
    assert violations(browser) == []


@pytest.mark.parametrize("make", [passing, Journal])
def test_axe_finds_nothing_in_a_good_or_empty_run(browser: Browser, page: Write, make: Any) -> None:
    browser.open(page(make()))
    assert violations(browser) == []


# Nothing of a guest acts


@pytest.mark.parametrize("words", PROBES)
def test_words_of_a_guest_do_nothing(browser: Browser, page: Write, words: str) -> None:
    watch = "window.acted = 0; window.bad = () => { window.acted++ }; window.alert = window.bad;"
    added = browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=watch)
    try:
        browser.open(page(hostile(words), [hostile(words)]))
        browser.js("document.querySelectorAll('details').forEach(d => { d.open = true })")
        browser.one("#matrix-as").click()
        browser.press("j", Keys.ENTER)
        assert browser.one("#sheet").is_displayed()
        strange = "iframe, img, object, embed, svg[onload], [onmouseover], [onerror]"
        assert browser.all(strange) == []
        schemes = browser.js(
            "return [...new Set([...document.querySelectorAll('a')].map(a => a.protocol))]"
        )
        assert set(schemes) <= {"file:"}
        assert browser.js("return document.scripts.length") == 2
        assert browser.js("return window.acted") == 0
        assert browser.complaints() == []
    finally:
        browser.cdp("Page.removeScriptToEvaluateOnNewDocument", **added)


def test_where_a_policy_forbids_the_script_the_failures_can_be_read(
    browser: Browser, page: Write
) -> None:
    path = page(journal())
    text = path.read_text()
    path.write_text(re.sub(r"script-src '[^']*'", "script-src 'none'", text))
    browser.driver.get(path.as_uri())
    browser.until(lambda: "crash: cases/pidfd/area" in browser.one("main").text)
    assert "kharness run --kernel debian:6.12" in browser.one("main").text
    browser.open(page(journal()))
    assert "which did not run" not in browser.one("main").text


def test_the_policy_stops_other_scripts(opened: Browser) -> None:
    opened.js(
        "const s = document.createElement('script'); s.textContent = 'window.acted = 1';"
        "document.body.append(s)"
    )
    assert opened.js("return window.acted === undefined")
    assert any("Content Security Policy" in words for words in opened.complaints())


# Many


def test_twenty_thousand_results_can_be_searched_sorted_and_walked(
    browser: Browser, page: Write
) -> None:
    browser.open(page(large()))
    assert browser.shown() == "20000 results"
    browser.press("/")
    browser.press("area007 pass_14")
    browser.until(lambda: browser.shown() == "198 of 20000 results")
    browser.press(Keys.ESCAPE)
    browser.until(lambda: browser.shown() == "20000 results")
    browser.press(Keys.ESCAPE, "f")
    assert browser.shown() == "200 of 20000 results"
    assert len(browser.all("#failures .failure")) == 25
    browser.press("f", "n", "j", Keys.ENTER)
    assert browser.one("#sheet").is_displayed()
    # Few elements, whatever the number of results.
    assert browser.js("return document.querySelectorAll('*').length") < 3000
    assert browser.complaints() == []


def test_each_outcome_has_a_sign_of_its_own(opened: Browser) -> None:
    signs = opened.js(
        "return [...document.querySelectorAll('#counts button')].map(b => [b.dataset.outcome,"
        " [...b.querySelectorAll('path')].map(p => p.getAttribute('d')).join()])"
    )
    assert {name for name, _ in signs} == {o.value for o in Outcome}
    assert len({sign for _, sign in signs}) == len(Outcome)
