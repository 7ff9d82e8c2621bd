"""Build the question bank, or a paper of some: `make questions PICK="chain-rule-02 across-01"`.

A question is three cells in course/questions/NAME.py (jupytext's percent format): its text, code that
computes the answer, and the worked answer. `{name:spec}` in either text becomes a variable of that code,
formatted as Python would. Pages for the class and for the teacher are written to _build/questions; each is
one file that asks no other host for anything.
"""

import html
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import jupytext
import torch

from tools import ROOT
from tools.handouts.one_file import markdown, mathjax

FOLDER, TARGET = ROOT / "course" / "questions", ROOT / "_build" / "questions"
LEVELS = ("easy", "medium", "hard")
KINDS = ("compute", "derive", "predict", "find the error", "read", "choose")
# A format is required, so that the braces of LaTeX, as in \mathrm{sd}, are no placeholder.
PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*):([^{}\s]+)\}")


class BankError(Exception):
    """What is wrong with the bank or the request, in one line."""


@dataclass
class Question:
    """One question: its texts with placeholders, its code, and what its first cell says of it."""

    name: str
    points: int
    minutes: int
    level: str
    kind: str
    objective: str
    text: str
    code: str
    answer: str
    imports: str  # the code that all questions of the file start from
    subject: str  # the file's title

    def values(self):
        """The variables of the question after its code has run, from a fixed seed."""
        namespace = {}
        torch.manual_seed(0)
        for code in (self.imports, self.code):
            try:
                exec(compile(code, self.name, "exec"), namespace)
            except Exception as error:
                raise BankError(f"{self.name}: its code raises {type(error).__name__}: {error}") from error
        return namespace


def read_file(path):
    """The questions of one file; BankError if it is not a title, a setup cell and cells in threes."""
    cells = jupytext.read(path).cells
    title, setup, *rest = cells
    if len(rest) % 3 or setup.cell_type != "code":
        raise BankError(f"{path.name}: after a title and a setup cell each question needs three cells")
    subject = title.source.splitlines()[0].removeprefix("# ")
    return [_question(path, *three, setup.source, subject) for three in zip(*[iter(rest)] * 3, strict=True)]


def _question(path, text, code, answer, imports, subject):
    said, name = text.metadata, text.metadata.get("question", "?")
    needed = {"question": str, "points": int, "minutes": int, "level": str, "kind": str, "objective": str}
    for key, kind in needed.items():
        if not isinstance(said.get(key), kind):
            raise BankError(f"{path.name}, {name}: {key} is missing or no {kind.__name__}")
    if not name.startswith(path.stem + "-"):
        raise BankError(f"{path.name}: the name {name} must start with {path.stem}-")
    for key, allowed in (("level", LEVELS), ("kind", KINDS)):
        if said[key] not in allowed:
            raise BankError(f"{name}: {key} must be one of {', '.join(allowed)}; got {said[key]}")
    if [c.cell_type for c in (text, code, answer)] != ["markdown", "code", "markdown"]:
        raise BankError(f"{name}: its cells must be text, code and answer, in this order")
    if answer.metadata.get("answer") != name:
        raise BankError(f"{name}: the third cell must say answer={name!r}")
    facts = [said[key] for key in needed]
    return Question(*facts, text.source, code.source, answer.source, imports, subject)


def chapters():
    """The names of the chapters, in the order of the book."""
    names = re.findall(r"file: ([\w-]+)", (ROOT / "_toc.yml").read_text())
    return [name for name in names if (ROOT / "book" / f"{name}.ipynb").exists()]


def read_bank(folder=None):
    """All questions, in the order of the chapters; BankError if two share a name."""
    order = [*chapters(), "across"]
    files = sorted(
        (folder or FOLDER).glob("*.py"), key=lambda f: order.index(f.stem) if f.stem in order else -1
    )
    bank = [question for file in files for question in read_file(file)]
    names = [question.name for question in bank]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BankError(f"more than one question is called {', '.join(twice)}")
    return bank


def fill(text, values, name="?"):
    """``text`` with every placeholder replaced; BankError for one without a variable."""

    def replaced(match):
        variable, spec = match.groups()
        if variable not in values:
            raise BankError(f"{name}: {match.group()} is no variable of its code")
        value = values[variable]
        value = value.item() if isinstance(value, torch.Tensor) else value
        value = 0 if value == 0 else value  # no minus zero
        in_math = text[: match.start()].replace(r"\$", "").replace("$$", "$").count("$") % 2 == 1
        return as_written(format(value, spec), in_math)

    return PLACEHOLDER.sub(replaced, text)


def as_written(number, in_math):
    """Python's spelling of a number as one would write it: 3.1e-05 becomes 3.1 · 10⁻⁵."""
    match = re.fullmatch(r"(-?[\d.]+)e([+-]\d+)", number)
    if match:
        mantissa = "" if match.group(1) == "1" else match.group(1) + r"\cdot"
        tex = rf"{mantissa}10^{{{int(match.group(2))}}}"
        return tex if in_math else f"${tex}$"
    return number.replace(",", "{,}") if in_math else number.replace("-", "−")


def block(number, question, values, with_answer):
    """One question as HTML, with its worked answer and its code for the teacher."""
    render = markdown(double_inline=True).render
    facts = f"{_count(question.points, 'point')}, {_count(question.minutes, 'minute')}"
    parts = [
        f'<section class="question" id="{question.name}"><h3>{number}. '
        f'<span class="facts">{facts}<span class="name">{question.name}</span></span></h3>',
        render(fill(question.text, values, question.name)),
    ]
    if with_answer:
        about = f"{question.level}, {question.kind}, objective {question.objective}"
        parts.append(f'<div class="answer"><p class="about">Answer <span>({about})</span></p>')
        parts.append(render(fill(question.answer, values, question.name)))
        parts.append(f"<pre><code>{html.escape(question.code)}</code></pre></div>")
    return "".join([*parts, "</section>"])


def _count(number, thing):
    return f"{number} {thing}{'s' if number != 1 else ''}"


def page(title, questions, values, with_answers, paper=False):
    """A whole page; questions are grouped by subject unless it is a paper."""
    points, minutes = sum(q.points for q in questions), sum(q.minutes for q in questions)
    facts = f"{_count(len(questions), 'question')}, {_count(points, 'point')}, {_count(minutes, 'minute')}"
    body, subject = [f'<h1>{html.escape(title)}</h1><p class="total">{facts}</p>'], None
    if paper and not with_answers:
        body.append('<p class="who">Name <span></span> Date <span></span></p>')
    for number, question in enumerate(questions, 1):
        if question.subject != subject and not paper:
            subject = question.subject
            body.append(f"<h2>{html.escape(subject)}</h2>")
        body.append(block(number, question, values[question.name], with_answers))
    style = Path(__file__).with_name("questions.css").read_text()
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{style}</style>"
        # Its menu and its speech would ask for files that are not in this one.
        "<script>MathJax = {options: {enableMenu: false}};</script>"
        f"<script>{mathjax('tex-svg')}</script></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def choose(bank, names):
    """The questions of these names, in this order; BankError for one that is not there."""
    by_name = {question.name: question for question in bank}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        last = {q.name.rsplit("-", 1)[0]: q.name for q in bank}
        known = ", ".join(f"{subject}-01 to {name}" for subject, name in last.items())
        raise BankError(f"no question is called {', '.join(unknown)}; there are {known}")
    if len(set(names)) < len(names):
        raise BankError("a question can be picked once only")
    return [by_name[name] for name in names]


def main(names, target=TARGET):
    """Write the bank, or a paper of the questions named and its key; returns the two files."""
    bank = read_bank()
    questions = choose(bank, names) if names else bank
    values = {question.name: question.values() for question in questions}
    titles = ("Paper", "Paper: key") if names else ("Questions", "Questions and answers")
    files = ("paper.html", "paper-key.html") if names else ("questions.html", "answers.html")
    target.mkdir(parents=True, exist_ok=True)
    for title, file, with_answers in zip(titles, files, (False, True), strict=True):
        text = page(title, questions, values, with_answers, paper=bool(names))
        (target / file).write_text(text, encoding="utf8")
        print(f"{title}: {(target / file).absolute()}")
    return [target / file for file in files]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BankError as error:
        sys.exit(f"make questions: {error}")
