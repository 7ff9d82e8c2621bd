// One function for all explorers of a page; the second copy of this script finds it there.
window.blowupExplorer = window.blowupExplorer || function (id) {
  const root = document.getElementById(id);
  const { texts, alts, pieces, frames } = JSON.parse(document.getElementById(id + "-data").textContent);
  const svg = root.querySelector("svg");
  const said = root.querySelector(".blowup-said");
  const controls = [...root.querySelectorAll("input, select")];
  const values = root.querySelectorAll(".blowup-value");
  const slots = svg.querySelectorAll("[data-slot]");
  const shown = [];
  let timer;

  // A slider counts in its own units, an index or the real value: the step turns both into an index.
  const position = (c) => c.tagName === "SELECT" ? c.selectedIndex : Math.round((c.value - c.min) / c.step);

  function update() {
    let k = 0;
    controls.forEach((control, n) => {
      const i = position(control);
      k = k * texts[n].length + i;
      values[n].textContent = texts[n][i];
      if (control.type === "range") control.setAttribute("aria-valuetext", texts[n][i]);
    });
    frames[k].forEach((slot, s) => {
      const content = slot.join();
      if (shown[s] !== content) slots[s].innerHTML = slot.map((p) => pieces[p]).join("");
      shown[s] = content;
    });
    svg.setAttribute("aria-label", alts[k]);
    return alts[k];
  }

  root.addEventListener("input", () => {
    const text = update();
    clearTimeout(timer);
    // Only where the movement ends is worth saying.
    timer = setTimeout(() => { said.textContent = text; }, 500);
  });
  // JupyterLab would take these keys from the slider.
  root.addEventListener("keydown", (event) => {
    if (/^(Arrow|Home|End|Page)/.test(event.key)) event.stopPropagation();
  });
  controls.forEach((control) => { control.hidden = false; });
  root.classList.add("blowup-awake");
  update();
};
