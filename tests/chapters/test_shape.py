"""The shape of a chapter: what every notebook under book/ has, and what it must not have.

Each rule is a function from a notebook to a list of complaints. Every rule is also shown a chapter that
breaks it, so that no rule passes by saying nothing.
"""

import ast
import copy
import re
import statistics

import nbformat
import pytest

from blowup.evidence import EXACT, LAWS
from tests import ROOT
from tools.upkeep.address import setup_cell

NOTEBOOKS = sorted((ROOT / "book").rglob("*.ipynb"))
BRITISH = (
    r"\b(\w*(normalis|initialis|regularis|generalis|standardis|optimis|memoris|analys(e[ds]?|ing)\b)\w*"
    r"|colour\w*|grey\w*|behaviour\w*|neighbour\w*|centre[ds]?|labelled|labelling|modelled|modelling)"
)
HIDDEN = {"remove-cell", "remove-input"}


def tags(cell):
    return set(cell.metadata.get("tags", []))


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def lines(cell):
    return len(cell.source.splitlines())


def calls(cell, name):
    """How many calls of a function stand in a code cell."""
    tree = ast.walk(ast.parse(cell.source))
    return sum(
        isinstance(n, ast.Call) and getattr(n.func, "id", getattr(n.func, "attr", None)) == name for n in tree
    )


def is_committed_without_outputs(notebook):
    return [
        f"{cell.id} has outputs or a count" for cell in code(notebook) if cell.outputs or cell.execution_count
    ]


def has_stable_cell_ids(notebook):
    ids = [cell.get("id") for cell in notebook.cells]
    return [f"id {i!r} is missing or used twice" for i in set(ids) if not i or ids.count(i) > 1]


def uses_the_python3_kernel(notebook):
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    return [] if kernel == "python3" else [f"kernelspec is {kernel!r}, not python3"]


def starts_with_one_title(notebook):
    titles = re.findall(r"^# .+", prose(notebook), re.MULTILINE)
    good = notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith("# ")
    return [] if good and len(titles) == 1 else [f"expected one title, in the first cell; found {titles}"]


def starts_with_the_setup_cell(notebook):
    first = code(notebook)[0]
    good = first.get("id") == "setup" and first.source == setup_cell()
    return (
        []
        if good
        else ["the first code cell is not the setup cell: give it the id setup, run `make address`"]
    )


def has_short_cells(notebook):
    visible = [lines(cell) for cell in code(notebook) if not tags(cell) & (HIDDEN | {"setup"})]
    complaints = [f"{cell.id} has {lines(cell)} lines" for cell in code(notebook) if lines(cell) > 20]
    median = statistics.median(visible)
    return (
        complaints
        if 3 <= median <= 8
        else [*complaints, f"the median code cell has {median} lines, not 3 to 8"]
    )


def has_no_wall_of_code(notebook):
    """Never two long code cells in a row; hidden tests may follow directly."""
    shown = [cell for cell in notebook.cells if "remove-cell" not in tags(cell)]
    long = [cell.cell_type == "code" and lines(cell) > 12 for cell in shown]
    walls = [i for i in range(1, len(shown)) if long[i - 1] and long[i]]
    return [f"{shown[i - 1].id} and {shown[i].id} are a wall of code" for i in walls]


def says_what_you_will_learn(notebook):
    opening = prose(notebook)[:3000].lower()
    wanted = ("what you will learn", "you need", "minutes")
    return [f"the opening does not say {words!r}" for words in wanted if words not in opening]


def has_exercises_with_folded_solutions(notebook):
    text = prose(notebook)
    asked = set(re.findall(r"\{exercise\}[^\n]*\n:label: (\S+)", text))
    solved = set(re.findall(r"\{solution\} (\S+)\n:class: dropdown", text))
    if not asked:
        return ["no exercise"]
    return [f"exercise {label} has no folded solution" for label in asked - solved]


def has_a_quiz(notebook):
    count = sum(calls(cell, "question") for cell in code(notebook))
    return [] if 4 <= count <= 6 else [f"{count} quiz questions, not 4 to 6"]


def has_an_explorer(notebook):
    count = sum(calls(cell, "explore") for cell in code(notebook))
    return [] if count >= 1 else ["no explorer"]


def reproduces_a_published_curve_in_sight(notebook):
    visible = [cell for cell in code(notebook) if not tags(cell) & HIDDEN]
    return [] if any(calls(cell, "reproduce") for cell in visible) else ["no visible call of reproduce"]


def hidden_checks(notebook):
    return [cell for cell in code(notebook) if "test" in tags(cell)]


def holds_its_sentences_to_the_run(notebook):
    """With blowup.evidence alone: exactly, to the published run, or as a law whose false alarm is known."""
    checks = hidden_checks(notebook)
    held = [cell for cell in checks if any(calls(cell, helper) for helper in (*EXACT, *LAWS))]
    bare = [cell.id for cell in checks for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Assert)]
    few = [] if len(held) >= 3 else [f"{len(held)} hidden checks, fewer than three"]
    return few + [f"a bare assert in {i}: say it with blowup.evidence" for i in bare]


def holds_laws_over_seeds(notebook):
    laws = sum(calls(cell, helper) for cell in hidden_checks(notebook) for helper in LAWS)
    return [] if laws >= 3 else [f"{laws} laws over seeds, fewer than three"]


def hides_its_checks(notebook):
    return [f"{cell.id} is a test and on the page" for cell in hidden_checks(notebook)
            if "remove-cell" not in tags(cell)]  # fmt: skip


def closes_with_what_was_done(notebook):
    found = re.search(r"^## In this chapter", prose(notebook), re.MULTILINE)
    return [] if found else ["no section 'In this chapter we have'"]


def describes_its_figures(notebook):
    figures = [cell for cell in code(notebook) if calls(cell, "show") and "remove-cell" not in tags(cell)]
    image = {cell.id: cell.metadata.get("mystnb", {}).get("image", {}) for cell in figures}
    return [
        f"the figure of {i} has no alt text of a sentence"
        for i, m in image.items()
        if len(m.get("alt", "")) < 40
    ]


def names_no_machine(notebook):
    found = re.findall(r"(?:/home/|/Users/|/root/|/tmp/|/work/|C:\\\\)[\w./-]*", nbformat.writes(notebook))
    return [f"names a path of a machine: {path}" for path in found]


def spells_american(notebook):
    found = re.finditer(BRITISH, "\n".join(cell.source for cell in notebook.cells), re.IGNORECASE)
    return [f"British spelling: {match.group()}" for match in found]


def replaced(old, new):
    """A mutation: replace a pattern in every cell."""

    def mutate(notebook):
        for cell in notebook.cells:
            cell.source = re.sub(old, new, cell.source)
        return notebook

    return mutate


def set_first_code(**fields):
    def mutate(notebook):
        code(notebook)[0].update(fields)
        return notebook

    return mutate


def without_metadata(notebook):
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


def with_tests_in_sight(notebook):
    for cell in code(notebook):
        cell.metadata["tags"] = sorted(tags(cell) - {"remove-cell"})
    return notebook


def with_wall(notebook):
    wall = nbformat.v4.new_code_cell("\n".join(["x = 1"] * 13))
    notebook.cells += [wall, copy.deepcopy(wall)]
    return notebook


def with_long_cell(notebook):
    notebook.cells.append(nbformat.v4.new_code_cell("\n".join(["x = 1"] * 21)))
    return notebook


def with_other_kernel(notebook):
    notebook.metadata["kernelspec"]["name"] = "somebody"
    return notebook


RULES = {
    is_committed_without_outputs: set_first_code(execution_count=3),
    has_stable_cell_ids: set_first_code(id=""),
    uses_the_python3_kernel: with_other_kernel,
    starts_with_one_title: replaced(r"(?m)^## ", "# "),
    starts_with_the_setup_cell: set_first_code(source="import blowup"),
    has_short_cells: with_long_cell,
    has_no_wall_of_code: with_wall,
    says_what_you_will_learn: replaced("minutes", "a while"),
    has_exercises_with_folded_solutions: replaced(":class: dropdown", ""),
    has_a_quiz: replaced(r"question\(", "ask("),
    has_an_explorer: replaced(r"explore\(", "show("),
    reproduces_a_published_curve_in_sight: replaced(r"reproduce\(", "print("),
    holds_its_sentences_to_the_run: replaced(r"^(?=[^\n])", "assert True\n"),
    holds_laws_over_seeds: replaced("|".join(LAWS), "print"),
    hides_its_checks: with_tests_in_sight,
    closes_with_what_was_done: replaced("## In this chapter", "## Summary"),
    describes_its_figures: without_metadata,
    names_no_machine: set_first_code(source="open('/home/somebody/data.csv')"),
    spells_american: set_first_code(source="# the colour of a normalised input"),
}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_chapter(notebook, rule):
    assert not rule(notebook)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_can_fail(rule):
    chapter = nbformat.read(ROOT / "book" / "chain-rule.ipynb", as_version=4)
    broken = rule(RULES[rule](copy.deepcopy(chapter)))
    assert broken and broken != rule(chapter)


def test_there_are_chapters():
    assert len(NOTEBOOKS) >= 2
