"""The question bank: every answer is computed, every number in it comes from the run or the question."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from blowup.evidence import EXACT, LAWS
from tests import ROOT
from tests.handouts.test_course import objectives
from tools.handouts import questions

SMALL = """\
# %% [markdown]
# # Small

# %%
import math

# %% [markdown] question="small-01" points=2 minutes=3 level="easy" kind="compute" objective="CR1"
# How much is $2\\cdot{n:d}$?

# %%
n = 21
twice = 2 * n

# %% [markdown] answer="small-01"
# It is {twice:d}.
"""


@pytest.fixture(scope="module")
def bank():
    return questions.read_bank()


@pytest.fixture(scope="module")
def values(bank):
    """The variables of every question: all code of the bank runs, its assertions too."""
    return {question.name: question.values() for question in bank}


def filled(question, values):
    return [
        questions.fill(text, values[question.name], question.name)
        for text in (question.text, question.answer)
    ]


def test_the_bank_is_large_and_mixed(bank):
    assert len(bank) > 70  # as course/README.md says
    for what in ("level", "kind"):
        said = [getattr(question, what) for question in bank]
        allowed = questions.LEVELS if what == "level" else questions.KINDS
        assert all(said.count(one) >= 4 for one in allowed), {one: said.count(one) for one in allowed}
    assert all(q.points >= 1 and 3 <= q.minutes <= 20 for q in bank)


def test_every_objective_of_a_question_is_in_the_map(bank):
    assert {question.objective for question in bank} == set(objectives())


def test_texts_and_answers_are_filled(bank, values):
    for question in bank:
        for text in filled(question, values):
            assert not questions.PLACEHOLDER.search(text), question.name
            assert not re.search(r"\b(nan|inf)\b", re.sub(r"`[^`]*`", "", text)), question.name


def asserted_numbers(answer, question):
    """Numbers of a raw answer that neither its code nor the question gives, and that are not structural.

    Structural are 0 to 4 (halves, squares, indices), the names of number formats, and links.
    """
    text = questions.PLACEHOLDER.sub(" ", answer)
    text = re.sub(r"\]\([^)]*\)|b?float\d+", " ", text)
    text = re.sub(r"\\[td]?frac(\d)(\d)", r" \1 \2 ", text)
    given = set(re.findall(r"\d+(?:\.\d+)?", question.replace("{,}", "").replace(",", "")))
    found = re.findall(r"\d+(?:\.\d+)?", text.replace("{,}", "").replace(",", ""))
    return [number for number in found if number not in given | set("01234")]


def test_no_number_of_an_answer_is_merely_asserted(bank, values):
    loose = {q.name: asserted_numbers(q.answer, filled(q, values)[0]) for q in bank}
    assert not {name: numbers for name, numbers in loose.items() if numbers}


def test_every_code_checks_itself(bank):
    """An answer is computed twice, by formula and by a run, and the code says that the two agree."""
    calls = re.compile(rf"^\s*({'|'.join((*EXACT, *LAWS))})\(", re.M)
    assert not [question.name for question in bank if not calls.search(question.code)]
    assert not [question.name for question in bank if re.search(r"^\s*assert\b", question.code, re.M)]


def test_no_question_is_one_of_a_chapter(bank):
    """No sentence of a question stands in a chapter, above all in no exercise and no quiz."""
    chapters = "".join((ROOT / "book" / f"{name}.ipynb").read_text() for name in questions.chapters())
    known = re.sub(r"\W+", " ", chapters)
    for question in bank:
        for sentence in re.split(r"(?<=[.?])\s", re.sub(r"```.*?```", "", question.text, flags=re.S)):
            words = re.sub(r"\W+", " ", sentence).strip()
            assert len(words) < 40 or words not in known, f"{question.name}: {sentence}"


@pytest.mark.parametrize(
    ("answer", "question", "loose"),
    [
        ("It is 7.3.", "How much?", ["7.3"]),
        ("It is 7.3.", "How much is 7.3?", []),
        ("It is {x:.2f}, half of $\\tfrac12$.", "How much?", []),
        ("A third, $\\frac{1}{3}$, and $2^{-15}$.", "How much?", ["15"]),
        ("In float16 it is 1,200.", "Of 1200?", []),
        ("About 12 layers.", "Of 120 layers?", ["12"]),
    ],
)
def test_the_rule_for_numbers(answer, question, loose):
    assert asserted_numbers(answer, question) == loose


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("{x:.2g}", 3.1e-5, "$3.1\\cdot10^{-5}$"),
        ("$a = {x:.2g}$", 3.1e-5, "$a = 3.1\\cdot10^{-5}$"),
        ("$$a$$ {x:g}", -2.0, "$$a$$ −2"),
        ("$$\nb\\$ {x:,d}\n$$", 1234, "$$\nb\\$ 1{,}234\n$$"),
        ("$\\frac{1}{{x:d}}$ and \\mathrm{sd}", 5, "$\\frac{1}{5}$ and \\mathrm{sd}"),
        ("{x:g}", -0.0, "0"),
        ("{x:.0e}", 1e6, "$10^{6}$"),
    ],
)
def test_numbers_are_written_as_one_writes_them(text, value, said):
    assert questions.fill(text, {"x": value}) == said


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A bank of one small question, which a test may break."""
    monkeypatch.setattr(questions, "FOLDER", tmp_path)

    def write(text=SMALL):
        (tmp_path / "small.py").write_text(text, encoding="utf8")
        return questions.main([], tmp_path / "built")

    return write


def test_a_changed_number_changes_question_and_answer(folder):
    first = [Path(file).read_text() for file in folder()]
    second = [Path(file).read_text() for file in folder(SMALL.replace("n = 21", "n = 35"))]
    assert "cdot21" in first[0] and "It is 42." in first[1] and "It is 42." not in first[0]
    assert "cdot35" in second[0] and "It is 70." in second[1]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("{twice:d}", "{thrice:d}", r"small-01: \{thrice:d\} is no variable of its code"),
        ("twice = 2 * n", "twice = 1 / 0", "small-01: its code raises ZeroDivisionError"),
        ("points=2", "points='two'", "small.py, small-01: points is missing or no int"),
        ('level="easy"', 'level="simple"', "level must be one of easy, medium, hard; got simple"),
        ('kind="compute"', 'kind="guess"', "kind must be one of compute, derive"),
        ('answer="small-01"', 'answer="small-02"', "the third cell must say answer='small-01'"),
        ('question="small-01"', 'question="big-01"', "the name big-01 must start with small-"),
        ("# %%\nn = 21", "n = 21", "each question needs three cells"),
    ],
)
def test_a_broken_question_is_one_clear_line(folder, old, new, complaint):
    assert old in SMALL
    with pytest.raises(questions.BankError, match=complaint) as error:
        folder(SMALL.replace(old, new))
    assert "\n" not in str(error.value)


def test_two_questions_of_one_name_are_refused(folder):
    body = SMALL[SMALL.index("# %% [markdown] question") :]
    with pytest.raises(questions.BankError, match="more than one question is called small-01"):
        folder(SMALL + "\n" + body)


def test_a_paper_of_some_and_a_wrong_name(bank):
    picked = questions.choose(bank, ["across-01", "chain-rule-02"])
    assert [q.name for q in picked] == ["across-01", "chain-rule-02"]
    with pytest.raises(
        questions.BankError, match=r"no question is called chain-rule-77; there are chain-rule-01 to"
    ):
        questions.choose(bank, ["across-01", "chain-rule-77"])
    with pytest.raises(questions.BankError, match="once only"):
        questions.choose(bank, ["across-01", "across-01"])


@pytest.fixture(scope="module")
def pages(bank, values):
    """The bank's two pages, as text: for the class and for the teacher."""
    return [questions.page("Bank", bank, values, with_answers) for with_answers in (False, True)]


def test_the_class_sees_no_answer(bank, values, pages):
    class_page, teacher_page = (
        {s["id"]: s for s in BeautifulSoup(p, "html.parser").select("section")} for p in pages
    )
    assert list(class_page) == list(teacher_page) == [question.name for question in bank]
    for question in bank:
        asked, answered = class_page[question.name], teacher_page[question.name]
        answer = answered.select_one(".answer")
        assert answer and asked.select_one(".answer") is None
        for paragraph in answer.select("p:not(.about), li, pre"):
            text = paragraph.get_text()
            assert len(text) < 25 or text not in asked.get_text(), question.name
        assert f"{question.points} point" in asked.get_text()
        answer.extract()
        assert answered.get_text() == asked.get_text()


def test_the_totals_are_the_sums(bank, values):
    some = bank[:3]
    text = questions.page("Paper", some, values, False, paper=True)
    points, minutes = sum(q.points for q in some), sum(q.minutes for q in some)
    assert f"3 questions, {points} points, {minutes} minutes" in text


def test_the_pages_are_whole_in_themselves(pages, open_page, tmp_path):
    """A browser shows every formula and asks no other host, and no other file, for anything."""
    for k, text in enumerate(pages):
        file = tmp_path / f"{k}.html"
        file.write_text(text, encoding="utf8")
        page = open_page(file.as_uri())
        page.wait_for_function("MathJax.startup && document.querySelectorAll('mjx-container').length > 100")
        page.evaluate("MathJax.startup.promise.then(() => true)")
        assert not page.refused and not page.problems
        assert page.locator("[data-mml-node=merror]").count() == 0
        assert page.evaluate("performance.getEntriesByType('resource').length") == 0
        assert "$" not in page.locator("main").evaluate(
            "m => [...m.querySelectorAll('p, li, td')].map(e => e.textContent).join()"
        )


def test_the_site_shows_no_answer(bank, site):
    """The bank is in the repository; on the site a student does not come across it."""
    pages = "".join(page.read_text(encoding="utf8") for page in site.rglob("*.html"))
    for question in bank:
        first = re.split(r"[$`{*]", question.answer)[0].strip()
        assert len(first) < 30 or first not in pages, question.name


def test_make_questions_is_a_command():
    """It hands on the names that were picked; a wrong one is one clear line and no traceback."""
    if shutil.which("make") is None:
        pytest.skip("no make here")
    command = ["make", "--no-print-directory", "-n", "questions", "PICK=a-01 b-02"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert shown.stdout.rstrip().endswith("-m tools.handouts.questions a-01 b-02")
    command = [sys.executable, "-m", "tools.handouts.questions", "chain-rule-77"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert result.stderr.startswith("make questions: no question is called chain-rule-77")
