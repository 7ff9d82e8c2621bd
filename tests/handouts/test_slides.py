"""The slides' sources and their builder: what a deck must have, and what is refused in which words."""

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests import ROOT
from tools.handouts import slides
from tools.handouts.pieces import Chapter, DeckError, chapter
from tools.site import executed as runs
from tools.upkeep import dependencies

CHAPTERS = sorted(p.stem for p in (ROOT / "book").glob("*.ipynb"))
SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">
<defs><style type="text/css">*{stroke-linejoin: round}</style></defs>
<g id="patch_1"><path d="M 0 0 L 9 0" style="fill: #ffffff"/></g>
<path d="M 0 0 L 1 9" clip-path="url(#clip)" style="fill: none; stroke: #000000"/>
<path d="M 0 0 L 1 9" style="stroke: #d55e00"/>
<g id="text_1"><!-- It grows --><g><defs><path id="letter" d="M 0 0 L 1.23456 1"/></defs>
<use xlink:href="#letter"/></g></g>
<g id="text_2"><!-- step --><g><use xlink:href="#letter"/></g></g></svg>"""
SLIDE = "minutes: 2\n---\n# A chapter\n\nNote: 2 min. Say hello.\n"


def picture(cell_id, alt):
    """A code cell whose output is SVG."""
    output = new_output("display_data", {"image/svg+xml": SVG})
    metadata = {"mystnb": {"image": {"alt": alt}}} if alt else {}
    return new_code_cell("plot()", id=cell_id, outputs=[output], metadata=metadata)


def a_chapter():
    explorer = new_output("display_data", {"text/html": '<div class="blowup-explorer"></div>'})
    code = 'def twice(x):\n    """Two times x."""\n    return 2 * x\n\n\nthree = twice(1.5)\nprint(three)'
    cells = [
        new_markdown_cell("One $a$ and $$a = b,$$ then\n\n$$c < 1.5\\,.$$", id="two-equations"),
        new_code_cell(code, id="code", outputs=[new_output("stream", text="3.0\n")]),
        picture("figure", "A line that grows."),
        picture("mute-figure", None),
        new_code_cell("explore()", id="explorer", outputs=[explorer]),
    ]
    return Chapter(new_notebook(cells=cells))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{figure} gone", "no cell gone"),
        ("{figure} code", "cell code has no figure"),
        ("{figure} mute-figure", "figure of cell mute-figure has no alternative text"),
        ("{equation} code", "cell code has no display equations"),
        ("{equation} two-equations 3", "has 2 display equations, so none is number 3"),
        ("{equation} two-equations 0", "so none is number 0"),
        ("{equation} two-equations a =", "has no formulas that begin with a ="),
        ("{code} two-equations", "cell two-equations is not code"),
        ("{code} code twice thrice", "cell code does not define thrice"),
        ("{printed} figure", "cell figure prints nothing"),
        ("{explorer} figure", "cell figure has no explorer"),
        ("{movie} figure", "no kind of piece is called movie: choose from figure, equation, code"),
        ("It grew by 17.25.", "the number 17.25 stands nowhere in the chapter"),
    ],
)
def test_a_wrong_slide_is_named_in_one_line(line, words):
    text = SLIDE.replace("2 min", "1 min") + f"\n---\n## It grows\n\n{line}\n\nNote: 1 min. Ask.\n"
    with pytest.raises(DeckError) as error:
        slides.sections(text, a_chapter())
    assert str(error.value).startswith('slide "It grows": ')
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SLIDE.replace("2 min", "3 min"), "the slides take 3 minutes together, but the deck says 2"),
        (SLIDE.replace("minutes: 2", "length: 2"), "a deck begins with its length"),
        (SLIDE.replace("Note: 2 min.", "Notes:"), 'slide "A chapter" has no note'),
        (SLIDE.replace("# A chapter", "A chapter"), "a slide begins with its title"),
        (SLIDE.replace("hello", "$x$"), "write its note without $"),
    ],
)
def test_a_deck_of_the_wrong_form_is_refused(text, words):
    with pytest.raises(DeckError) as error:
        slides.parse(text)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_pieces_come_from_the_cells():
    chapter = a_chapter()
    assert "\\[c &lt; 1.5\\]" in chapter.piece("equation", "two-equations", "2")  # without the full stop
    assert "\\[a\\]" in chapter.piece("equation", "two-equations", "a")
    assert ">3.0<" in chapter.piece("printed", "code")
    whole, part = chapter.piece("code", "code"), chapter.piece("code", "code", "three")
    assert "twice" in whole and "Two times x" not in whole and "print" in whole
    assert "three" in part and "print" not in part and "def" not in part
    assert "blowup-explorer" in chapter.piece("explorer", "explorer")


def test_a_title_is_said_once_and_the_letters_it_shares_stay():
    chapter = a_chapter()
    svg = chapter.piece("figure", "figure", "It grows")
    assert svg.startswith('<figure class="untitled">') and svg.count("<use") == 1
    svg = chapter.piece("figure", "figure", "It shrinks")
    assert svg.startswith("<figure>") and svg.count("<use") == 2


def test_a_figure_is_at_home_in_the_page():
    """Ink and paper are the page's, names are its own, and it brings no style for everything else."""
    svg = a_chapter().piece("figure", "figure")
    assert 'role="img" aria-label="A line that grows."' in svg
    assert "fill: var(--paper)" in svg and "stroke: currentColor" in svg and "#d55e00" in svg
    assert 'id="figure-letter"' in svg and svg.count('href="#figure-letter"') == 2
    assert "url(#figure-clip)" in svg and "<style" not in svg and "<!--" not in svg
    assert "L 1.23 1" in svg


def test_a_missing_run_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    with pytest.raises(DeckError, match="x has not been executed yet: run `make book`"):
        chapter("x")


def test_every_chapter_has_a_deck_and_no_deck_is_without_a_chapter():
    assert sorted(p.stem for p in slides.SOURCES.glob("*.md")) == CHAPTERS


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_deck_teaches(name):
    minutes, deck = slides.parse((slides.SOURCES / f"{name}.md").read_text(encoding="utf-8"))
    kinds = [kind for slide in deck for kind, *_ in slide.taken]
    assert 45 <= minutes <= 60 and 15 <= len(deck) <= 22
    assert kinds.count("explorer") == 1 and kinds.count("figure") >= 4 and kinds.count("equation") >= 3
    asked = [k for k, slide in enumerate(deck[:-1]) if slide.title.endswith("?")]
    answered = [k for k in asked if {"figure", "printed"} & {kind for kind, *_ in deck[k + 1].taken}]
    assert len(answered) >= 2, "predict, then run: a question, and the run on the next slide"
    assert len({slide.title for slide in deck}) == len(deck)
    assert all(len(slide.note.split()) >= 10 for slide in deck), "a note says what to ask or to watch for"


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_deck_asks_for_cells_that_the_chapter_has(name):
    """Without a run: what outputs would show is left to the build, which stops at a piece that is missing."""
    chapter = Chapter(nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4))
    for slide in slides.parse((slides.SOURCES / f"{name}.md").read_text(encoding="utf-8"))[1]:
        for kind, *where in slide.taken:
            if kind in ("equation", "code"):
                assert chapter.piece(kind, *where)
            elif kind != "side":
                cell = chapter.cells[where[0]]
                assert kind != "figure" or cell.metadata["mystnb"]["image"]["alt"]


def test_the_first_title_is_the_chapters():
    for name in CHAPTERS:
        chapter = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4)
        _, deck = slides.parse((slides.SOURCES / f"{name}.md").read_text(encoding="utf-8"))
        assert f"# {deck[0].title}\n" in chapter.cells[0].source


def test_what_makes_the_slides_is_pinned():
    assert {"sphinx-revealjs", "sphinx-mathjax-offline", "markdown-it-py"} <= set(dependencies.pins())
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = {chapter["file"] for part in toc["parts"] for chapter in part["chapters"]}
    assert set(CHAPTERS) <= files
