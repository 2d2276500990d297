"""The page in a real browser: no complaint, no request, filters, search, keyboard, phone, dark.

Needs a Chromium on the machine (`chromium`, `chromium-browser` or `google-chrome` on the PATH); skipped without one.
"""

import shutil

import pytest

from submission.report.page import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt install chromium"),
]
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PATIENCE_MS = 120_000  # a busy machine takes its time


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE_MS)
        yield chromium
        chromium.close()


@pytest.fixture
def report_path(request, report_dir):
    """The small report beside another run; with "large" for a parameter, that of 5,000 queries."""
    if getattr(request, "param", "small") == "large":
        shown, others = request.getfixturevalue("large"), []
    else:
        shown, others = request.getfixturevalue("scored"), [request.getfixturevalue("comparison")]
    write_report(report_dir / "report.html", shown, report_dir, others)
    return report_dir / "report.html"


@pytest.fixture
def visit(browser, report_path):
    """A function that opens the page; afterwards the console must be empty and the network untouched."""
    said, asked, contexts = [], [], []

    def open_page(width=1280, height=900, **how):
        context = browser.new_context(viewport={"width": width, "height": height}, **how)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url[:400]))
        page.goto(report_path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("data:", report_path.as_uri()))] == []


def visible_rows(page):
    """(domain, group, verdict, text) of the rows that are shown."""
    return page.evaluate("""() => [...document.querySelectorAll('.query')].filter(row => row.checkVisibility())
        .map(row => [row.closest('details').dataset.domain, row.dataset.group, row.dataset.verdict, row.dataset.text])
    """)


def test_filters_and_search_narrow_the_rows_and_reset_brings_them_back(visit, scored):
    page = visit()
    scores = scored.score.per_domain
    weakest = min(scores, key=lambda domain: scores[domain]["mMP@5"])
    assert {row[0] for row in visible_rows(page)} == {weakest} and len(visible_rows(page)) == 24
    assert page.inner_text("#filter-count") == "48 of 48 rows"
    page.select_option("#filter-domain", "toys")
    assert {row[0] for row in visible_rows(page)} == {"toys"}
    page.select_option("#filter-group", "worst")
    assert [row[:2] for row in visible_rows(page)] == [["toys", "worst"]] * 8
    page.select_option("#filter-group", "")
    page.select_option("#filter-verdict", "right")
    shown = visible_rows(page)
    assert 0 < len(shown) < 24 and {row[2] for row in shown} == {"right"}
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("document.getElementById('filter-count').textContent === '48 of 48 rows'")
    assert {row[0] for row in visible_rows(page)} == {weakest}
    page.get_by_label("Class name").fill("TOY 3")
    shown = visible_rows(page)
    assert shown and all("toy 3" in row[3] for row in shown)
    assert page.inner_text("#filter-count") == f"{len(shown)} of 48 rows"
    page.get_by_label("Class name").fill("no such class")
    assert visible_rows(page) == [] and "Reset shows all" in page.inner_text("#filter-count")


def test_everything_is_reached_by_the_keyboard(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0  # seen once it has the focus
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"  # the table of scores
    names = []
    for _ in range(60):
        names.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", names[-1]
        if names[-1] == "map-frame":
            break
        page.keyboard.press("Tab")
    assert {"filter-domain", "filter-group", "filter-verdict", "filter-text", "SUMMARY", "BUTTON"} <= set(names)
    closed = page.locator("details.domain:not([open]) > summary")
    closed.focus()
    page.keyboard.press("Enter")
    assert page.locator("details.domain[open]").count() == 2


def test_the_map_answers_to_arrow_keys_pointer_and_legend(visit):
    page = visit()
    page.focus("#map-frame")
    assert page.inner_text("#map-readout") == "No dot chosen."
    page.keyboard.press("ArrowRight")
    first = page.inner_text("#map-readout")
    assert first.startswith(("mugs · ", "toys · "))
    before = float(page.get_attribute("#map-cursor", "cx"))
    page.keyboard.press("ArrowRight")
    assert float(page.get_attribute("#map-cursor", "cx")) > before
    chosen = page.inner_text("#map-readout").split(" · ", 1)[1]
    page.keyboard.press("Enter")
    assert page.input_value("#filter-text") == chosen
    assert all(chosen.lower() in row[3] for row in visible_rows(page))
    toys = page.get_by_role("button", name="toys")
    toys.click()
    assert toys.get_attribute("aria-pressed") == "false"
    assert page.locator(".dots[data-domain=toys]").is_hidden()
    x, y, domain = page.evaluate("""() => { const {points} = JSON.parse(document.getElementById('data').textContent);
        const frame = document.getElementById('map-frame'); frame.scrollIntoView({block: 'center'});
        const box = frame.querySelector('svg').getBoundingClientRect();
        return [box.left + points.x[0] * box.width / 1000, box.top + points.y[0] * box.width / 1000, points.domain[0]];
    }""")
    assert domain == 0
    page.mouse.move(x, y)
    assert page.inner_text("#map-readout") == "mugs · mug 0"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_no_sideways_scroll_and_text_can_be_read(visit, scheme):
    page = visit(390, 844, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(section => section.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    paper, ink = page.evaluate("""() => { const style = getComputedStyle(document.body);
        return [style.backgroundColor, style.color].map(colour => colour.match(/[0-9.]+/g).slice(0, 3)
            .reduce((sum, part) => sum + Number(part), 0) / 3); }""")
    assert (paper > 200 and ink < 60) if scheme == "light" else (paper < 60 and ink > 200)
    assert page.inner_text("#theme") == ("Dark" if scheme == "light" else "Light")
    page.click("#theme")
    turned = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g)[0]")
    assert (int(turned) < 60) == (scheme == "light")


def test_without_scripts_every_row_can_still_be_read(visit):
    page = visit(java_script_enabled=False)
    assert page.locator(".query").count() == 48 and page.locator("#filters").is_hidden()
    assert page.locator("details.domain").count() == 2


@pytest.mark.parametrize("report_path", ["large"], indirect=True)
def test_five_thousand_queries_make_a_page_of_bounded_size(visit, report_path):
    """What makes it quick on a phone: few rows and elements, however many queries; every domain is still there."""
    assert report_path.stat().st_size < 6_000_000  # with pictures of a few hundred bytes; a real one has some kB
    page = visit(390, 844)
    assert "5,000 queries against 10,000 index images" in page.inner_text("header")
    assert page.evaluate("document.querySelectorAll('*').length") < 10_000
    assert page.locator(".query").count() <= 240 and page.locator("details.domain").count() == 11
    total = page.inner_text("#filter-count").split()[-2]
    page.get_by_label("Class name").fill("thing 1")
    shown = visible_rows(page)
    assert shown and all("thing 1" in row[3] for row in shown)
    assert page.inner_text("#filter-count") == f"{len(shown)} of {total} rows"
    assert page.evaluate("document.documentElement.scrollWidth") == 390
