// The few lines that every page needs. Explorers and quizzes bring their own.

// A page opened from disk may not fetch other pages: its search shows titles without excerpts.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// A formula wider than the screen scrolls by itself; whoever has no mouse must be able to reach it.
function reachWideFormulas() {
  for (const formula of document.querySelectorAll("mjx-container[display]")) {
    if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
    else formula.removeAttribute("tabindex");
  }
}

addEventListener("load", () => window.MathJax?.startup?.promise?.then(reachWideFormulas));
addEventListener("resize", reachWideFormulas);
