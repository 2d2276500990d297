"use strict";
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);

// Light or dark: the system's choice until the button is pressed.
{
  const button = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  let dark = system.matches;
  const show = () => { button.textContent = dark ? "Light" : "Dark"; };
  button.hidden = false;
  button.addEventListener("click", () => {
    dark = !dark;
    document.documentElement.style.colorScheme = dark ? "dark" : "light";
    show();
  });
  system.addEventListener("change", () => {
    if (!document.documentElement.style.colorScheme) { dark = system.matches; show(); }
  });
  show();
}

// Neighbours: three choices and a search narrow the rows; domains without a row left disappear.
const filters = byId("filters");
const fields = ["domain", "group", "verdict", "text"].map((name) => byId("filter-" + name));
const sections = [...document.querySelectorAll("details.domain")];

function applyFilters() {
  const [domain, group, verdict, text] = fields.map((field) => field.value);
  const wanted = text.trim().toLowerCase();
  const isFiltered = Boolean(domain || group || verdict || wanted);
  let shown = 0, total = 0;
  for (const section of sections) {
    let here = 0;
    for (const row of section.querySelectorAll(".query")) {
      const fits = (!domain || section.dataset.domain === domain) && (!group || row.dataset.group === group)
        && (!verdict || row.dataset.verdict === verdict) && row.dataset.text.includes(wanted);
      row.hidden = !fits;
      here += fits;
      total += 1;
    }
    shown += here;
    section.hidden = here === 0;
    section.open = isFiltered ? here > 0 : "first" in section.dataset;
    section.querySelector(".shown").textContent = here;
  }
  byId("filter-count").textContent = shown ? `${shown} of ${total} rows` : `None of ${total} rows fits; Reset shows all.`;
}

function searchFor(text) {
  filters.reset();
  byId("filter-text").value = text;
  applyFilters();
  byId("neighbours").scrollIntoView();
  byId("filter-text").focus({ preventScroll: true });
}

filters.hidden = false;
filters.addEventListener("input", applyFilters);
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("reset", () => setTimeout(applyFilters));  // after the fields are empty
applyFilters();

// Map: the nearest dot to the pointer, or the next one in the direction of an arrow key.
const frame = byId("map-frame");
if (frame && data.points) {
  const { x, y, domain, class: classes, classes: names } = data.points;
  const svg = frame.querySelector("svg"), cursor = byId("map-cursor"), readout = byId("map-readout");
  const hiddenDomains = new Set();
  let chosen = -1;

  function choose(point) {
    chosen = point;
    cursor.setAttribute("cx", point < 0 ? -50 : x[point]);
    cursor.setAttribute("cy", point < 0 ? -50 : y[point]);
    readout.textContent = point < 0 ? "No dot chosen." : `${data.domains[domain[point]]} · ${names[classes[point]]}`;
  }

  // The point with the least cost; cost returns Infinity for those that are out of the question.
  function best(cost) {
    let found = -1, least = Infinity;
    for (let point = 0; point < x.length; point++) {
      if (hiddenDomains.has(domain[point])) continue;
      const value = cost(x[point], y[point]);
      if (value < least) { least = value; found = point; }
    }
    return found;
  }

  function atPointer(event) {
    const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
    const px = (event.clientX - box.left) / box.width * view.width, py = (event.clientY - box.top) / box.height * view.height;
    const reach = 24 / box.width * view.width;
    return best((cx, cy) => { const far = Math.hypot(cx - px, cy - py); return far < reach ? far : Infinity; });
  }

  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  frame.addEventListener("pointermove", (event) => choose(atPointer(event)));
  frame.addEventListener("click", (event) => {
    const point = atPointer(event);
    choose(point);
    if (point >= 0 && event.detail > 1) searchFor(names[classes[point]]);
  });
  frame.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && chosen >= 0) searchFor(names[classes[chosen]]);
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const view = svg.viewBox.baseVal;
    const [fromX, fromY] = chosen < 0 ? [view.width / 2, view.height / 2] : [x[chosen], y[chosen]];
    const next = best((cx, cy) => {
      const along = (cx - fromX) * step[0] + (cy - fromY) * step[1];
      const across = Math.abs((cx - fromX) * step[1] + (cy - fromY) * step[0]);
      return along > 0 && across <= 2 * along + 2 ? along + 2 * across : Infinity;
    });
    if (next >= 0) choose(next);
  });
  for (const button of document.querySelectorAll("#map .legend button")) {
    button.addEventListener("click", () => {
      const isShown = button.getAttribute("aria-pressed") === "false";
      const number = data.domains.indexOf(button.dataset.domain);
      button.setAttribute("aria-pressed", String(isShown));
      if (isShown) hiddenDomains.delete(number); else hiddenDomains.add(number);
      for (const dots of svg.querySelectorAll(".dots")) {
        if (dots.dataset.domain === button.dataset.domain) dots.toggleAttribute("hidden", !isShown);
      }
      if (chosen >= 0 && hiddenDomains.has(domain[chosen])) choose(-1);
    });
  }
}
