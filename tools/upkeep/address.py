"""Write the repository's address and the package's version wherever they are repeated: `make address`.

_config.yml is the only place where the address stands, blowup/__init__.py the only one for the version.
Derived from them: the setup cell of every chapter, the links in README.md, in the license, in the book's
pages, the course and the labs' sources, and the addresses in pyproject.toml. The labs' notebooks are made by
`tools.labs.derive`, which `make address` runs next. With --check nothing is written, and a stale file is an
error.
"""

import re
import sys

import nbformat
import yaml

from tools import ROOT

SETUP_CELL = "setup"  # the id of the cell that setup_cell.txt is written into


class Address:
    """The repository's address, taken apart: https://github.com/OWNER/NAME."""

    def __init__(self, url):
        match = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+)", str(url).rstrip("/"))
        if match is None:
            raise ValueError(f"repository.url must be https://github.com/OWNER/NAME, not {url!r}")
        self.url, (self.owner, self.name) = match.group(), match.groups()

    def forms(self, branch):
        """Every way in which a page names the repository, as (pattern with any branch, text)."""
        owner, name = re.escape(self.owner), re.escape(self.name)
        any_branch = r"[^/?)\s\"]+"
        return [
            (f"mybinder.org/v2/gh/{owner}/{name}/{any_branch}", f"mybinder.org/v2/gh/{{slug}}/{branch}"),
            (f"/github/{owner}/{name}/blob/{any_branch}", f"/github/{{slug}}/blob/{branch}"),
            (f"github.com/{owner}/{name}/blob/{any_branch}", f"github.com/{{slug}}/blob/{branch}"),
            (f"github.com/{owner}/{name}/tree/{any_branch}", f"github.com/{{slug}}/tree/{branch}"),
            (rf"{owner}\.github\.io/{name}", "{owner}.github.io/{name}"),
            (rf"github\.com/{owner}/{name}(?![\w-])", "github.com/{slug}"),
        ]


def place(root):
    """The repository's :class:`Address` and branch, as _config.yml gives them."""
    told = yaml.safe_load((root / "_config.yml").read_text())["repository"]
    return Address(told["url"]), told["branch"]


def setup_cell(root=ROOT):
    """The text of the setup cell, which every notebook carries."""
    address, branch = place(root)
    text = (root / "tools" / "upkeep" / "setup_cell.txt").read_text().strip()
    for word, value in {"url": address.url, "version": version_of(root), "branch": branch}.items():
        text = text.replace("{" + word + "}", value)
    return text


def rewritten(text, old, new, branch):
    """A page's text with every form of the old address replaced by the new one."""
    words = {"slug": f"{new.owner}/{new.name}", "owner": new.owner, "name": new.name}
    for pattern, replacement in old.forms(branch):
        text = re.sub(pattern, replacement.format(**words), text)
    return text


def version_of(root):
    """The package's version, a string."""
    return re.search(r'__version__ = "(.+?)"', (root / "blowup" / "__init__.py").read_text()).group(1)


def derived(root):
    """Yield (file, text as it is, text as it should be) for every file that repeats the address."""
    new, branch = place(root)
    pyproject = (root / "pyproject.toml").read_text()
    old = Address(re.search(r'^Repository = "(.+?)"', pyproject, re.MULTILINE).group(1))
    pages = [file for folder in ("book", "course", "labs") for file in sorted((root / folder).rglob("*.md"))]
    pages += sorted((root / "labs" / "sources").glob("*.py"))
    for file in [*sorted(root.glob("*.md")), *pages, root / "pyproject.toml"]:
        text = file.read_text(encoding="utf8")
        yield file, text, rewritten(text, old, new, branch)
    for file in sorted((root / "book").glob("*.ipynb")):
        text = file.read_text(encoding="utf8")
        notebook = nbformat.reads(text, as_version=4)
        for cell in notebook.cells:
            if cell.get("id") == SETUP_CELL:
                cell.source = setup_cell(root)
            else:
                cell.source = rewritten(cell.source, old, new, branch)
        yield file, text, nbformat.writes(notebook) + "\n"


def main(arguments, root=ROOT):
    stale = [(file, good) for file, text, good in derived(root) if text != good]
    names = ", ".join(str(file.relative_to(root)) for file, _ in stale)
    if "--check" in arguments:
        sys.exit(f"stale: {names}; run `make address`" if stale else 0)
    for file, good in stale:
        file.write_text(good, encoding="utf8")
    print(f"rewritten: {names}" if stale else "nothing to rewrite: every address is up to date")


if __name__ == "__main__":
    main(sys.argv[1:])
