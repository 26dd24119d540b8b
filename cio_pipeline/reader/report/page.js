const specs = JSON.parse(document.getElementById("specs").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");

function colours() {
  const style = getComputedStyle(document.documentElement);
  const text = style.getPropertyValue("--quiet").trim();
  const line = style.getPropertyValue("--line").trim();
  return {
    background: "transparent",
    view: { stroke: null },
    axis: { labelColor: text, titleColor: text, gridColor: line, domainColor: line, tickColor: line },
    legend: { labelColor: text, titleColor: text, columns: innerWidth < 500 ? 2 : 3 },
  };
}

function draw() {
  for (const [key, spec] of Object.entries(specs)) {
    const config = { ...spec.config, ...colours() };
    vegaEmbed(`#chart-${key}`, { ...spec, config }, { actions: false, renderer: "svg" });
  }
}

draw();
dark.addEventListener("change", draw);
