"use strict";
// What every page shares; `unequal` holds what its own script needs.
const unequal = (() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  // Colours are CSS variables: the drawing follows light, dark and print by itself.
  const config = {% include "charts.json" %};
  // Rows travel as columns and words as numbers, and equal specifications once, to keep the file small.
  const unpacked = (table) => {
    const columns = Object.entries(table).map(([name, column]) => [name, Array.isArray(column) ? column : column.at.map((place) => column.of[place])]);
    return (columns[0]?.[1] ?? []).map((_, row) => Object.fromEntries(columns.map(([name, column]) => [name, column[row]])));
  };
  const { templates, charts } = read("specs");
  const spec = ({ template, rows }) => {
    const { datasets, ...rest } = templates[template];
    return { ...rest, datasets: rows ? { ...datasets, rows: unpacked(rows) } : { ...datasets } };
  };

  const views = {}, started = new Map();
  const choices = (figure) => figure.querySelectorAll("select[data-signal]");
  const choose = (view, choice) => view.signal(choice.dataset.signal, choice.value);
  const draw = async (place) => {
    const label = place.getAttribute("aria-label"), figure = place.closest("[data-figure]");
    try {
      const { view } = await vegaEmbed(place, spec(charts[place.dataset.spec]), { config, renderer: "svg", actions: false, ast: false });
      (views[figure.dataset.figure] ||= []).push(view);
      for (const choice of choices(figure)) choose(view, choice);
      if (choices(figure).length) await view.runAsync();
      place.querySelector("svg")?.setAttribute("aria-hidden", "true");
      place.setAttribute("role", "img");
      place.setAttribute("aria-label", label);
      place.dispatchEvent(new Event("drawn"));
    } catch (error) { place.textContent = "This picture could not be drawn: " + error.message; }
  };
  const once = (place) => {
    if (!started.has(place)) started.set(place, draw(place));
    return started.get(place);
  };
  // One after another with a breath between, so that a long page can be read, searched and used at once;
  // those near the window first, and what is missing before printing.
  const breath = (milliseconds = 0) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const drawAll = async () => {
    const left = new Set(document.querySelectorAll(".chart")), near = new Set();
    let observer;
    const looked = new Promise((resolve) => {
      observer = new IntersectionObserver((entries) => {
        for (const { isIntersecting, target } of entries) if (isIntersecting) near.add(target); else near.delete(target);
        resolve();
      }, { rootMargin: "400px 0px" });
      for (const place of left) observer.observe(place);
    });
    window.addEventListener("beforeprint", () => left.forEach(once));
    await Promise.race([looked, breath(500)]); // a page in the background is not looked at
    while (left.size) {
      await breath();
      const next = [...near].find((place) => left.has(place)) ?? [...left][0];
      await once(next);
      left.delete(next);
    }
    observer.disconnect();
    document.documentElement.dataset.drawn = "yes";
  };
  for (const choice of document.querySelectorAll("select[data-signal]")) {
    choice.addEventListener("change", () => {
      for (const view of views[choice.closest("[data-figure]").dataset.figure] || []) choose(view, choice).runAsync();
    });
  }
  const make = (tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  return { read, make, draw: drawAll, views };
})();
