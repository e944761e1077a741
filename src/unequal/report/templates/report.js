(() => {
  const { read, make, draw, views } = unequal;
  let store = read("facts-data");
  const at = (id) => document.getElementById(id);
  const search = at("fact-search"), list = at("fact-list"), count = at("fact-count"), note = at("fact-note"), all = at("fact-all");
  const head = at("fact-head"), rows = at("fact-rows");
  const SHOWN = 40, { colours, beside, belongs } = store;
  let method = Object.keys(store.seeds)[0], current = null, asked = false;

  const word = (right) => right === null ? "not generated" : right ? "yes" : "no";
  const picture = () => {
    const view = views.fact?.[0];
    if (!view || !current) return;
    const cells = Object.entries(current.methods).flatMap(([name, steps]) =>
      steps.filter(([, , prob]) => prob !== null).map(([step, right, prob]) => ({ method: name, step, prob, right: word(right) })));
    view.signal("chosen", method).data("cells", cells).runAsync();
  };
  const mark = () => {
    for (const button of list.querySelectorAll("button")) button.setAttribute("aria-current", String(current !== null && button.dataset.id === current.id));
  };
  const methods = (fact) => {
    const bar = make("div", undefined, "methods");
    bar.setAttribute("role", "group"); bar.setAttribute("aria-label", "Method");
    for (const name of Object.keys(fact.methods)) {
      const button = make("button"), dot = make("i");
      dot.style.background = colours[name];
      button.append(dot, name);
      button.type = "button"; button.setAttribute("aria-pressed", String(name === method));
      button.addEventListener("click", () => { method = name; show(fact); head.querySelector("[aria-pressed=true]")?.focus(); });
      bar.append(button);
    }
    return bar;
  };
  const answers = (steps) => {
    const table = make("table"), head = make("tr"), body = make("tbody"), top = make("thead");
    for (const title of ["Step", "Generated answer", "Right?", "Probability of the right answer"]) {
      const cell = make("th", title); cell.scope = "col"; head.append(cell);
    }
    for (const [step, right, prob, text] of steps) {
      const row = make("tr"), meter = make("span", undefined, "meter"), fill = make("i"), chance = make("td");
      fill.style.width = `${Math.round((prob || 0) * 100)}%`; meter.append(fill);
      if (prob !== null) chance.append(meter, (100 * prob).toFixed(1) + "%"); else chance.textContent = "—";
      row.append(make("td", step), make("td", text === null ? "—" : store.texts[text] || "(empty)", "said"),
        make("td", right === null ? "—" : right ? "✓ yes" : "✕ no", right ? "right" : "wrong"), chance);
      body.append(row);
    }
    top.append(head); table.append(top, body);
    const scroll = make("div", undefined, "scroll"); scroll.tabIndex = 0; scroll.setAttribute("role", "region"); scroll.setAttribute("aria-label", "Answers over the steps");
    scroll.append(table);
    return scroll;
  };
  const show = (fact) => {
    current = fact;
    if (!(method in fact.methods)) method = Object.keys(fact.methods)[0];
    const line = `${fact.relation} · ${fact.seen} · ${fact.question || ""} ${fact.answer ? "→ " + fact.answer : ""}`;
    head.replaceChildren(make("h3", fact.subject), make("p", line, "note"), methods(fact));
    rows.replaceChildren(answers(fact.methods[method]));
    picture(); mark();
  };
  const find = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = store.facts.filter((fact) => {
      const text = `${fact.subject} ${fact.relation} ${fact.answer} ${fact.question} ${fact.id}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    list.replaceChildren(...found.slice(0, SHOWN).map((fact) => {
      const item = make("li"), button = make("button", fact.subject);
      button.type = "button"; button.dataset.id = fact.id;
      button.append(make("small", `${fact.relation} · ${fact.seen}`));
      button.addEventListener("click", () => show(fact));
      item.append(button);
      return item;
    }));
    const facts = `${found.length} ${found.length === 1 ? "fact" : "facts"}`;
    count.textContent = found.length > SHOWN ? `${SHOWN} of ${facts}` : facts;
    mark();
  };
  // The arrows walk from the search box through the facts found, Enter shows the first.
  const walk = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], places = [search, ...list.querySelectorAll("button")];
    if (event.key === "Enter" && event.target === search) { places[1]?.click(); return; }
    if (!step) return;
    event.preventDefault();
    places[Math.min(Math.max(places.indexOf(event.target) + step, 0), places.length - 1)].focus();
  };
  const tell = (problem = "") => {
    const left = store.left_out, total = store.facts.length + left;
    const where = beside ? `all are in ${beside} beside it, and searching reads them.` : "the report in the study's folder has all.";
    const rest = left ? ` ${left.toLocaleString("en")} of ${total.toLocaleString("en")} facts are excluded to keep this file small; ${where}` : "";
    const lacking = store.lacking.length ? ` Not run on this model: ${store.lacking.join(", ")}.` : "";
    note.textContent = (store.facts.length ? `Of each method the first seed that unlearned the fact.${lacking}${rest}` : "The study holds no forget facts with mixed levels.") + problem;
    all.hidden = !left || !beside; all.textContent = `Load all ${total.toLocaleString("en")} facts`;
  };
  const load = () => {
    asked = true;
    const script = make("script"), absent = ` ${beside} does not lie beside this file or belongs to another report.`;
    script.src = encodeURIComponent(beside);
    script.onerror = () => tell(absent);
    script.onload = () => {
      if (window.unequalFacts?.belongs !== belongs) { tell(absent); return; }
      store = window.unequalFacts; tell(); find();
    };
    document.head.append(script);
  };
  all.addEventListener("click", load);
  search.addEventListener("input", () => { find(); if (!all.hidden && !asked) load(); });
  search.closest(".finder").addEventListener("keydown", walk);
  tell(); find();
  if (store.facts.length) show(store.facts[0]);
  document.querySelector("[data-spec=fact]")?.addEventListener("drawn", picture);
  draw();
})();
