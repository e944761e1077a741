"use strict";
// What every page shares; `unequal` holds what its own script needs.
const unequal = (() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  // Colours are CSS variables: the drawing follows light, dark and print by itself.
  const config = {% include "charts.json" %};
  // Rows travel as columns and words as numbers, to keep the file small.
  const rows = (table) => {
    const columns = Object.entries(table).map(([name, column]) => [name, Array.isArray(column) ? column : column.at.map((place) => column.of[place])]);
    return (columns[0]?.[1] ?? []).map((_, row) => Object.fromEntries(columns.map(([name, column]) => [name, column[row]])));
  };
  const unpacked = ({ datasets = {}, ...spec }) => ({ ...spec, datasets: Object.fromEntries(Object.entries(datasets).map(([name, data]) => [name, Array.isArray(data) ? data : rows(data)])) });
  const breath = () => new Promise((resolve) => setTimeout(resolve));

  const specs = read("specs");
  const views = {};
  const choose = (view, choice) => view.signal(choice.dataset.signal, choice.value);
  const draw = async () => {
    for (const place of document.querySelectorAll(".chart")) {
      const key = place.dataset.spec, label = place.getAttribute("aria-label"), figure = place.closest("[data-figure]");
      await breath(); // so that a long page can be read and used while it is drawn
      try {
        const { view } = await vegaEmbed(place, unpacked(specs[key]), { config, renderer: "svg", actions: false, ast: false });
        (views[figure.dataset.figure] ||= []).push(view);
        const choices = figure.querySelectorAll("select[data-signal]");
        for (const choice of choices) choose(view, choice);
        if (choices.length) await view.runAsync();
        place.querySelector("svg")?.setAttribute("aria-hidden", "true");
        place.setAttribute("role", "img");
        place.setAttribute("aria-label", label);
      } catch (error) { place.textContent = "This picture could not be drawn: " + error.message; }
    }
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
  return { read, make, draw, views };
})();
