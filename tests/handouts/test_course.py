"""The course: objectives are taught, practiced and examined, minutes add up, links lead somewhere."""

import re

import nbformat
import pytest
import yaml

from tests import ROOT
from tools.handouts import questions

COURSE = ROOT / "course"
LABS = (
    *("chain-rule", "data-normalization", "activations", "initialization", "gradient-clipping"),
    *("batch-normalization", "regularization", "gradient-monitor", "clinic"),
)
SYLLABI = ("syllabus-six-weeks.md", "syllabus-two-days.md")
PAGES = sorted(
    [*COURSE.glob("*.md"), *ROOT.glob("*.md"), *(ROOT / f / "README.md" for f in ("labs", "tools"))]
)
PAGES.append(ROOT / "book" / "labs.md")


def slug(heading):
    """The anchor that GitHub and the site give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")


def anchors(file):
    """The anchors of a page or a notebook."""
    text = file.read_text(encoding="utf8")
    if file.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    return {slug(heading) for heading in re.findall(r"^#{1,3} (.+)$", text, re.M)}


def objectives(text=None):
    """Name: cells of its row in the map, without the name."""
    text = text or (COURSE / "objectives.md").read_text(encoding="utf8")
    rows = re.findall(r"^\| \*\*([A-Z]{2}\d)\*\* (.+) \|$", text, re.M)
    return {name: row.split(" | ") for name, row in rows}


def sessions(file):
    """(heading, minutes it says, minutes of its table, objectives) of every session of a page."""
    for part in re.split(r"^#{2,3} ", (COURSE / file).read_text(encoding="utf8"), flags=re.M)[1:]:
        heading, _, body = part.partition("\n")
        said = re.search(r"\((\d+) min\)$", heading)
        if said:
            minutes = [int(n) for n in re.findall(r"^\| (\d+) \|", body, re.M)]
            named = re.search(r"\*\*Objectives:\*\* ([A-Z0-9, ]+)\.", body)
            yield heading, int(said.group(1)), minutes, named.group(1).split(", ") if named else []


def test_the_map_is_whole():
    rows = objectives()
    assert len(rows) >= 30
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows.values())


@pytest.mark.parametrize("syllabus", SYLLABI)
def test_every_objective_is_reached_by_a_session(syllabus):
    named = [name for *_, objectives in sessions(syllabus) for name in objectives]
    assert set(named) == set(objectives()), set(named) ^ set(objectives())


@pytest.mark.parametrize("page", [*SYLLABI, "sessions.md"])
def test_minutes_add_up(page):
    found = list(sessions(page))
    assert len(found) >= 7
    wrong = {heading: sum(minutes) for heading, said, minutes, _ in found if sum(minutes) != said}
    assert not wrong, f"the tables add up to {wrong}"


@pytest.mark.parametrize("syllabus", SYLLABI)
def test_every_session_of_a_syllabus_names_objectives(syllabus):
    assert all(objectives for *_, objectives in sessions(syllabus))


def test_every_lab_has_a_week_and_its_minutes():
    """All nine in the long course, in class or at home; one in class has 75 minutes of the 75 to 90."""
    text = (COURSE / SYLLABI[0]).read_text()
    assert set(re.findall(r"labs\.md#([\w-]+)", text)) == set(LABS)
    for heading, _, minutes, _ in sessions(SYLLABI[0]):
        assert 75 in minutes if ", lab" in heading else True


def test_the_map_names_the_questions_of_the_bank():
    bank = {}
    for question in questions.read_bank():
        bank.setdefault(question.objective, []).append(question.name)
    assert {name: row[3].split(", ") for name, row in objectives().items()} == bank


def test_the_quiz_questions_and_exercises_of_the_map_exist():
    for name, row in objectives().items():
        named = re.findall(r"\[(quiz|exercise) (\d+)\]\(\.\./book/([\w-]+)\.ipynb", row[2])
        assert named, name
        for kind, number, chapter in named:
            text = (ROOT / "book" / f"{chapter}.ipynb").read_text(encoding="utf8")
            there = (
                text.count("```{exercise}") if kind == "exercise" else len(re.findall(r'"question\(', text))
            )
            assert 1 <= int(number) <= there, f"{name}: {chapter} has no {kind} {number}"


def test_every_chapter_has_objectives_a_session_and_a_lab():
    headings = anchors(COURSE / "objectives.md")
    notes = " ".join(anchors(COURSE / "sessions.md"))
    for chapter in questions.chapters():
        title = questions.read_file(questions.FOLDER / f"{chapter}.py")[0].subject
        assert slug(title) in headings and slug(title) in notes and chapter in LABS, chapter


def test_the_page_of_the_labs_lists_all_nine():
    text = (ROOT / "book" / "labs.md").read_text()
    place = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
    owner_name = place["url"].removeprefix("https://github.com/")
    for lab in LABS:
        assert (
            f"(https://mybinder.org/v2/gh/{owner_name}/{place['branch']}?urlpath=lab/tree/labs/{lab}.ipynb)"
            in text
        )
        assert (
            f"https://colab.research.google.com/github/{owner_name}/blob/{place['branch']}/labs/{lab}.ipynb"
            in text
        )
    assert set(LABS) <= anchors(ROOT / "book" / "labs.md")


@pytest.mark.skipif(not (ROOT / "labs" / "sources").exists(), reason="the labs are not here yet")
def test_every_lab_of_the_course_exists():
    assert {file.stem for file in (ROOT / "labs").glob("*.ipynb")} == set(LABS)


@pytest.mark.skipif(not (ROOT / "labs" / "sources").exists(), reason="the labs are not here yet")
@pytest.mark.parametrize("lab", LABS)
def test_the_page_of_the_labs_gives_the_time_that_the_lab_gives(lab):
    cells = nbformat.read(ROOT / "labs" / f"{lab}.ipynb", as_version=4).cells
    said = re.search(r"(\d+) minutes", cells[0].source).group(1)
    page = (ROOT / "book" / "labs.md").read_text(encoding="utf8")
    part = page[page.lower().index(f"\n## {lab.replace('-', ' ')}") :]
    assert re.search(r"(\d+) minutes", part).group(1) == said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page):
    broken = []
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


def test_rows_of_the_claims_are_quoted_as_they_stand():
    claims = re.sub(r"\*", "", (ROOT / "book" / "claims.md").read_text(encoding="utf8"))
    first_cells = [row.split(" | ")[0] for row in re.findall(r"^\| (.+)$", claims, re.M)]
    quoted = re.findall(
        r"\[([^]]+)\]\(\.\./book/claims\.md#", (COURSE / "sessions.md").read_text(encoding="utf8")
    )
    assert len(quoted) >= 25
    assert not [text for text in quoted if not any(text in cell for cell in first_cells)]


def test_the_site_shows_the_pages_of_the_course():
    """Each page of the course has one of the same name on the site, which begins by including it."""
    contents = (ROOT / "_toc.yml").read_text()
    for page in COURSE.glob("*.md"):
        name = "overview" if page.stem == "README" else page.stem
        text = (ROOT / "book" / "teaching" / f"{name}.md").read_text()
        assert text.startswith(f"```{{include}} ../../course/{page.name}\n:relative-docs: ../book/\n```\n")
        assert f"file: teaching/{name}\n" in contents, f"{name} is missing in _toc.yml"
    overview = (ROOT / "book" / "teaching" / "overview.md").read_text()
    for deck in (COURSE / "slides").glob("*.md"):
        assert f"../slides/{deck.stem}.html" in overview, f"the deck {deck.stem} is not linked"
