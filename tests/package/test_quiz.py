"""The quiz as text: its structure, the order of its answers, escaping, and what it refuses."""

from html.parser import HTMLParser

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from blowup.quiz import question

TEXTS = st.text(min_size=1, max_size=60).filter(lambda text: text.strip())
OUR_TAGS = {
    *("blowup-quiz", "style", "form", "fieldset", "legend", "label", "input", "span", "button", "div"),
    *("details", "summary", "dl", "dt", "dd", "b", "script", "code", "em"),
}

FROZEN = "Question: Why? a) Because b) B c) C d) A"


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text of the elements that hold an author's words."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.words = [], [], {"legend": [], "span": [], "dt": [], "dd": []}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in self.words and not any(outer in self.words for outer in self.open):
            self.words[tag].append("")
        if tag != "input":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        outer = next((tag for tag in self.open if tag in self.words), None)
        if outer:
            self.words[outer][-1] += data

    def count(self, tag):
        return sum(name == tag for name, _ in self.tags)


def read(asked):
    return Reader(asked._repr_html_())


def small(**changes):
    """One sound question, with some arguments replaced."""
    words = {"text": "Why?", "right": ("Because", "It is so."), "wrong": [("No reason", "There is one.")]}
    words |= changes
    return question(words.pop("text"), **words)


def test_every_answer_is_a_labeled_radio_button_with_its_why():
    page = read(small(wrong=[("Never", "Too rare."), ("Always", "Too often.")]))
    radios = [attrs for tag, attrs in page.tags if tag == "input"]
    assert [radio["type"] for radio in radios] == ["radio"] * 3
    assert len({radio["name"] for radio in radios}) == 1
    assert page.count("label") == page.count("dt") == page.count("dd") == 3
    assert page.words["legend"] == ["Why?"]
    whys = dict(zip(page.words["span"], page.words["dd"], strict=True))
    assert whys == {"Because": "It is so.", "Never": "Too rare.", "Always": "Too often."}
    assert [attrs for tag, attrs in page.tags if "data-right" in attrs] == [{"data-right": None}]
    assert [text for text in page.words["dt"] if "✓ right" in text] == ["Because — ✓ right"]


def test_nothing_on_the_page_names_another_host_or_carries_an_id():
    html = small()._repr_html_()
    assert "//" not in html.replace("// ", "")
    assert not any({"id", "src", "href"} & set(attrs) for _, attrs in Reader(html).tags)


def test_the_text_is_one_line_with_every_answer():
    line = repr(small(text="Why\n  so?"))
    assert line.startswith("Question: Why so? a) ") and "\n" not in line
    assert "Because" in line and "No reason" in line


def test_two_builds_give_the_same_bytes_whatever_order_the_wrong_answers_stand_in():
    wrong = [("A", "a."), ("B", "b."), ("C", "c.")]
    assert small(wrong=wrong)._repr_html_() == small(wrong=wrong[::-1])._repr_html_()
    # Frozen: Python's own hash() would differ from one process to the next.
    assert repr(small(wrong=wrong)) == FROZEN


def test_the_right_answer_stands_anywhere():
    """Among 3 answers each place comes up with p = 1/3: within 4 standard errors in 900 questions."""
    wrong = [("one", "No."), ("two", "No.")]
    places = [
        [is_right for _, _, is_right in small(text=f"Number {n}?", wrong=wrong).answers].index(True)
        for n in range(900)
    ]
    for place in range(3):
        assert abs(places.count(place) - 300) < 4 * (900 * 2 / 9) ** 0.5


def test_two_questions_have_two_radio_groups():
    groups = {attrs["name"] for text in ("Why?", "How?") for tag, attrs in read(small(text=text)).tags
              if tag == "input"}  # fmt: skip
    assert len(groups) == 2


@pytest.mark.parametrize(
    "text, html",
    [
        ("`a < b` in *code*", "<code>a &lt; b</code> in <em>code</em>"),
        ("`*x* $y$`", "<code>*x* $y$</code>"),
        (r"$\chi < 1$", r'<span class="math notranslate nohighlight">\(\chi &lt; 1\)</span>'),
        ("2 * 3 * 4, 2*3*4, *args and **kwargs", "2 * 3 * 4, 2*3*4, *args and **kwargs"),
        ("from $5 to $6", "from $5 to $6"),
        ('<b onclick="x">&amp;', "&lt;b onclick=&quot;x&quot;&gt;&amp;amp;"),
    ],
)
def test_marks_and_escapes(text, html):
    assert f"<legend>{html}</legend>" in small(text=text)._repr_html_()


@settings(max_examples=40, deadline=None)
@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_no_text_adds_an_element_or_loses_a_letter(text, answer, why, other, other_why):
    assume(" ".join(answer.split()) != " ".join(other.split()))
    page = read(question(text, right=(answer, why), wrong=[(other, other_why)]))
    assert {tag for tag, _ in page.tags} <= OUR_TAGS
    assert page.count("script") == page.count("form") == 1 and page.count("input") == 2
    plain = str.maketrans("", "", "`*$\\()")  # the marks, and the brackets that stand for a dollar
    for want, got in ((text, page.words["legend"]), (why, page.words["dd"]), (other, page.words["span"])):
        wanted = " ".join(want.split()).translate(plain)
        assert wanted in [words.translate(plain) for words in got]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"text": " \n"}, "text: expected at least one word, got"),
        ({"text": None}, "text: expected a text, got None"),
        ({"right": "Because"}, "right: expected a pair of texts .*, got 'Because'"),
        ({"right": ("Because",)}, r"right: expected a pair .*, got \('Because',\)"),
        ({"right": ("Because", "")}, "right, the why: expected at least one word, got ''"),
        ({"right": ("Because", 3)}, "right, the why: expected a text, got 3"),
        ({"right": (1, "It is.")}, "right, the answer: expected a text, got 1"),
        ({"right": "ab"}, "right: expected a pair .*, got 'ab'"),
        ({"wrong": []}, r"wrong: expected a list of one or more .*, got \[\]"),
        ({"wrong": None}, "wrong: expected a list .*, got None"),
        ({"wrong": "ab"}, "wrong: expected a list .*, got 'ab'"),
        ({"wrong": ("No reason", "There is one.")}, r"wrong\[0\]: expected a pair .*, got 'No reason'"),
        ({"wrong": [("A", "a."), ("B", None)]}, r"wrong\[1\], the why: expected a text, got None"),
        ({"wrong": [("A", "a."), ("A ", "b.")]}, "expected every answer once, got 'A' twice"),
        ({"wrong": [("Because", "no.")]}, "expected every answer once, got 'Because' twice"),
    ],
)
def test_bad_input_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)
