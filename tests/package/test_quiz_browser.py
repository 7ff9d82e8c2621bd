"""The quiz in a real browser, opened from disk: keyboard, screen reader, no JavaScript, print, 390 pixels."""

import html as markup
from pathlib import Path

import pydata_sphinx_theme
import pytest
import sphinx_book_theme
from playwright.sync_api import expect

from blowup.quiz import question
from tests import axe

SHEETS = [
    Path(pydata_sphinx_theme.__file__).parent
    / "theme/pydata_sphinx_theme/static/styles/pydata-sphinx-theme.css",
    Path(sphinx_book_theme.__file__).parent / "theme/sphinx_book_theme/static/styles/sphinx-book-theme.css",
]
WHYS = {
    "It adds": "A chain multiplies.",
    "It halves": "No factor here is ½.",
    "It multiplies": "So it grows.",
}
FIRST = question(
    "What does a chain of layers do to its factors?",
    right=("It multiplies", WHYS["It multiplies"]),
    wrong=[(answer, WHYS[answer]) for answer in ("It adds", "It halves")],
)
SECOND = question(
    "Which line finds the *first* bad layer?",
    right=("`torch.isfinite(z).all()` in a hook", "It sees every `z`."),
    wrong=[
        ("`torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)` after each step", "Too late.")
    ],
)
THIRD = question("Is $chi = 1$ stable?", right=("Yes", "Nothing grows."), wrong=[("No", "Nothing does.")])


def page_of(*outputs, theme="light", sheets=True):
    """What the site makes of some outputs; without the theme's sheets, what any other host does."""
    links = "".join(f'<link rel="stylesheet" href="{sheet.as_uri()}">' for sheet in SHEETS if sheets)
    cells = "".join(
        f'<div class="cell_output"><div class="output text_html">{o}</div></div>' for o in outputs
    )
    return (
        f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>Quiz</title>'
        '<meta name="viewport" content="width=device-width">'
        f"{links}<style>:root {{ color-scheme: {theme} }}</style></head>"
        f'<body><main class="bd-content"><h1>Quiz</h1>{cells}</main></body></html>'
    )


@pytest.fixture
def show(tmp_path, open_page):
    """Opens a page of questions from disk; by default the three above."""

    def show_(*questions, edit=lambda html: html, theme="light", sheets=False, **options):
        outputs = [edit(q._repr_html_()) for q in questions or (FIRST, SECOND, THIRD)]
        path = tmp_path / "quiz.html"
        path.write_text(page_of(*outputs, theme=theme, sheets=sheets), encoding="utf-8")
        page = open_page(path.as_uri(), scheme=theme, **options)
        page.set_default_timeout(3000)
        return page

    return show_


def choose(page, quiz, answer):
    """With arrow keys alone, from whichever radio button of the question has the focus."""
    for _ in range(4):
        if quiz.locator("label", has_text=answer).locator("input").is_checked():
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"no arrow key reaches {answer!r}")


def answer_by_keyboard(page, patience=5000):
    """Nothing but keys; what a screen reader is told is read from the status region."""
    first = page.get_by_role("group").first
    status = first.get_by_role("status")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    choose(page, first, "It adds")
    expect(status).to_be_empty(timeout=patience)  # moving the choice says nothing yet
    page.keyboard.press("Enter")
    expect(status).to_have_text("Not quite. A chain multiplies.", timeout=patience)
    focused = first.get_by_role("radio", name="It adds")
    expect(focused).to_be_focused(timeout=patience)
    expect(focused).to_have_accessible_name("It adds ✗ wrong", timeout=patience)
    choose(page, first, "It multiplies")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(status).to_have_text("Right. So it grows.", timeout=patience)
    expect(first.get_by_role("button", name="Check")).to_be_focused(timeout=patience)
    right = first.get_by_role("radio", name="It multiplies")
    expect(right).to_have_accessible_name("It multiplies ✓ right", timeout=patience)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    for why in WHYS.values():
        expect(first.locator("dd", has_text=why)).to_be_visible(timeout=patience)


def test_a_question_is_answered_by_keyboard_alone(show):
    page = show()
    answer_by_keyboard(page)
    for other in page.locator("blowup-quiz").all()[1:]:
        expect(other.get_by_role("status")).to_be_empty()
        assert other.locator("input:checked, [data-mark]:not([role])").count() == 0
    assert page.problems == [] and page.refused == []


@pytest.mark.parametrize(
    "old, new",
    [
        pytest.param('role="status" aria-live="polite"', 'class="status"', id="a silent region"),
        pytest.param(" data-right", "", id="no right answer"),
        pytest.param('" ", ...why', '" "', id="no explanation"),
        pytest.param("this.check();\n      }\n    }", "}\n    }", id="Enter does nothing"),
        pytest.param('addEventListener("click"', 'addEventListener("dblclick"', id="a dead button"),
        pytest.param("word.textContent = right", "word.hidden = right", id="no word at the choice"),
        pytest.param("status.append(", "status.focus(", id="nothing said"),
    ],
)
def test_a_broken_quiz_is_noticed(show, old, new):
    def mutate(html):
        html = html.replace(old, new)
        return html.replace("[role=status]", ".status") if "class=" in new else html

    assert mutate(FIRST._repr_html_()) != FIRST._repr_html_()
    page = show(edit=mutate)
    with pytest.raises(AssertionError):
        answer_by_keyboard(page, patience=500)
    assert page.problems == []  # it is broken, not crashed: only a reader would notice


def test_what_the_browser_tells_a_screen_reader(show):
    page = show()
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    nodes = [node for node in nodes if not node["ignored"]]
    names = [(node["role"]["value"], node["name"]["value"].strip()) for node in nodes if "name" in node]
    assert ("group", "Question 1 of 3 What does a chain of layers do to its factors?") in names
    assert ("group", "Question 2 of 3 Which line finds the first bad layer?") in names
    assert [name for role, name in names if role == "radio"][:3] == [a for a, _, _ in FIRST.answers]
    assert [name for role, name in names if role == "button"] == ["Check"] * 3
    regions = [node for node in nodes if node["role"]["value"] == "status"]
    assert len(regions) == 3
    for region in regions:
        assert {"name": "live", "value": {"type": "token", "value": "polite"}} in region["properties"]
    assert not any("So it grows" in name for _, name in names), "the answer is read out before the question"


@pytest.mark.parametrize("sheets", [True, False], ids=["the site", "elsewhere"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(show, theme, sheets):
    page = show(theme=theme, sheets=sheets)
    for quiz, answer in zip(page.locator("blowup-quiz").all(), ("It adds", "all()"), strict=False):
        quiz.locator("label", has_text=answer).click()
        quiz.get_by_role("button").click()
        expect(quiz.get_by_role("status")).not_to_be_empty()
    page.locator("summary:visible").click()
    assert axe.violations(page) == []
    background = page.locator(".text_html").first.evaluate("node => getComputedStyle(node).backgroundColor")
    assert background == "rgba(0, 0, 0, 0)", "the theme's slab shows behind the question"


def test_nothing_chosen_is_said_kindly_and_the_same_words_are_said_again(show):
    page = show()
    quiz = page.locator("blowup-quiz").first
    page.evaluate("""() => {
        window.said = 0;
        const filled = () => { said += document.querySelector("[role=status]").childNodes.length > 0; };
        new MutationObserver(filled).observe(document.querySelector("[role=status]"), { childList: true });
    }""")
    for times in (1, 2):
        quiz.get_by_role("button").click()
        page.wait_for_function("times => said === times", arg=times)
        expect(quiz.get_by_role("status")).to_have_text("Choose an answer first.")
    quiz.locator("label", has_text="It adds").click()
    quiz.get_by_role("button").click()
    expect(quiz.get_by_role("status")).to_contain_text("A chain multiplies.")


def test_without_javascript_the_answers_open_by_keyboard_and_enter_goes_nowhere(show):
    page = show(javascript=False)
    first = page.locator("blowup-quiz").first
    expect(first.get_by_role("button")).to_have_count(0)
    expect(first.locator("dd", has_text=WHYS["It adds"])).not_to_be_visible()
    before = page.url
    for key in ("Tab", "Space", "Enter", "Tab", "Enter"):
        page.keyboard.press(key)
    for answer, why in WHYS.items():
        expect(first.locator("dd", has_text=why)).to_be_visible()
        verdict = "✓ right" if answer == "It multiplies" else "✗ wrong"
        expect(first.locator("dt", has_text=answer)).to_have_text(f"{answer} — {verdict}")
    assert page.url == before


def test_in_print_stand_the_questions_and_their_choices(show):
    page = show(sheets=True)
    page.emulate_media(media="print")
    for quiz in page.locator("blowup-quiz").all():
        expect(quiz.locator("legend")).to_be_visible()
        for label in quiz.locator("label").all():
            expect(label).to_be_visible()
        for gone in ("button", "[role=status]", "details"):
            expect(quiz.locator(gone)).not_to_be_visible()


def test_a_narrow_screen_needs_no_sideways_scrolling_and_no_small_targets(show):
    page = show(sheets=True, width=390, has_touch=True, is_mobile=True)
    quiz = page.locator("blowup-quiz").nth(1)
    quiz.locator("label").first.tap()
    quiz.get_by_role("button").tap()
    expect(quiz.get_by_role("status")).not_to_be_empty()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("[...document.querySelectorAll('label')].every(l => l.scrollWidth <= l.clientWidth)")
    for target in page.locator("label, button").all():
        assert target.bounding_box()["height"] >= 44


def test_the_same_question_twice_is_two_questions(show):
    page = show(FIRST, FIRST)
    one, two = page.locator("blowup-quiz").all()
    one.locator("label", has_text="It adds").click()
    two.locator("label", has_text="It halves").click()
    expect(one.get_by_role("radio", name="It adds")).to_be_checked()
    two.get_by_role("button").click()
    expect(two.get_by_role("status")).to_contain_text(WHYS["It halves"])
    expect(one.get_by_role("status")).to_be_empty()


def test_keys_stay_in_the_question_but_shortcuts_with_a_modifier_pass(show):
    page = show()
    page.evaluate("window.keys = []; document.addEventListener('keydown', (e) => keys.push(e.key))")
    page.get_by_role("radio").first.focus()
    for key in ("ArrowDown", "Space", "a", "Control+k"):
        page.keyboard.press(key)
    assert page.evaluate("keys") == ["Control", "k"] or page.evaluate("keys") == ["k"]


def test_in_a_live_notebook_an_output_arrives_late_and_has_no_number(show):
    """Front ends set innerHTML and then put every script in anew, as a script that runs."""
    page = show(THIRD)
    page.evaluate(
        """html => {
            const host = document.body.appendChild(document.createElement("div"));
            host.className = "jp-Notebook";
            host.innerHTML = html;
            for (const old of host.querySelectorAll("script")) {
                const script = document.createElement("script");
                script.textContent = old.textContent;
                old.replaceWith(script);
            }
        }""",
        FIRST._repr_html_(),
    )
    quiz = page.locator(".jp-Notebook blowup-quiz")
    quiz.locator("label", has_text="It adds").click()
    quiz.get_by_role("button").click()
    expect(quiz.get_by_role("status")).to_have_text("Not quite. A chain multiplies.")
    assert quiz.evaluate("node => node.style.getPropertyValue('--quiz-number')") == ""


def test_in_a_frame_that_allows_no_forms_it_still_answers(show, tmp_path, open_page):
    inner = markup.escape(page_of(FIRST._repr_html_(), sheets=False))
    path = tmp_path / "framed.html"
    path.write_text(f'<iframe sandbox="allow-scripts" srcdoc="{inner}" height="600"></iframe>', "utf-8")
    frame = open_page(path.as_uri()).frame_locator("iframe")
    frame.locator("label", has_text="It adds").click()
    frame.get_by_role("button").click()
    expect(frame.get_by_role("status")).to_have_text("Not quite. A chain multiplies.")
