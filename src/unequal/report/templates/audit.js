(() => {
  const { read, make } = unequal;
  const store = read("facts-data");
  const table = document.getElementById("fact-table");
  if (!table) return;
  const search = document.getElementById("fact-search"), choice = document.getElementById("fact-verdict");
  const count = document.getElementById("fact-count"), more = document.getElementById("fact-more");
  const STEP = 50, VERDICT = 3, COUNT = 5;
  let shown = STEP;
  for (const verdict of store.verdicts) choice.append(make("option", verdict));
  const words = store.rows.map((row) => row.join(" ").toLowerCase());

  const fill = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = store.rows.filter((row, index) => (!choice.value || row[VERDICT] === choice.value) && wanted.every((word) => words[index].includes(word)));
    table.tBodies[0].replaceChildren(...found.slice(0, shown).map((row) => {
      const line = make("tr");
      row.forEach((value, index) => {
        const cell = make(index ? "td" : "th", value === null || value === "" ? "—" : typeof value === "number" ? value.toLocaleString("en") : value, index === COUNT ? "num" : undefined);
        if (!index) cell.scope = "row";
        if (index === VERDICT) cell.prepend(make("span", "", `dot ${value.replaceAll(" ", "-")}`));
        line.append(cell);
      });
      return line;
    }));
    const facts = `${found.length.toLocaleString("en")} ${found.length === 1 ? "fact" : "facts"}`;
    count.textContent = found.length > shown ? `${shown} of ${facts}` : facts;
    more.hidden = found.length <= shown;
  };
  search.addEventListener("input", () => { shown = STEP; fill(); });
  choice.addEventListener("change", () => { shown = STEP; fill(); });
  more.addEventListener("click", () => { shown += 4 * STEP; fill(); });
  fill();
})();
