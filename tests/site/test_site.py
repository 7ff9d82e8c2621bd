"""The built site as files: links, anchors, pictures, what each page says of itself, what it weighs."""

import gzip
import re
from collections import Counter
from functools import cache
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

from tests import ROOT

# What a first visit may load, compressed: MathJax and the theme are about 0.7 MB of it.
PAGE_BUDGET = 1_200_000
ASSETS = "script[src], link[rel=stylesheet][href], img[src], source[src]"


@pytest.fixture(scope="session")
def pages(site):
    """Every page by its path in the site, parsed."""
    found = {
        p.relative_to(site).as_posix(): p for p in sorted(site.rglob("*.html")) if "_static" not in p.parts
    }
    return {name: BeautifulSoup(p.read_text(encoding="utf8"), "html.parser") for name, p in found.items()}


def test_every_chapter_of_the_contents_is_a_page(pages):
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    chapters = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    assert {f"{name}.html" for name in [contents["root"], *chapters]} <= set(pages)


def test_no_link_anchor_or_picture_is_broken(site, pages):
    broken = []
    anchors = {name: {element["id"] for element in page.select("[id]")} for name, page in pages.items()}
    for name, page in pages.items():
        for element in page.select("[href], [src]"):
            address = urlsplit(element.get("href") or element.get("src"))
            if address.scheme or address.netloc:
                continue
            target = (site / name).parent / unquote(address.path) if address.path else site / name
            if not target.is_file():
                broken.append(f"{name}: {element}"[:200])
            elif address.fragment and target.suffix == ".html":
                there = anchors[target.resolve().relative_to(site).as_posix()]
                anchor = unquote(address.fragment)
                if anchor not in ("", "#") and anchor not in there:
                    broken.append(f"{name}: no #{anchor} in {target.name}")
    assert not broken, "\n".join(broken)


def test_nothing_is_loaded_from_another_host(site, pages):
    """Links may lead away; scripts, styles, pictures, frames and preloads may not."""
    loads = "script[src], img[src], iframe[src], source[src], video[src], link[href]:not([rel=canonical])"
    away = [
        f"{name}: {element}"[:200]
        for name, page in pages.items()
        for element in page.select(loads)
        if urlsplit(element.get("src") or element.get("href")).netloc
    ]
    for sheet in site.rglob("*.css"):
        away += [
            f"{sheet.name}: {url}" for url in re.findall(r"url\(['\"]?(https?://[^)]+)", sheet.read_text())
        ]
    assert not away, "\n".join(away)


def test_every_page_says_what_it_is(pages):
    descriptions = {}
    for name, page in pages.items():
        assert page.html.get("lang") == "en", name
        assert page.title and page.title.get_text(strip=True), f"{name} has no title"
        headings = page.select("article h1, .bd-search-container h1, .deck h1")
        assert len(headings) == 1, f"{name} has no heading"
        if name in ("genindex.html", "search.html"):
            continue
        description = page.find("meta", attrs={"name": "description"})
        assert description and len(description["content"]) > 30, f"{name} has no description"
        descriptions.setdefault(description["content"], []).append(name)
    twice = [names for names in descriptions.values() if len(names) > 1]
    assert not twice, f"pages with the same description: {twice}"


def test_every_picture_has_a_text(pages):
    silent = [
        f"{n}: {img}"[:160] for n, page in pages.items() for img in page.select("img") if not img.get("alt")
    ]
    assert not silent, "\n".join(silent)


def test_ids_are_unique_on_a_page(pages):
    for name, page in pages.items():
        ids = Counter(element["id"] for element in page.select("[id]"))
        twice = sorted(i for i, times in ids.items() if times > 1)
        assert not twice, f"{name}: {twice[:5]}"


def test_launch_buttons_open_this_notebook(pages):
    """Binder and Colab open the repository and branch that _config.yml names, at this very notebook."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    repository = config["repository"]
    place = repository["url"].removeprefix("https://github.com/")
    for notebook in sorted((ROOT / "book").glob("*.ipynb")):
        links = {a["href"] for a in pages[f"{notebook.stem}.html"].select(".article-header-buttons a[href]")}
        path = notebook.relative_to(ROOT).as_posix()
        assert f"https://mybinder.org/v2/gh/{place}/{repository['branch']}?urlpath=lab/tree/{path}" in links
        assert f"https://colab.research.google.com/github/{place}/blob/{repository['branch']}/{path}" in links


def test_the_notebook_to_download_is_the_one_that_is_written(site):
    """Without the outputs that its page shows."""
    for notebook in (ROOT / "book").glob("*.ipynb"):
        assert (site / "_sources" / notebook.name).read_bytes() == notebook.read_bytes(), notebook.name


def test_no_page_is_heavy(site, pages):
    """Page, scripts, styles and pictures, each compressed as a web server would."""

    @cache  # most of what a page loads, all pages load
    def size(file):
        return len(gzip.compress(file.read_bytes(), 6))

    for name, page in pages.items():
        files = {site / name}
        for element in page.select(ASSETS):
            address = urlsplit(element.get("src") or element.get("href"))
            if address.path and not address.scheme:
                files.add(((site / name).parent / unquote(address.path)).resolve())
        weight = {f.name: size(f) for f in files}
        heavy = sorted(weight.items(), key=lambda item: -item[1])[:5]
        assert sum(weight.values()) <= PAGE_BUDGET, f"{name} weighs {sum(weight.values()):,} bytes: {heavy}"


def test_the_site_ships_nothing_it_does_not_use(site):
    assert not list(site.rglob("*.map")) and not list(site.rglob("fontawesome.js"))
    assert not [p for p in site.rglob("*") if "thebe" in p.name]


def test_no_page_names_the_machine_that_built_it(site):
    for page in [*site.rglob("*.html"), *site.rglob("*.js"), *site.rglob("*.ipynb")]:
        assert str(ROOT) not in page.read_text(encoding="utf8", errors="replace"), page
