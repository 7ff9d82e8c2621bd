"""Pages that are one file: Markdown whose formulas are left to MathJax, and scripts that lie inside."""

from html import escape
from importlib.metadata import distribution
from pathlib import Path

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin


def markdown(double_inline=False, **options):
    """A renderer of Markdown with tables; what stands between dollars goes to MathJax as it is."""

    def formula(tex, told):
        left, right = (r"\[", r"\]") if told["display_mode"] else (r"\(", r"\)")
        return left + escape(tex) + right

    renderer = MarkdownIt("commonmark", options).enable("table")
    return renderer.use(dollarmath_plugin, renderer=formula, double_inline=double_inline)


def mathjax(component):
    """A combined component of MathJax, such as ``tex-svg``, as a script's text."""
    return script(package("sphinx-mathjax-offline", f"sphinx-mathjax-offline/static/mathjax/{component}.js"))


def package(name, path):
    """A file or folder of a pinned package that holds what a browser reads."""
    return Path(distribution(name).locate_file(path))


def script(path):
    """A script's text, safe inside a script element."""
    return path.read_text(encoding="utf8").replace("</script", r"<\/script")
