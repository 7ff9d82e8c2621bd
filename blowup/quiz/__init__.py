"""A small self-check quiz: one question a notebook cell, alive without a kernel, a network or a library.

The same HTML serves the static page and a live notebook. It is one custom element: the radio buttons, the
feedback and every explanation are in the markup, ``quiz.js`` only moves them. Without JavaScript the
explanations stand in a ``<details>`` below the choices. There are no ids, so nothing can clash on a page.
"""

import hashlib
import html
import re
from pathlib import Path

from blowup.arguments import wrong as mistake

__all__ = ["Question", "question"]

_HERE = Path(__file__).parent
_CSS = (_HERE / "quiz.css").read_text(encoding="utf-8").strip()
_JS = (_HERE / "quiz.js").read_text(encoding="utf-8").strip()
_PAIR = "a pair of texts (answer, why)"

# Code first: what stands between backticks is left alone by the other two. An opening mark stands before
# a visible character and a closing one after it, so that "$5 and $6" or "2 * 3" stay what they are.
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|(?<![\w$])\$(?P<math>[^\s$](?:[^$]*[^\s$])?)\$(?![\w$])"
    r"|(?<![\w*])\*(?P<em>[^\s*](?:[^*]*[^\s*])?)\*(?![\w*])"
)
_TAGS = {
    "code": "<code>{}</code>",
    # What Sphinx writes for inline math: MathJax finds it on the page, and JupyterLab knows \( \) too.
    "math": r'<span class="math notranslate nohighlight">\({}\)</span>',
    "em": "<em>{}</em>",
}

_PAGE = """\
<blowup-quiz class="tex2jax_process mathjax_process" data-lm-suppress-shortcuts="true">
<style>
{css}
</style>
<form method="dialog" autocomplete="off"><fieldset>
<legend>{question}</legend>
{choices}
<button type="button">Check</button>
<div role="status" aria-live="polite"></div>
<details><summary>The answers, explained</summary><dl>
{reasons}
</dl></details>
</fieldset></form>
<script>
{js}
</script>
</blowup-quiz>"""
_CHOICE = '<label><input type="radio" name="{name}" value="{value}"><span>{text}</span></label>'
_REASON = "<div{mark}><dt>{text} — <b>{verdict}</b></dt><dd>{why}</dd></div>"


def question(text, *, right, wrong):
    r"""Ask one question with exactly one right answer; the last line of a cell shows it.

    Every text may hold ``code`` between backticks, *emphasis* between stars and ``$math$``; all else is
    shown as written, HTML too. Line breaks and runs of spaces count as one space. The order of the answers
    follows from a hash of the texts: the same on every build, and no hint to the right one.

    Args:
        text: the question.
        right: ``(answer, why)``: the right answer and why it is right.
        wrong: a list of one or more ``(answer, why)``: each wrong answer and why it is wrong.

    Returns:
        A ``Question``: HTML in a notebook, one stable line of text elsewhere.

    Raises:
        ValueError: for a text that is empty or no string, an answer without its why, no wrong answers, or
            the same answer twice.

    Source: the quiz at the end of each chapter.
    """
    text = _text(text, "text")
    if not isinstance(wrong, list | tuple) or not wrong:
        raise mistake("wrong", "a list of one or more pairs of texts (answer, why)", wrong)
    answers = [(*_pair(right, "right"), True)]
    answers += [(*_pair(pair, f"wrong[{i}]"), False) for i, pair in enumerate(wrong)]
    names = [answer for answer, _, _ in answers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"right, wrong: expected every answer once, got {twice[0]!r} twice")
    return Question(text, sorted(answers, key=lambda answer: _hash(text, answer[0])))


class Question:
    """A question and its answers in the order shown; made by ``question``, which checks the texts."""

    def __init__(self, text, answers):
        self.text = text
        self.answers = tuple(answers)  # (answer, why, is it right?)

    def __repr__(self):
        letters = (f"{chr(97 + i)}) {answer}" for i, (answer, _, _) in enumerate(self.answers))
        return f"Question: {self.text} {' '.join(letters)}"

    def _repr_html_(self):
        name = f"quiz-{_hash(self.text, *(answer for answer, _, _ in self.answers))[:12]}"
        choices = [
            _CHOICE.format(name=name, value=i, text=_inline(answer))
            for i, (answer, _, _) in enumerate(self.answers)
        ]
        reasons = [
            _REASON.format(
                mark=" data-right" if is_right else "",
                text=_inline(answer),
                verdict="✓ right" if is_right else "✗ wrong",
                why=_inline(why),
            )
            for answer, why, is_right in self.answers
        ]
        parts = {"choices": "\n".join(choices), "reasons": "\n".join(reasons)}
        return _PAGE.format(css=_CSS, js=_JS, question=_inline(self.text), **parts)


def _text(value, name):
    """``value`` as one line, or a ValueError that names the argument."""
    if not isinstance(value, str):
        raise mistake(name, "a text", value)
    line = " ".join(value.split())
    if not line:
        raise mistake(name, "at least one word", value)
    return line


def _pair(value, name):
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise mistake(name, _PAIR, value)
    return _text(value[0], f"{name}, the answer"), _text(value[1], f"{name}, the why")


def _hash(*texts):
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _inline(text):
    """One line of text as safe HTML: all is escaped but the three marks of ``_INLINE``."""
    parts, end = [], 0
    for match in _INLINE.finditer(text):
        parts.append(html.escape(text[end : match.start()]))
        parts.append(_TAGS[match.lastgroup].format(html.escape(match[match.lastgroup])))
        end = match.end()
    return "".join(parts) + html.escape(text[end:])
