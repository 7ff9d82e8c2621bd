"""Every page of the built site in a real browser with every other host blocked: from disk and served."""

import threading

import pytest

from tests import SITE, axe
from tools.site.serve import shows

PLACES = ("*.html", "teaching/*.html")
PAGES = sorted(p.relative_to(SITE).as_posix() for place in PLACES for p in SITE.glob(place)) or ["index.html"]
LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
SCROLLED_BY_KEYBOARD = """() => [...document.querySelectorAll(".pst-scrollable-table-container, pre")]
    .every(t => t.scrollWidth <= t.clientWidth || t.tabIndex === 0)"""  # the theme sees to it after a resize


@pytest.fixture(scope="session")
def served(site):
    """The address of a server that shows the site."""
    server = shows(site, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


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


def looks_of(page):
    """Show ``page`` in each look in turn and yield ``(width, scheme)`` when the theme has followed."""
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
        yield width, scheme


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits(open_page, served, name):
    """The page as it is, its width and structure; then its colors, with words that look alike merged."""
    page = open_page(f"{served}/{name}")
    typeset(page)
    # The check must see the colors that a theme ends with, not those it fades through.
    page.add_style_tag(content="*, *::before, *::after { transition: none !important; }")
    for width, scheme in looks_of(page):
        page.wait_for_function(SCROLLED_BY_KEYBOARD)
        overflow = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{name} scrolls sideways by {overflow} px at {width}"
        axe.note_looks(page)
        if (width, scheme) in (LOOKS[0], LOOKS[-1]):  # each width and each scheme once
            assert axe.structure(page) == [], f"{name} at {width}, {scheme}"
    axe.merge_words(page)
    for width, scheme in looks_of(page):
        assert axe.colors(page) == [], f"{name} at {width}, {scheme}"


SPOTTED = """<!doctype html><html lang="en"><title>Code</title><style>
:root {{ color-scheme: light dark }} body {{ background: light-dark(white, black) }}
pre {{ background: light-dark(#eee, #222); color: light-dark(black, white) }} i {{ font-style: normal }}
.k {{ color: light-dark(#00c, #aaf) }} .far .k {{ background: {behind} }}</style><main><h1>Code</h1>
<pre>{words}</pre><pre class="far"><span class="k">for</span></pre><p>{words}</p></main></html>"""


@pytest.mark.parametrize(
    ("style", "behind", "found"),
    [
        ("", "transparent", {"light": 0, "dark": 0}),
        ("color: light-dark(#00c, #333)", "transparent", {"light": 0, "dark": 1}),
        ("color: light-dark(#ddd, #ddd)", "transparent", {"light": 1, "dark": 0}),
        ("", "light-dark(#00e, #222)", {"light": 1, "dark": 0}),
    ],
)
def test_one_word_of_code_that_cannot_be_read_is_found_among_many(open_page, tmp_path, style, behind, found):
    words = [f'<span class="k">for</span> x{k} ' for k in range(200)]
    words[170] = f'<span class="k" style="{style}">odd</span> '
    file = tmp_path / "code.html"
    file.write_text(SPOTTED.format(behind=behind, words="".join(words)), encoding="utf-8")
    page = open_page(file.as_uri())
    for scheme in found:
        page.emulate_media(color_scheme=scheme)
        axe.note_looks(page)
    kinds, merged = axe.merge_words(page)
    assert kinds + merged == 201 and kinds <= 3
    for scheme, count in found.items():
        page.emulate_media(color_scheme=scheme)
        assert sum("<span" in line for line in axe.colors(page)) == count * (2 if style else 1), scheme


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
