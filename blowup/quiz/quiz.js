// One question. Every output carries this script, the first one on a page defines the element.
if (!customElements.get("blowup-quiz")) {
  customElements.define("blowup-quiz", class extends HTMLElement {
    connectedCallback() {
      // May run before the children are parsed: touch none of them here.
      if (!this.wired) {
        this.wired = true;
        this.addEventListener("click", (event) => event.target.closest("button") && this.check());
        this.addEventListener("keydown", (event) => this.key(event));
      }
      this.number();
    }

    // A notebook attaches and detaches its outputs as one scrolls: no numbers there.
    number() {
      if (this.closest(".jp-Notebook")) return;
      const all = [...document.querySelectorAll("blowup-quiz")];
      all.forEach((quiz, i) =>
        quiz.style.setProperty("--quiz-number", `"Question ${i + 1} of ${all.length}"`));
    }

    // Arrow keys and space belong to the radio buttons, not to the shortcuts of the page around them.
    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      event.stopPropagation();
      if (event.key === "Enter" && event.target.matches("input")) {
        event.preventDefault();
        this.check();
      }
    }

    check() {
      const choice = this.querySelector("input:checked");
      if (!choice) return this.say("", "Choose an answer first.", []);
      const reason = this.querySelectorAll("dl > div")[choice.value];
      const right = "right" in reason.dataset;
      this.mark(choice.parentElement, right);
      // The explanation is copied as it stands, its mathematics already typeset.
      const why = reason.querySelector("dd").cloneNode(true).childNodes;
      this.say(right ? "right" : "wrong", right ? "Right." : "Not quite.", why);
      if (right) this.dataset.done = "";
    }

    mark(label, right) {
      label.dataset.mark = right ? "right" : "wrong";
      const word = label.querySelector("small") || label.appendChild(document.createElement("small"));
      word.textContent = right ? "✓ right" : "✗ wrong";
    }

    // Emptied first, so that the same words are announced a second time too.
    say(mark, verdict, why) {
      const status = this.querySelector("[role=status]");
      status.replaceChildren();
      status.dataset.mark = mark;
      clearTimeout(this.saying);
      this.saying = setTimeout(() => {
        const word = document.createElement("b");
        word.textContent = verdict;
        status.append(word, " ", ...why);
      }, 50);
    }
  });
}
