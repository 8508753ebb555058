# SPDX-License-Identifier: GPL-2.0-only
"""The server as a reader, a stranger and a shell meet it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from contextlib import suppress
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

from harness.report.journal import Journal, JournalWriter, Plan
from harness.report.junit import write_junit
from harness.serve.markup import style_address
from harness.serve.queries import RECENT
from harness.serve.server import CONNECTIONS, LINE_LIMIT
from harness.verdict.outcome import Outcome, Result
from tests.report.example_run import KERNELS, hostile, journal, passing, result, run
from tests.report.test_html import PROBES
from tests.serve.conftest import Reply, Site, history, put

PAGES = (
    *("/", "/runs", "/runs/1", "/runs/1?show=all", "/regressions", "/regressions?base=1&head=1"),
    *("/cases", "/cases/1", "/problems"),
)
ANSWERS = (
    *("/api/runs", "/api/runs/1", "/api/latest", "/api/regressions", "/api/cases"),
    "/api/cases/1/history",
)
TAGS = {
    *("html", "head", "meta", "title", "link", "body", "a", "header", "span", "nav", "main", "h1"),
    *("p", "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre"),
    *("time", "form", "label", "input", "button", "dl", "dt", "dd", "div", "strong"),
}


class Markup(HTMLParser):
    """What a browser would find: elements, attributes, text."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.texts = ""
        self.feed(reply.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {key for key, _ in attrs}
        self.links |= {value or "" for key, value in attrs if key in ("href", "action")}

    def handle_data(self, data: str) -> None:
        self.texts += data


def test_every_page_and_answer_of_real_runs(site: Site) -> None:
    put(site.runs / "a", journal())
    site.update()
    for path in PAGES:
        reply = site.ask(path)
        assert reply.status == 200, path
        assert Markup(reply).tags <= TAGS
    for path in ANSWERS:
        assert site.json(path)
    assert "failing" in site.ask("/").text
    assert "crash_4" in site.ask("/runs/1").text
    assert "pass_100" not in site.ask("/runs/1").text


def test_every_link_of_a_page_leads_somewhere(site: Site) -> None:
    history(site.runs, "ppffp")
    (site.runs / "bad.xml").write_text("")
    site.update()
    seen, waiting = set(), {"/"}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        reply = site.ask(path)
        assert reply.status == 200, path
        if "html" in reply.headers["Content-Type"]:
            found = {link for link in Markup(reply).links if link.startswith("/")}
            waiting |= found - seen
    assert {"/runs/1", style_address(), "/problems", "/cases/1?kernel=debian-6.12"} <= seen


def test_problems_have_pages_however_long_their_paths_are(site: Site) -> None:
    folder = site.runs / f"{'a' * 200}  b" / ("ä" * 100) / "c\x1b[31m"
    folder.mkdir(parents=True)
    for number in range(5):
        (folder / f"{number}.xml").write_text("")
    site.update()
    path: str | None = "/problems?limit=2"
    seen: list[str] = []
    while path:
        reply = site.ask(path)
        assert reply.status == 200
        assert "\x1b" not in reply.text
        seen += re.findall(r"(\d)\.xml", reply.text)
        following = [link for link in Markup(reply).links if "after=" in link]
        path = following[0] if following else None
    assert seen == [*"01234"]
    for wrong in ("x", "999", "1.1"):
        assert site.ask(f"/problems?after={wrong}").status == 400


def test_a_run_names_all_of_its_kernels(site: Site) -> None:
    names = [f"kernel-{n:02}" for n in range(30)]
    results = [result(0, Outcome.PASS, name) for name in names]
    put(site.runs / "a", Journal(run(), [], results, ended=True))
    site.update()
    assert ", ".join(names) in Markup(site.ask("/runs/1")).texts


def test_the_style_sheet_is_asked_for_once(site: Site) -> None:
    assert "immutable" in site.ask(style_address()).headers["Cache-Control"]
    for other in ("/style.css", "/style.css?0123456789ab"):
        assert site.ask(other).headers["Cache-Control"] == "no-cache"
        assert site.ask(other).body == site.ask(style_address()).body


def test_an_empty_folder_has_pages_too(site: Site) -> None:
    for path in ("/", "/runs", "/regressions", "/cases", "/problems"):
        assert site.ask(path).status == 200
    for path in ("/api/runs", "/api/latest", "/api/regressions", "/api/cases"):
        assert site.json(path)["next"] is None


def test_a_new_run_is_there_when_a_page_is_asked_for(site: Site) -> None:
    put(site.runs / "a", passing())
    assert "run-20" in site.ask("/").text


def test_the_same_runs_give_the_same_bytes(site: Site, tmp_path: Path) -> None:
    put(site.runs / "a", journal())
    site.update()
    for path in (*PAGES, *ANSWERS, "/badge.svg"):
        assert site.ask(path).body == site.ask(path).body


def test_a_case_shows_its_first_bad_run(site: Site) -> None:
    history(site.runs, "ppsff")
    site.update()
    text = Markup(site.ask("/cases/1")).texts
    assert "Bad since run-4; last good in run-2" in text


# Nothing of a guest acts


@pytest.mark.parametrize("words", PROBES)
def test_words_of_a_guest_are_text_in_every_field(site: Site, words: str) -> None:
    put(site.runs / "a", hostile(words))
    folder = site.runs / "b"
    folder.mkdir()
    suite = ET.Element("testsuite", name=f"s{words}".translate(dict.fromkeys(range(32))))
    case = ET.SubElement(suite, "testcase", name=suite.get("name", ""), classname="c")
    ET.SubElement(case, "failure", message=suite.get("name", "")).text = suite.get("name")
    with suppress(UnicodeEncodeError):  # XML cannot have it at all
        (folder / "x.xml").write_bytes(ET.tostring(suite))
    (folder / "y<img src=x onerror=alert(1)>.xml").write_text("<nothing/>")
    site.update()
    asked = quote(words.encode("utf-8", "replace")[:200])
    more = (f"/cases?query={asked}", f"/{asked}", f"/cases/1?kernel={asked}", f"/runs/{asked}")
    for path in (*PAGES, "/runs/2", "/cases/2", *more):
        reply = site.ask(path)
        markup = Markup(reply)
        assert markup.tags <= TAGS, path
        assert not {a for a in markup.attributes if a.startswith("on") or a in ("style", "src")}
        assert all(re.match(r"/|#main|data:,", link) for link in markup.links), markup.links
        assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", reply.text)
        assert "script-src" not in reply.headers["Content-Security-Policy"]
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    badge = site.ask(f"/badge.svg?kernel={asked}&suite={asked}").body
    assert {e.tag.partition("}")[2] for e in ET.fromstring(badge).iter()} == {
        *("svg", "title", "rect", "g", "text")
    }
    for path in (*ANSWERS, f"/api/cases?query={asked}"):
        body = site.ask(path).body
        assert body.isascii()


# Strangers


def test_only_get_and_head(site: Site) -> None:
    put(site.runs / "a", passing())
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
        reply = site.ask("/runs", method)
        assert reply.status == 405, method
        assert reply.headers["Allow"] == "GET, HEAD"
    got, head = site.ask("/runs"), site.ask("/runs", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(got.body))


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "["])
def test_a_name_that_was_bound_to_this_machine_is_refused(site: Site, host: str) -> None:
    reply = site.ask("/api/runs", Host=host)
    assert reply.status == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1:1", "[::1]:8321"])
def test_names_of_this_machine_are_taken(site: Site, host: str) -> None:
    assert site.ask("/api/runs", Host=host).status == 200


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/../../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "//etc/passwd",
            "/style.css/..",
            "/%00",
        ),
        *("/static/serve.css", "/runs/../../x", "/cases/1/2", "/api", "/api/", "/api/nothing"),
        *("/runs/999", "/cases/999", "/api/runs/999", "/api/cases/999/history"),
        *("/regressions?head=99", "/.kharness-serve.sqlite", "/journal.jsonl"),
    ],
)
def test_there_is_nothing_else(site: Site, path: str) -> None:
    assert site.ask(path).status == 404


def test_browsers_that_ask_for_an_icon_have_nothing_to_complain_of(site: Site) -> None:
    """They do for a badge and for JSON, which cannot name one, and put a 404 into the console."""
    reply = site.ask("/favicon.ico")
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        *("/runs/x", "/runs/-1", "/runs/1e3", "/runs/%D9%A1", f"/runs/{'9' * 30}", "/api/runs/x"),
        *("/runs?limit=0", "/runs?limit=501", "/runs?limit=x", "/runs?after=1", "/runs?after=a.b"),
        *(
            "/api/runs?after=1.2.3",
            f"/api/runs?after={'9' * 40}.1",
            "/?after=1.1",
            "/cases?after=-",
        ),
        f"/cases?query={'x' * 400}",
        "/cases?" + "&".join(f"a{n}=1" for n in range(30)),
    ],
)
def test_wrong_parameters_are_told_in_a_line(site: Site, path: str) -> None:
    reply = site.ask(path)
    assert reply.status == 400
    assert "Traceback" not in reply.text


def raw(site: Site, data: bytes) -> bytes:
    """Bytes to the server, and all that comes back until it closes."""
    with socket.create_connection(("127.0.0.1", site.server.server_port), timeout=60) as made:
        made.sendall(data)
        made.shutdown(socket.SHUT_WR)
        got = b""
        while piece := made.recv(65536):
            got += piece
        return got


def test_requests_that_are_none(site: Site) -> None:
    long = b"GET /" + b"a" * LINE_LIMIT + b" HTTP/1.1\r\n\r\n"
    assert b" 414 " in raw(site, long)
    assert b" 400 " in raw(site, b"GET / HTTP/1.1\r\n\r\n"), "a host must be named"
    two = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    assert b" 400 " in raw(site, two)
    many = b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n"
    assert b" 431 " in raw(site, many)
    for garbage in (b"\0\xff\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b""):
        raw(site, garbage)
    for address in (b"http://[::1/", b"http://]/"):
        none = b"GET " + address + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert b" 400 " in raw(site, none), address
    body = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\n"
    smuggled = raw(site, body + b"GET /runs HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert smuggled.count(b"HTTP/1.1 ") == 1
    assert site.ask("/").status == 200


def test_idle_connections_do_not_pile_up(site: Site) -> None:
    def connect() -> socket.socket:
        return socket.create_connection(("127.0.0.1", site.server.server_port), timeout=60)

    idle = [connect() for _ in range(CONNECTIONS)]
    with connect() as refused:
        assert refused.recv(1) == b""
    for one in idle:
        one.close()


# Caches


def test_what_did_not_change_is_not_sent_again(site: Site) -> None:
    put(site.runs / "a", passing())
    site.update()
    for path in ("/", "/runs/1", "/api/latest", "/badge.svg"):
        first = site.ask(path)
        again = site.ask(path, If_None_Match=first.headers["ETag"])
        assert (again.status, again.body) == (304, b"")
        assert first.headers["Last-Modified"].endswith("GMT")
    tag = site.ask("/").headers["ETag"]
    put(site.runs / "b", passing(day=21))
    site.update()
    assert site.ask("/", If_None_Match=tag).status == 200


# Badges


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ([Outcome.PASS, Outcome.SKIP, Outcome.XFAIL], "2 passing"),
        ([Outcome.PASS, Outcome.FAIL, Outcome.ERROR], "1 of 3 failing"),
        ([Outcome.PASS, Outcome.ERROR], "1 of 2 not judged"),
        ([Outcome.SKIP], "all 1 skipped"),
    ],
)
def test_a_badge_says_how_it_is(site: Site, outcomes: list[Outcome], words: str) -> None:
    results = [result(n, outcome) for n, outcome in enumerate(outcomes)]
    put(site.runs / "a", Journal(run(), KERNELS[:1], results, ended=True))
    site.update()
    reply = site.ask("/badge.svg?kernel=debian-6.12&suite=pidfd")
    assert reply.headers["Content-Type"] == "image/svg+xml"
    svg = ET.fromstring(reply.body)
    assert svg.get("aria-label") == f"pidfd on debian-6.12: {words}"
    for path in ("/badge.svg", "/badge.svg?kernel=debian-6.12", "/badge.svg?suite=pidfd"):
        assert words in site.ask(path).text
    assert "no results" in site.ask("/badge.svg?kernel=none").text


def test_a_badge_of_a_run_that_was_cut_off_is_not_green(site: Site) -> None:
    put(site.runs / "a", replace(passing(), ended=False))
    site.update()
    assert "incomplete" in site.ask("/badge.svg").text


def planned(results: list[Result], *more: tuple[str, str]) -> Journal:
    """A run that came to its end, was to have these results, and cases and kernels beyond them."""
    keys = dict.fromkeys((r.case, r.kernel) for r in results if not r.parent)
    return Journal(run(), KERNELS[:1], results, ended=True, plan=Plan((*keys, *more)))


def states(site: Site) -> tuple[list[bool], str, str]:
    """What the latest states are, in JSON, on the badge and on the first page."""
    site.update()
    badge = ET.fromstring(site.ask("/badge.svg").body).get("aria-label") or ""
    whole = [state["whole"] for state in site.json("/api/latest")["latest"]]
    words = re.findall(">(good|incomplete|failing)<", site.ask("/").text)
    assert site.ask("/runs").status == site.ask("/runs/1").status == 200
    return whole, badge.removeprefix("kharness: "), ", ".join(words)


def lose(path: Path, word: bytes) -> None:
    """Damages the results of a journal that have this in them."""
    lines = path.read_bytes().splitlines(keepends=True)
    found = [
        line[:20] + b"?" * len(line[21:]) + b"\n" if b'"result"' in line and word in line else line
        for line in lines
    ]
    assert found != lines
    path.write_bytes(b"".join(found))


def test_a_failure_that_was_lost_is_not_green(site: Site) -> None:
    results = [result(0, Outcome.FAIL), *(result(n, Outcome.PASS) for n in range(1, 6))]
    path = put(site.runs / "a", planned(results))
    lose(path, b"fail_0")
    assert states(site) == ([False], "incomplete, 5 results", "incomplete")
    (only,) = site.json("/api/runs")["runs"]
    assert (only["ended"], only["whole"], only["missing"], only["damaged"]) == (True, False, 1, 1)
    assert "1 missing" in site.ask("/runs").text
    with JournalWriter(path, durable=False) as writer:
        writer.resume("2026-01-21T00:00:00+00:00", "kharness resume")
        writer.result(replace(results[0], outcome=Outcome.PASS))
        writer.end(0)
    assert states(site) == ([True], "6 passing", "good"), "it ran again"
    assert site.json("/api/runs")["runs"][0]["damaged"] == 1


def test_a_subtest_that_was_lost_is_not_green(site: Site) -> None:
    program = result(0, Outcome.PASS, extra={"subtests": "2"})
    parts = [result(n, Outcome.PASS, parent=program.case) for n in (1, 2)]
    path = put(site.runs / "a", planned([program, *parts]))
    assert states(site) == ([True], "3 passing", "good")
    lose(path, b'"pass_2"')
    assert states(site) == ([False], "incomplete, 2 results", "incomplete")


def test_damage_of_a_run_without_a_plan_is_not_green(site: Site) -> None:
    lose(put(site.runs / "a", passing()), b"pass_7")
    assert states(site) == ([False], "incomplete, 19 results", "incomplete")


def test_what_a_stopped_run_left_out_is_not_green(site: Site) -> None:
    """As -x does, and two kernels: the suite on the second one has not been judged."""
    first = [result(0, Outcome.FAIL), result(1, Outcome.PASS)]
    second = result(1, Outcome.PASS, KERNELS[1].name)
    missing = (first[0].case, KERNELS[1].name)
    put(site.runs / "a", planned([*first, second], missing))
    whole, _, words = states(site)
    assert (whole, words) == ([False, False], "incomplete, failing")
    assert "incomplete" in site.ask(f"/badge.svg?kernel={KERNELS[1].name}").text


@pytest.mark.parametrize("ended", [True, False])
def test_junit_of_a_run_that_lacks_results_is_not_green(site: Site, ended: bool) -> None:
    one = planned([result(1, Outcome.PASS)], ("cases/x.c::lost", KERNELS[0].name))
    write_junit(replace(one, ended=ended), site.runs / "junit.xml")
    site.update()
    (only,) = site.json("/api/runs")["runs"]
    assert (only["ended"], only["whole"]) == (ended, False)
    assert "passing" not in site.ask("/badge.svg").text


def test_a_run_of_one_case_does_not_make_a_suite_green(site: Site) -> None:
    failing = [result(0, Outcome.FAIL), *(result(n, Outcome.PASS) for n in range(1, 38))]
    put(site.runs / "a", Journal(run(1), KERNELS[:1], failing, ended=True))
    put(site.runs / "b", passing(1, day=2))
    site.update()
    badge = ET.fromstring(site.ask("/badge.svg?kernel=debian-6.12&suite=pidfd").body)
    assert badge.get("aria-label") == "pidfd on debian-6.12: partial, 1 of 38"
    front = site.ask("/").text
    assert "1 of 38 cases" in front
    assert ">partial<" in front
    assert ">good<" not in front
    (state,) = site.json("/api/latest")["latest"]
    assert (state["results"], state["largest"], state["partial"]) == (1, 38, True)


def test_a_suite_that_has_become_smaller_is_whole_after_some_runs(site: Site) -> None:
    put(site.runs / "0", passing(3, day=1))
    for day in range(2, RECENT + 1):
        put(site.runs / f"{day}", passing(2, day=day))
    site.update()
    assert "partial, 2 of 3" in site.ask("/badge.svg").text
    put(site.runs / "more", passing(2, day=RECENT + 1))
    site.update()
    assert "2 passing" in site.ask("/badge.svg").text


# Several at a time


def test_readers_see_whole_runs_while_runs_come(site: Site) -> None:
    """Every run comes whole, with 20 results: whatever the moment, the sums agree."""
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            for r in site.json("/api/runs?limit=500")["runs"]:
                if r["results"] != 20:
                    wrong.append(r)
            for state in site.json("/api/latest")["latest"]:
                rows = site.json(f"{state['url']}?limit=500")["results"]
                if len(rows) != 20:
                    wrong.append(state)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for day in range(1, 13):
        # A request has new runs imported as well, and one that is being written is shown so far.
        put(site.runs.with_name("coming"), passing(day=day)).parent.rename(site.runs / f"{day}")
        site.update()
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert len(site.json("/api/runs")["runs"]) == 12


# The command


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "harness.cli", "serve", *arguments]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_well(tmp_path: Path, number: signal.Signals) -> None:
    put(tmp_path / "a", passing())
    with subprocess.Popen(
        command(str(tmp_path), "--port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        line = process.stdout.readline()
        found = re.match(r"serving http://127\.0\.0\.1:(\d+)/ ", line)
        assert found, line
        again = subprocess.run(
            command(str(tmp_path), "--port", found[1]), capture_output=True, text=True, check=False
        )
        assert again.returncode == 3
        assert re.fullmatch(
            r"kharness: cannot listen on .*: Address already in use.*\n", again.stderr
        )
        process.send_signal(number)
        assert (process.stdout.read(), process.stderr.read()) == ("", "")
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{}/none"], 4, "no folder"),
        (["{}", "--database", "{}/a.txt"], 4, "no database"),
        (["{}", "--database", "{}/no/such"], 3, "cannot make the database"),
        (["{}", "--host", "host.invalid", "--port", "0"], 4, "no host"),
        (["{}", "--host", "a" * 70, "--port", "0"], 4, "no host"),
        (["{}", "--host", "192.0.2.1", "--port", "0"], 3, "cannot listen"),
        (["{}", "--port", "99999"], 4, "port"),
    ],
)
def test_wrong_use_is_a_line(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    (tmp_path / "a.txt").write_text("text " * 1000)
    ended = subprocess.run(
        command(*(a.replace("{}", str(tmp_path)) for a in arguments)),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert ended.returncode == code
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_once_imports_and_says_what(tmp_path: Path) -> None:
    put(tmp_path / "a", passing())
    (tmp_path / "b.xml").write_text("<html/>")
    database = tmp_path / "elsewhere"
    arguments = (str(tmp_path), "--once", "--database", str(database))
    ended = subprocess.run(command(*arguments), capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    assert ended.stdout == ("20 results of 1 files read, 0 known already, 1 could not be read\n")
    assert ended.stderr == "kharness: skipped b.xml: 1: no JUnit file: it begins with <html>\n"
    assert database.is_file()
    assert not (tmp_path / ".kharness-serve.sqlite").exists()
