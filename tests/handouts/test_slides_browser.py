"""Every deck as a teacher opens it: from disk in Chromium, with every request but the file itself refused."""

import io
import re

import pytest
from PIL import Image

from tests import ROOT, axe

CHAPTERS = sorted(p.stem for p in (ROOT / "book").glob("*.ipynb"))
MOST = 4_000_000  # bytes
READY = "window.Reveal && Reveal.isReady()"
# A font is fetched when the first slide that needs it is shown; until it is there, nothing has its size.
SHOW = "async k => { Reveal.slide(k); document.body.offsetWidth; await document.fonts.ready; }"
# What sticks out of the slide, what is cut off inside it, and which parts of it lie on each other.
LOOK = """() => {
  const slide = Reveal.getCurrentSlide(), frame = slide.getBoundingClientRect(), found = [];
  const name = (e) => e.tagName + "." + e.className;
  const parts = "h1, h2, p, li, td, figure, pre, svg, input, select, .equation";
  for (const e of slide.querySelectorAll(parts)) {
    const box = e.getBoundingClientRect();
    if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom - 20
        || box.top < frame.top - 1) found.push(name(e) + " sticks out");
  }
  for (const e of slide.querySelectorAll("pre, .body, .pieces")) {
    const spare = e.tagName === "PRE" ? 1 : 8;  // half the space between the lines of prose
    if (e.scrollWidth > e.clientWidth + spare || e.scrollHeight > e.clientHeight + spare)
      found.push(name(e) + " is cut off");
  }
  for (const e of slide.querySelectorAll("figure"))
    if (e.getBoundingClientRect().height < 250) found.push(name(e) + " is too small");
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
    """``open_deck(name, query="", **options)`` → a page that shows the deck and lists refused requests."""
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
    """What axe finds wrong with what is on the screen.

    A figure is an image with a text. The thousands of paths in it say no more and would take minutes.
    """
    page.evaluate(
        "() => document.querySelectorAll('figure svg, .explorer svg').forEach(s => s.replaceChildren())"
    )
    return axe.violations(page)


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_deck_is_one_whole_file(open_deck, site, name):
    """Every slide fits, every formula is set, nothing is asked of the network; then the explorer moves."""
    assert (site / "slides" / f"{name}.html").stat().st_size < MOST
    page = open_deck(name)
    page.wait_for_function(READY)
    # What only a screen reader sees of a formula hangs over, by how much depends on the browser.
    page.add_style_tag(content="mjx-assistive-mml { display: none !important; }")
    slides = page.evaluate("() => Reveal.getTotalSlides()")
    for k in range(slides):
        page.evaluate(SHOW, k)
        found = page.evaluate(LOOK)
        assert not found, f"{name}, slide {k + 1}: {', '.join(found)}"
    assert slides >= 15
    assert page.locator(".equation").count() == page.locator(".equation mjx-container").count() >= 3
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    assert not re.search(r"\\[(\[]", page.locator(".slides").inner_text())
    the_explorer_answers(page)
    assert page.refused == [] and page.problems == []


def go_to(page, kind):
    """Show the first slide that is, or has, what the selector names; returns its index."""
    return page.evaluate(
        """kind => {
          const all = [...document.querySelectorAll(".slides > section")];
          const at = all.findIndex((s) => s.matches(kind) || s.querySelector(kind));
          Reveal.slide(at);
          return at;
        }""",
        kind,
    )


def the_explorer_answers(page):
    """Keys and mouse move the slider and the picture, not the slide; without focus keys turn the page."""
    here = go_to(page, ".explorer")
    slider, picture = page.locator(".explorer input").first, page.locator(".explorer svg").first
    seen = []
    for key in ("Home", "End", "ArrowLeft"):
        slider.press(key)
        seen.append((picture.inner_html(), picture.get_attribute("aria-label")))
    first, last, before_last = seen
    assert first[0] != last[0] and first[1] != last[1] and before_last != last
    box = slider.bounding_box()
    page.mouse.click(box["x"] + 2, box["y"] + box["height"] / 2)
    assert picture.inner_html() == first[0], "the mouse reaches the slider where it is drawn"
    for select in page.locator(".explorer select").all():
        select.press("o")
        assert not page.evaluate("() => Reveal.isOverview()"), "what is typed into a menu is its own"
    assert page.evaluate("() => Reveal.getIndices().h") == here
    slider.blur()
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => Reveal.getIndices().h") == here + 1


def test_a_deck_follows_the_scheme_and_is_accessible(open_deck):
    """In light and dark: paper and ink change, the colors of the curves do not; axe finds nothing."""
    page = open_deck("gradient-clipping")
    page.wait_for_function(READY)
    schemes = {"light": (255, 255, 255), "dark": (18, 18, 18)}
    figure = page.locator(".slides > section").nth(go_to(page, "figure")).locator("figure svg")
    for scheme, paper in schemes.items():
        page.emulate_media(color_scheme=scheme)
        color = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert color == "rgb({}, {}, {})".format(*paper)
        shot = Image.open(io.BytesIO(figure.screenshot())).convert("RGB")
        assert shot.getpixel((2, 2)) == paper
        colors = {color for _, color in shot.getcolors(2**24)}
        assert (213, 94, 0) in colors, "vermilion is vermilion in both"
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        for kind in (".ask", "pre.code", ".explorer"):
            go_to(page, kind)
            assert accessible(page) == [], f"{kind}, {scheme}"


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
    """Whatever the screen's scheme: black on white, figures as large as on the screen."""
    page = open_deck("gradient-clipping", "?print-pdf", color_scheme="dark")
    page.wait_for_function(READY)
    page.wait_for_selector(".pdf-page")
    slides = page.locator(".pdf-page").count()
    assert slides == page.evaluate("() => Reveal.getTotalSlides()")
    heights = page.eval_on_selector_all("figure svg", "all => all.map(s => s.getBoundingClientRect().height)")
    assert len(heights) >= 4 and min(heights) > 250
    page.emulate_media(media="print")
    paper, ink = page.evaluate(
        "() => [getComputedStyle(document.querySelector('.pdf-page')).backgroundColor,"
        " getComputedStyle(document.querySelector('.pdf-page .finding h2')).color]"
    )
    assert (paper, ink) == ("rgb(255, 255, 255)", "rgb(34, 40, 50)")
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
    assert page.locator("h2").last.is_visible() and page.locator("figure svg").first.is_visible()
