"""Every page of the built site in a real browser with every other host blocked: from disk and served."""

import threading

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import SITE
from tools.site.serve import shows

PLACES = ("*.html", "teaching/*.html")
PAGES = sorted(p.relative_to(SITE).as_posix() for place in PLACES for p in SITE.glob(place)) or ["index.html"]
LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
SCROLLED_BY_KEYBOARD = """() => [...document.querySelectorAll(".pst-scrollable-table-container, pre")]
    .every(t => t.scrollWidth <= t.clientWidth || t.tabIndex === 0)"""  # the theme sees to it after a resize
AXE = {
    "preload": False,  # it would fetch style sheets, which a page on disk may not
    "rules": {"label-content-name-mismatch": {"enabled": True}},
}


@pytest.fixture(scope="session")
def served(site):
    """The address of a server that shows the site."""
    server = shows(site, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(params=["file", "http"])
def base(request, site):
    """The site's address, opened from disk and served."""
    return site.as_uri() if request.param == "file" else request.getfixturevalue("served")


def typeset(page):
    """Wait for MathJax where the page has mathematics; return how many formulas were typeset and not."""
    if page.locator(".math").count():
        page.wait_for_function("window.MathJax && MathJax.startup && MathJax.startup.promise")
        page.evaluate("() => MathJax.startup.promise")
    return page.locator("mjx-container").count(), page.locator("mjx-merror, [data-mjx-error]").count()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_without_another_host(open_page, base, name):
    page = open_page(f"{base}/{name}")
    formulas = page.locator("span.math, div.math").count()
    typeset_formulas, errors = typeset(page)
    page.wait_for_load_state("networkidle")
    assert page.refused == []
    assert page.problems == []
    assert (typeset_formulas >= formulas) and errors == 0
    missing = page.evaluate(
        "() => [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    )
    assert missing == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits(open_page, served, name):
    page = open_page(f"{served}/{name}")
    typeset(page)
    # The check must see the colors that a theme ends with, not those it fades through.
    page.add_style_tag(content="*, *::before, *::after { transition: none !important; }")
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
        page.wait_for_function(SCROLLED_BY_KEYBOARD)
        overflow = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{name} scrolls sideways by {overflow} px at {width}"
        violations = Axe().run(page, options=AXE).response["violations"]
        found = [f"{v['id']}: {node['html'][:160]}" for v in violations for node in v["nodes"]]
        assert not found, f"{name} at {width}, {scheme}:\n" + "\n".join(found)


def test_search_finds_a_chapter(open_page, base):
    page = open_page(f"{base}/search.html?q=chain+rule")
    page.wait_for_selector("#search-results li a")
    links = page.eval_on_selector_all(
        "#search-results li a", "links => links.map(a => a.getAttribute('href'))"
    )
    assert any("chain-rule.html" in link for link in links)
    page.wait_for_load_state("networkidle")
    assert page.refused == [] and page.problems == []


def test_search_opens_by_keyboard(open_page, served):
    page = open_page(f"{served}/index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("gradient")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")


def test_a_page_can_be_read_without_javascript(open_page, site):
    page = open_page((site / "chain-rule.html").as_uri(), javascript=False)
    assert page.locator("article h1").is_visible() and page.locator("nav.bd-links a").count() > 3


def test_a_chapter_is_alive_in_half_a_second(chromium, served):
    """Text, headings and sidebar are on the screen, before mathematics is typeset."""
    context = chromium.new_context()  # not open_page: its gate delays each of a page's thirty requests
    page, paints = context.new_page(), []
    for _ in range(5):  # the quickest of five: the machine that tests may be busy with other things
        page.goto(f"{served}/chain-rule.html")
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        paints += [page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime")]
    context.close()
    assert min(paints) < 500, paints


def test_icons_are_drawn_from_the_icon_font(open_page, served):
    """The theme's icon script is left out, so the font must draw every icon."""
    page = open_page(f"{served}/chain-rule.html")
    page.evaluate("() => document.fonts.ready")
    loaded = page.evaluate("() => [...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)")
    assert any("Awesome" in family for family in loaded), loaded
    width = page.locator(".article-header-buttons i.fa-rocket").evaluate(
        "i => i.getBoundingClientRect().width"
    )
    assert width > 8


def test_the_color_switch_remembers(open_page, served):
    page = open_page(f"{served}/index.html", scheme="light")
    for _ in range(3):
        if page.evaluate("() => document.documentElement.dataset.theme") == "dark":
            break
        page.locator(".theme-switch-button:visible").first.click()
    page.goto(f"{served}/chain-rule.html")
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
