"""What axe-core finds wrong with a page, cheaply enough for whole chapters in every look.

Two things cost nearly all of its time on a chapter: the report on what is in order, which nobody reads, and
the contrast of each of five thousand words of code, which come in forty looks. So the report is left out, and
before colors are read the words that look alike are merged: one of each look stays, the others become plain
text of the block that they stand in.
"""

import json

from axe_playwright_python.base import AXE_SCRIPT

# These rules read colors. All others read structure and size, which a color scheme does not change.
COLORS = ["color-contrast", "link-in-text-block"]
OPTIONS = {
    "preload": False,  # it would fetch style sheets, which a page on disk may not
    "resultTypes": ["violations"],
}
STRICT = {"label-content-name-mismatch": {"enabled": True}}

# Adds to each word of code what its contrast depends on now: its own style and that of all it stands in.
NOTE = """() => {
  const known = new Map(), styles = ["color", "background-color", "background-image", "opacity", "filter",
    "display", "visibility", "position", "mix-blend-mode", "font-size", "font-weight", "text-shadow"];
  const look = (e) => {
    if (e && !known.has(e)) {
      const style = getComputedStyle(e);
      known.set(e, styles.map((name) => style.getPropertyValue(name)).join() + "|" + look(e.parentElement));
    }
    return e ? known.get(e) : "";
  };
  for (const e of document.querySelectorAll("pre span"))
    if (!e.childElementCount) e.looks = (e.looks || "") + look(e);
}"""
MERGE = """() => {
  const seen = new Set(), again = [];
  for (const e of document.querySelectorAll("pre span")) {
    if (!e.looks) continue;
    if (seen.has(e.looks)) again.push(e);
    seen.add(e.looks);
  }
  for (const e of again) e.replaceWith(e.textContent);
  return [seen.size, again.length];
}"""


def note_looks(page):
    """Remember how the words of code look now; call it in every look in which colors will be checked."""
    page.evaluate(NOTE)


def merge_words(page):
    """Keep one word of each look that was noted; returns how many stayed and how many were merged."""
    return page.evaluate(MERGE)


def structure(page):
    """Violations of every rule that does not read colors."""
    return run(page, {"rules": STRICT | {rule: {"enabled": False} for rule in COLORS}})


def colors(page):
    """Violations of the rules that read colors."""
    return run(page, {"runOnly": COLORS})


def violations(page):
    """Violations of every rule."""
    return run(page, {"rules": STRICT})


def run(page, options):
    """A line for each element that violates a rule; axe-core is loaded once a page."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    results = page.evaluate(f"() => axe.run({json.dumps(OPTIONS | options)})")
    assert results["passes"] or results["violations"], "axe found nothing to look at"
    return [f"{v['id']}: {node['html'][:160]}" for v in results["violations"] for node in v["nodes"]]
