// Formulas first, while every slide is laid out and can be measured; then reveal.js takes over.
// A narrow screen, and a browser without scripts, shows the slides as one page to scroll.
const narrow = matchMedia("(max-width: 600px)").matches && !/[?&](receiver|print-pdf)/.test(location.search);

function present() {
  document.querySelector(".deck").className = "reveal";
  document.querySelector(".sheets").className = "slides";
  // Typed into an explorer, the keys are its own.
  const free = () => !document.activeElement?.closest?.(".explorer :is(input, select)");
  return Reveal.initialize({
    width: 1280,
    height: 720,
    margin: 0,
    minScale: 0.1,
    center: false,
    display: "flex",
    hash: true,
    slideNumber: "c/t",
    transition: "none",
    backgroundTransition: "none",
    keyboardCondition: free,
    scrollActivationWidth: null,
    pdfSeparateFragments: false,
    plugins: [RevealNotes],
  });
}

MathJax.startup.promise.then(() => narrow || present());
