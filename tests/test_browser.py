"""The pack in a real browser: nothing is asked from outside, nothing runs, everything fits and can be read by all."""

from pathlib import Path

import pytest
from small_company import company, page_of

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium in /usr/bin")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
WIDTHS = {"desktop": 1100, "phone": 390}

# What each rule finds wrong: a list of the offending elements, empty when all is well.
RULES = {
    "one h1": "document.querySelectorAll('h1').length === 1 ? [] : ['h1']",
    "language": "document.documentElement.lang === 'en' ? [] : ['html']",
    "one main": "document.querySelectorAll('main').length === 1 ? [] : ['main']",
    "images say what they show": "[...document.images].filter(i => !i.alt.trim()).map(i => i.outerHTML.slice(0, 80))",
    "images are drawn": "[...document.images].filter(i => i.checkVisibility() && !i.naturalWidth).map(i => i.alt)",
    "navigations have names": "[...document.querySelectorAll('nav')].filter(n => !n.ariaLabel).map(n => n.className)",
    "head cells have words": "[...document.querySelectorAll('th')].filter(t => !t.textContent.trim())"
    ".map(t => t.closest('table').className)",
    "head cells have a scope": "[...document.querySelectorAll('th:not([scope])')].map(t => t.textContent)",
    "rows have a head": "[...document.querySelectorAll('tbody tr')].filter(r => !r.querySelector('th'))"
    ".map(r => r.textContent)",
    "ids are unique": "[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, i, a) => a.indexOf(id) !== i)",
    "links lead somewhere": "[...document.querySelectorAll('a[href^=\"#\"]')]"
    ".filter(a => !document.getElementById(a.hash.slice(1))).map(a => a.hash)",
    "what scrolls has a name and takes the keyboard": "[...document.querySelectorAll('*')]"
    ".filter(e => e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(e).overflowX))"
    ".filter(e => e.tagName !== 'NAV' && !(e.tabIndex === 0 && e.ariaLabel)).map(e => e.className)",
    "regions have names of their own": "[...document.querySelectorAll('[role=region]')].map(e => e.ariaLabel)"
    ".filter((n, i, a) => !n || a.indexOf(n) !== i)",
    "headings do not skip a level": "[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])"
    ".filter((n, i, a) => i && n > a[i - 1] + 1)",
    "no word is cut off": "[...document.querySelectorAll('h1,h2,h3,p,li')].filter(e => e.checkVisibility())"
    ".filter(e => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.textContent)",
}


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield running
        running.close()


@pytest.fixture(scope="module", params=[True, False], ids=["full", "products and sales alone"])
def file(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    page = folder / "index.html"
    page.write_text(page_of(company(folder, request.param)), encoding="utf-8")
    return page


@pytest.fixture(params=list(WIDTHS))
def opened(request, browser, file):
    tab = browser.new_page(viewport={"width": WIDTHS[request.param], "height": 900})
    asked, said = [], []
    tab.on("request", lambda r: asked.append(r.url))
    tab.on("console", lambda m: said.append(m.text))
    tab.on("pageerror", lambda e: said.append(str(e)))
    tab.goto(file.as_uri())
    yield tab, asked, said
    tab.close()


def test_the_page_asks_for_nothing_and_runs_nothing(opened, file):
    tab, asked, said = opened
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert said == []
    assert tab.evaluate("window.hacked") is None
    assert tab.evaluate("document.querySelectorAll('script, iframe, object, embed, link').length") == 0


def test_the_page_is_no_wider_than_its_screen(opened):
    tab, *_ = opened
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def broken(tab) -> dict[str, list]:
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = {rule: tab.evaluate(f"(() => {check})()") for rule, check in RULES.items()}
    return {rule: wrong for rule, wrong in found.items() if wrong}


def test_everyone_can_read_the_page(opened):
    tab, *_ = opened
    assert broken(tab) == {}


def test_the_rules_find_what_they_look_for(browser):
    tab = browser.new_page(viewport={"width": 390, "height": 600})
    tab.set_content(BAD)
    assert set(broken(tab)) == set(RULES)
    tab.close()


BAD = """<h1>one</h1><h1>two</h1><h3 id="a">skips</h3><nav></nav><img src="data:image/png;base64,x" style="width:9px">
<table><tr><th></th></tr><tr><td>headless</td></tr></table><a href="#nowhere">lost</a><b id="a"></b>
<div role="region"></div><div role="region"></div>
<div style="overflow-x:auto;width:50px"><div style="width:400px">wide</div></div><p style="width:600px">cut off</p>"""


def test_text_stands_out_from_its_ground_in_light_and_dark(browser, file):
    for scheme in ("light", "dark"):
        tab = browser.new_page(viewport={"width": 1100, "height": 900}, color_scheme=scheme)
        tab.goto(file.as_uri())
        assert tab.evaluate(CONTRAST) == []
        tab.close()


# Text and ground of every element with text of its own, by the WCAG formula; 4.5 is the least for small text.
CONTRAST = """() => {
  const rgb = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => rgb(c).slice(0, 3).map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (rgb(c).length < 4 || rgb(c)[3] > .5) return c; } return 'rgb(255,255,255)'; };
  return [...document.querySelectorAll('main *, nav *')].filter(e => e.checkVisibility())
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
    .map(e => [light(getComputedStyle(e).color), light(ground(e)), e.textContent.slice(0, 40)])
    .filter(([a, b]) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5).map(([a, b, t]) => t);
}"""


def test_print_is_a_few_pages_of_a4(browser, file, tmp_path):
    tab = browser.new_page()
    tab.goto(file.as_uri())
    tab.emulate_media(media="print")
    assert not tab.locator("nav").first.is_visible()
    made = tab.pdf(path=str(tmp_path / "pack.pdf"), prefer_css_page_size=True, print_background=True)
    assert 1 <= made.count(b"/Type /Page\n") <= 15
    tab.close()
