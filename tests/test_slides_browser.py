"""Every deck as a teacher opens it: from disk in Chromium, with every request but the file itself refused."""

import io
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT
from PIL import Image

CHAPTERS = sorted(p.stem for p in (ROOT / "book").glob("*.ipynb"))
MOST = 4_000_000  # bytes
READY = "window.Reveal && Reveal.isReady()"
AXE = {"preload": False}
# What sticks out of the slide, what is cut off inside it, and which parts of it lie on each other.
LOOK = """() => {
  const slide = Reveal.getCurrentSlide(), frame = slide.getBoundingClientRect(), found = [];
  const name = (e) => e.tagName + "." + e.className;
  for (const e of slide.querySelectorAll("h1, h2, p, li, td, figure, img, pre, svg, input, select, .equation")) {
    const box = e.getBoundingClientRect();
    if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom - 20
        || box.top < frame.top - 1) found.push(name(e) + " sticks out");
  }
  for (const e of slide.querySelectorAll("pre, .body, .pieces")) {
    const spare = e.tagName === "PRE" ? 1 : 8;  // the hidden MathML of a formula hangs over by some pixels
    if (e.scrollWidth > e.clientWidth + spare || e.scrollHeight > e.clientHeight + spare)
      found.push(name(e) + " is cut off");
  }
  for (const e of slide.querySelectorAll("img"))
    if (!e.naturalWidth || e.getBoundingClientRect().height < 250) found.push(name(e) + " is too small");
  for (const e of slide.querySelectorAll("pre, .prose"))
    if (parseFloat(getComputedStyle(e).fontSize) < 16) found.push(name(e) + " has letters too small");
  for (const row of slide.querySelectorAll(".body, .pieces")) {
    const parts = [...row.children].map((e) => e.getBoundingClientRect());
    for (let k = 1; k < parts.length; k++)
      if (parts[k].top < parts[k - 1].bottom - 1 && parts[k].left < parts[k - 1].right - 1)
        found.push(name(row.children[k]) + " lies on what is before it");
  }
  return found;
}"""


@pytest.fixture
def open_deck(chromium, site):
    """``open_deck(name, query="", **options)`` → a page that shows the deck; it lists requests and problems."""
    contexts = []

    def open_(name, query="", **options):
        context = chromium.new_context(**({"viewport": {"width": 1280, "height": 720}} | options))
        contexts.append(context)
        page, file = context.new_page(), (site / "slides" / f"{name}.html").as_uri()
        page.refused, page.problems = [], []

        def gate(route):
            if route.request.url.split("?")[0].split("#")[0] == file:
                return route.continue_()
            page.refused.append(route.request.url)
            return route.abort()

        context.route(re.compile("^(?!data:)"), gate)
        page.on("console", lambda m: page.problems.append(m.text))
        page.on("pageerror", lambda e: page.problems.append(str(e)))
        page.goto(file + query)
        return page

    yield open_
    for context in contexts:
        context.close()


def accessible(page):
    """What axe finds wrong with what is on the screen."""
    violations = Axe().run(page, options=AXE).response["violations"]
    return [f"{v['id']}: {node['html'][:160]}" for v in violations for node in v["nodes"]]


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_deck_is_one_whole_file(open_deck, site, name):
    """Every slide fits, every formula is set, nothing is asked of the network; then the explorer moves."""
    assert (site / "slides" / f"{name}.html").stat().st_size < MOST
    page = open_deck(name)
    page.wait_for_function(READY)
    slides = page.evaluate("() => Reveal.getTotalSlides()")
    for k in range(slides):
        page.evaluate(f"() => Reveal.slide({k})")
        found = page.evaluate(LOOK)
        assert not found, f'{name}, slide {k + 1}: {", ".join(found)}'
    assert slides >= 15
    assert page.locator(".equation").count() == page.locator(".equation mjx-container").count() >= 3
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    assert not re.search(r"\\[(\[]", page.locator(".slides").inner_text())
    the_explorer_answers(page)
    assert page.refused == [] and page.problems == []


def the_explorer_answers(page):
    """Keys move the slider and the picture, not the slide; without focus they turn the page."""
    here = page.evaluate(
        "() => { const at = [...document.querySelectorAll('.slides > section')]"
        ".findIndex(s => s.querySelector('.explorer')); Reveal.slide(at); return at; }"
    )
    slider, picture = page.locator(".explorer input").first, page.locator(".explorer svg").first
    before, said = picture.inner_html(), picture.get_attribute("aria-label")
    slider.focus()
    page.keyboard.press("Home")
    first = picture.inner_html()
    page.keyboard.press("End")
    assert len({before, first, picture.inner_html()}) >= 2 and picture.get_attribute("aria-label")
    page.keyboard.press("ArrowLeft")
    assert picture.inner_html() not in ("", first) or said
    box = slider.bounding_box()
    page.mouse.click(box["x"] + 2, box["y"] + box["height"] / 2)
    assert picture.inner_html() == first, "the mouse reaches the slider where it is drawn"
    assert page.evaluate("() => Reveal.getIndices().h") == here
    slider.blur()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => Reveal.getIndices().h") == here + 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_deck_is_accessible(open_deck, scheme):
    """A title, a question, a figure, code, an explorer: one slide of each kind."""
    page = open_deck("gradient-clipping", color_scheme=scheme)
    page.wait_for_function(READY)
    paper = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(18, 18, 18)")
    for kind in (".title", ".ask", "figure", "pre.code", ".explorer"):
        page.evaluate(
            "kind => Reveal.slide([...document.querySelectorAll('.slides > section')]"
            ".findIndex(s => s.matches(kind) || s.querySelector(kind)))",
            kind,
        )
        assert accessible(page) == []


def test_a_figure_follows_the_scheme_and_keeps_its_colors(open_deck):
    """Paper and ink change, the colors of the curves do not."""
    shades = {}
    for scheme in ("light", "dark"):
        page = open_deck("gradient-clipping", color_scheme=scheme)
        page.wait_for_function(READY)
        at = page.evaluate(
            "() => { const at = [...document.querySelectorAll('.slides > section')]"
            ".findIndex(s => s.querySelector('img')); Reveal.slide(at); return at; }"
        )
        shot = page.locator(".slides > section").nth(at).locator("img").screenshot()
        picture = Image.open(io.BytesIO(shot)).convert("RGB")
        shades[scheme] = picture.getpixel((2, 2)), set(picture.getdata())
    assert shades["light"][0] == (255, 255, 255) and shades["dark"][0] == (18, 18, 18)
    assert all((213, 94, 0) in colors for _, colors in shades.values()), "vermilion is vermilion in both"


def test_the_speaker_sees_notes_and_the_next_slide(open_deck):
    """The speaker's window works from disk, offline, in step with the slides."""
    page = open_deck("chain-rule")
    page.wait_for_function(READY)
    with page.context.expect_page() as opened:
        page.keyboard.press("s")
    notes = opened.value.locator(".speaker-controls-notes .value")
    notes.get_by_text("Ask what").wait_for()
    page.keyboard.press("ArrowRight")
    notes.get_by_text("Blue factors are slopes").wait_for()
    assert page.refused == []


def test_a_deck_prints_one_page_a_slide(open_deck):
    page = open_deck("gradient-clipping", "?print-pdf")
    page.wait_for_function(READY)
    page.wait_for_selector(".pdf-page")
    slides = page.locator(".pdf-page").count()
    assert slides == page.evaluate("() => Reveal.getTotalSlides()")
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == slides


def test_on_a_phone_a_deck_is_a_page_to_scroll(open_deck):
    page = open_deck("gradient-clipping", viewport={"width": 390, "height": 844})
    page.wait_for_selector("mjx-container")
    page.evaluate("() => MathJax.startup.promise")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert page.locator(".deck section").count() >= 15 and page.locator(".reveal").count() == 0
    assert all(s.is_visible() for s in page.locator(".deck h2").all())
    assert accessible(page) == [] and page.refused == [] and page.problems == []


def test_without_javascript_a_deck_can_be_read(open_deck):
    page = open_deck("gradient-clipping", java_script_enabled=False)
    assert page.locator("h2").last.is_visible() and page.locator("figure img").first.is_visible()
