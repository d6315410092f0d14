"use strict";
// The jobs: what is known of them, filtered, sorted and grouped by experiment. Text of records is only ever textContent.
const live = {
  runs: new Map(), // key -> row of the server
  experiments: new Map(), // key -> name and counts
  chosen: new Set(), // keys whose curves are drawn
  shown: [], // keys in the order of the table
  listeners: [], // called with the set of keys that changed

  async ask(address, words = {}, kind = "json") {
    const answer = await fetch(live.address(address, words), { credentials: "omit" });
    if (!answer.ok) throw new Error((await answer.text()).trim());
    return answer[kind]();
  },
  address(address, words) {
    const query = new URLSearchParams(words).toString();
    return query ? `${address}?${query}` : address;
  },
  score(run, value) {
    if (value === null || value === undefined) return "–";
    const shown = run.percent ? value * 100 : value;
    const digits = Math.abs(shown) >= 1000 ? 0 : Math.abs(shown) >= 1 || shown === 0 ? 2 : 4;
    return lab.number(shown, digits) + (run.percent ? " %" : "");
  },
  duration(seconds) {
    if (seconds === null) return "–";
    const whole = Math.round(seconds), pad = (value) => String(value).padStart(2, "0");
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
    return `${Math.floor(whole / 3600)} h ${pad(Math.floor(whole % 3600 / 60))} min`;
  },
  // Seconds that a running job has run, and those it has left at the rate so far.
  seconds(run) {
    if (run.seconds !== null || run.status !== "running") return run.seconds;
    const began = Date.parse(run.started);
    return Number.isNaN(began) ? null : Math.max(0, (Date.now() - began) / 1000);
  },
  left(run) {
    if (run.status !== "running" || run.seconds === null) return null;
    const steps = run.total && run.step ? (run.total - run.step) * run.seconds / run.step : Infinity;
    const found = Math.min(steps, run.limit === null ? Infinity : run.limit - run.seconds);
    return Number.isFinite(found) ? Math.max(0, found) : null;
  },
  silent(run) {
    const silence = run.status === "running" && run.changed ? Date.now() / 1000 - run.changed : 0;
    return silence > 300 ? silence : 0;
  },
  label(run) { return run.seed === "" ? run.name : `${run.name}, seed ${run.seed}`; },
};

(() => {
  const MOST_SHOWN = 2000, MOST_FAILURES = 20;
  const STATUSES = ["running", "waiting", "finished", "failed", "refused", "interrupted", "stopped", "unreadable"];
  const FAULTS = new Set(["failed", "refused", "unreadable"]);
  const COLUMNS = [
    { name: "Job", text: true, key: (run) => run.name },
    { name: "Seed", text: true, key: (run) => run.seed },
    { name: "Status", text: true, key: (run) => `${STATUSES.indexOf(run.status)}` },
    { name: "Progress", left: true, key: (run) => (run.total ? run.step / run.total : null) },
    { name: "Best", key: (run) => run.best },
    { name: "Last", key: (run) => run.value },
    { name: "Tokens/s", key: (run) => run.rate },
    { name: "Time", key: (run) => live.seconds(run) },
    { name: "Left", key: (run) => live.left(run) },
  ];
  const table = lab.element("table"), lines = new Map(), bodies = new Map(), statuses = new Map();
  const wanted = new Set(); // statuses shown; all when empty
  let sorted = { column: COLUMNS[0], sign: 1 };

  function head(column) {
    const button = lab.make("button", { type: "button", text: column.name });
    button.addEventListener("click", () => {
      sorted = { column, sign: sorted.column === column ? -sorted.sign : column.text ? 1 : -1 };
      lab.element("sort").value = column.name;
      arrange();
    });
    column.head = lab.make("th", { scope: "col", class: column.text || column.left ? "text" : "" }, [button]);
    return column.head;
  }

  function line(key) {
    const box = lab.make("input", { type: "checkbox", "aria-label": "draw its curve" });
    box.addEventListener("change", () => {
      if (box.checked) live.chosen.add(key);
      else live.chosen.delete(key);
      live.chosenByHand = true;
      tell(new Set());
    });
    const link = lab.make("a", { href: `#run=${key}` }), dot = lab.make("i", { class: "swatch", "aria-hidden": "true" });
    const note = lab.make("span", { class: "why" });
    const bar = lab.make("span", { class: "bar", role: "progressbar", "aria-label": "steps" }, [lab.make("i")]);
    const cells = {
      box: lab.make("td", { class: "box" }, [box, dot]),
      name: lab.make("th", { scope: "row", class: "text job" }, [link, note]),
      seed: lab.make("td", { class: "text seed" }),
      status: lab.make("td", { class: "text state" }, [lab.make("span", { class: "status" }), lab.make("span", { class: "why" })]),
      progress: lab.make("td", { class: "text progress" }, [bar, lab.make("span", { class: "steps" })]),
      best: lab.make("td", { "data-name": "best" }), value: lab.make("td", { "data-name": "last" }),
      rate: lab.make("td", { "data-name": "tokens/s" }), time: lab.make("td", { "data-name": "time" }),
      left: lab.make("td", { "data-name": "left" }),
    };
    return { box, link, dot, note, bar, cells, made: lab.make("tr", {}, Object.values(cells)) };
  }

  function set(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function write(key) {
    const run = live.runs.get(key), { box, link, dot, note, bar, cells, made } = lines.get(key);
    set(link, run.name);
    set(note, FAULTS.has(run.status) || run.status === "interrupted" ? run.note : "");
    set(cells.seed, run.seed);
    cells.seed.dataset.name = "seed";
    const [status, why] = cells.status.children, silence = live.silent(run);
    set(status, run.status);
    status.className = `status ${run.status}`;
    set(why, silence ? `silent for ${silence < 3600 ? `${Math.floor(silence / 60)} min` : live.duration(silence)}` : "");
    made.dataset.status = run.status;
    const share = run.total ? Math.min(1, run.step / run.total) : 0;
    bar.firstChild.style.width = `${100 * share}%`;
    bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    bar.className = `bar ${run.status}`;
    const step = run.step === null ? "–" : lab.number(run.step, 0);
    set(cells.progress.children[1], run.total && run.total !== run.step ? `${step} / ${lab.number(run.total, 0)}` : step);
    set(cells.best, live.score(run, run.best));
    cells.best.title = run.best_step === null ? run.score : `${run.score}, at step ${lab.number(run.best_step, 0)}`;
    set(cells.value, live.score(run, run.value));
    cells.value.title = run.score;
    set(cells.rate, run.rate === null ? "–" : lab.number(run.rate, 0));
    set(cells.time, live.duration(live.seconds(run)));
    set(cells.left, run.status === "running" ? live.duration(live.left(run)) : "");
    const place = live.chosen.has(key) && live.colours ? live.colours.get(key) : undefined;
    dot.style.background = place === undefined ? "transparent" : `var(--c${place % 8})`;
    box.checked = live.chosen.has(key);
  }

  function visible(run) {
    const experiment = lab.element("experiment").value;
    if (experiment && run.experiment !== experiment) return false;
    if (wanted.size && !wanted.has(run.status)) return false;
    const needles = lab.element("filter").value.trim().toLocaleLowerCase().split(/\s+/);
    const name = live.experiments.get(run.experiment)?.name ?? "";
    const said = `${name} ${run.name} seed=${run.seed} ${run.status} ${run.score} ${run.note}`.toLocaleLowerCase();
    return needles.every((needle) => said.includes(needle));
  }

  function compare(one, other) {
    const [a, b] = [sorted.column.key(one), sorted.column.key(other)];
    const missing = (a === null || a === undefined) - (b === null || b === undefined);
    if (missing || a === null || a === undefined) return missing;
    const found = sorted.column.text ? a.localeCompare(b, "en", { numeric: true }) : a - b;
    return sorted.sign * found || one.name.localeCompare(other.name, "en", { numeric: true })
      || one.seed.localeCompare(other.seed, "en", { numeric: true }) || (one.key < other.key ? -1 : 1);
  }

  // Puts nodes in order, moving only those that stand elsewhere, so that focus and selection stay.
  function place(parent, nodes, from) {
    let next = from;
    for (const node of nodes) {
      if (node === next) next = next.nextSibling;
      else parent.insertBefore(node, next);
    }
    while (next) {
      const after = next.nextSibling;
      next.remove();
      next = after;
    }
  }

  function body(key) {
    if (!bodies.has(key)) {
      const name = lab.make("span", { class: "name" }), counts = lab.make("span", { class: "counts" });
      const report = lab.make("a", { href: live.address("/report", { experiment: key }), target: "_blank", rel: "noopener",
        text: "Report" });
      const cell = lab.make("th", { colspan: String(COLUMNS.length + 1), scope: "rowgroup", class: "text" },
        [lab.make("div", {}, [name, counts, report])]);
      const made = lab.make("tbody", {}, [lab.make("tr", { class: "group" }, [cell])]);
      bodies.set(key, { made, name, counts });
    }
    return bodies.get(key);
  }

  function counted(counts) {
    return STATUSES.filter((status) => counts[status]).map((status) => `${lab.number(counts[status], 0)} ${status}`).join(" · ");
  }

  function arrange() {
    for (const column of COLUMNS) {
      if (column === sorted.column) column.head.setAttribute("aria-sort", sorted.sign > 0 ? "ascending" : "descending");
      else column.head.removeAttribute("aria-sort");
    }
    const groups = new Map();
    let matching = 0;
    for (const run of live.runs.values()) {
      if (!visible(run)) continue;
      matching += 1;
      if (!groups.has(run.experiment)) groups.set(run.experiment, []);
      groups.get(run.experiment).push(run);
    }
    const named = [...groups.keys()].sort((a, b) => (live.experiments.get(a)?.name ?? "")
      .localeCompare(live.experiments.get(b)?.name ?? "", "en", { numeric: true }));
    live.shown = [];
    const made = [];
    for (const key of named) {
      const runs = groups.get(key).sort(compare).slice(0, Math.max(0, MOST_SHOWN - live.shown.length));
      const { made: section, name, counts } = body(key), experiment = live.experiments.get(key);
      set(name, experiment?.name ?? "");
      set(counts, counted(experiment?.counts ?? {}));
      live.shown.push(...runs.map((run) => run.key));
      for (const run of runs) if (!lines.has(run.key)) lines.set(run.key, line(run.key));
      for (const run of runs) write(run.key);
      place(section, runs.map((run) => lines.get(run.key).made), section.firstChild.nextSibling);
      made.push(section);
    }
    place(table, made, table.tHead.nextSibling);
    const all = live.runs.size, cut = matching > live.shown.length ? `, the first ${lab.number(live.shown.length, 0)} shown` : "";
    set(lab.element("shown"), matching === all ? `${lab.number(all, 0)} jobs${cut}`
      : `${lab.number(matching, 0)} of ${lab.number(all, 0)} jobs${cut}`);
    lab.element("empty").hidden = matching > 0;
    set(lab.element("empty"), all ? "No job is like that." : "No run here yet. Jobs appear as soon as they start.");
    table.hidden = matching === 0;
  }

  function summary() {
    const counts = {};
    for (const run of live.runs.values()) counts[run.status] = (counts[run.status] ?? 0) + 1;
    for (const item of live.experiments.values()) if (item.counts.waiting) counts.waiting = (counts.waiting ?? 0) + item.counts.waiting;
    for (const status of STATUSES) {
      if (!statuses.has(status)) {
        const button = lab.make("button", { type: "button", "aria-pressed": "false" },
          [lab.make("span", { class: `status ${status}`, text: status }), " ", lab.make("b")]);
        button.addEventListener("click", () => {
          if (!wanted.delete(status)) wanted.add(status);
          button.setAttribute("aria-pressed", String(wanted.has(status)));
          arrange();
        });
        button.disabled = status === "waiting";
        statuses.set(status, button);
        lab.element("statuses").append(button);
      }
      const button = statuses.get(status);
      button.hidden = !counts[status] && !wanted.has(status);
      set(button.querySelector("b"), lab.number(counts[status] ?? 0, 0));
    }
    const running = counts.running ? `${counts.running} running · ` : "";
    document.title = `${running}${lab.element("folder").textContent} · s2s_lab`;
    experiments();
    failures();
  }

  function experiments() {
    const chooser = lab.element("experiment"), before = chooser.value;
    const items = [...live.experiments].map(([key, item]) => [key, item.name])
      .sort((a, b) => a[1].localeCompare(b[1], "en", { numeric: true }));
    const options = [["", "all"], ...items];
    const same = chooser.options.length === options.length
      && options.every(([key, name], at) => chooser.options[at].value === key && chooser.options[at].text === name);
    if (same) return;
    lab.fill(chooser, options);
    chooser.value = live.experiments.has(before) ? before : "";
  }

  function failures() {
    const failed = [...live.runs.values()].filter((run) => FAULTS.has(run.status))
      .sort((a, b) => (b.changed ?? 0) - (a.changed ?? 0));
    lab.element("failures").hidden = failed.length === 0;
    const items = failed.slice(0, MOST_FAILURES).map((run) => lab.make("li", {}, [
      lab.make("a", { href: `#run=${run.key}`, text: live.label(run) }),
      lab.make("span", { class: "counts", text: live.experiments.get(run.experiment)?.name ?? "" }),
      lab.make("code", { text: run.note || run.status }),
    ]));
    if (failed.length > MOST_FAILURES) {
      items.push(lab.make("li", { class: "counts", text: `and ${lab.number(failed.length - MOST_FAILURES, 0)} more` }));
    }
    const list = lab.element("failures-list"), text = items.map((item) => item.textContent).join("\n");
    if (list.dataset.text !== text) list.replaceChildren(...items);
    list.dataset.text = text;
  }

  function tell(changed) {
    for (const listener of live.listeners) listener(changed);
  }

  live.take = (found) => {
    const changed = new Set(found.runs.map((run) => run.key));
    if (found.whole) {
      for (const key of live.runs.keys()) if (!changed.has(key)) found.gone.push(key);
      live.experiments.clear();
    }
    set(lab.element("folder"), found.folder);
    for (const item of found.experiments) live.experiments.set(item.key, item);
    for (const run of found.runs) live.runs.set(run.key, run);
    for (const key of found.gone) {
      live.runs.delete(key);
      live.experiments.delete(key);
      live.chosen.delete(key);
      lines.delete(key);
      bodies.delete(key);
      changed.add(key);
    }
    if (changed.size || found.experiments.length || !table.tBodies.length) {
      tell(changed);
      summary();
      arrange();
    } else {
      for (const key of live.shown) if (live.runs.get(key)?.status === "running") write(key); // times go on
    }
  };
  live.choose = (keys) => {
    live.chosen = new Set(keys);
    tell(new Set());
  };
  live.rewrite = () => { for (const key of live.shown) if (live.runs.has(key)) write(key); };

  lab.element("heads").append(lab.make("th", { scope: "col", class: "box" }, [lab.make("span", { class: "unseen", text: "Curve" })]),
    ...COLUMNS.map(head));
  lab.fill(lab.element("sort"), COLUMNS.map((column) => [column.name, column.name.toLowerCase()]));
  lab.element("sort").addEventListener("change", () => {
    const column = COLUMNS.find((item) => item.name === lab.element("sort").value);
    sorted = { column, sign: column.text ? 1 : -1 };
    arrange();
  });
  lab.element("experiment").addEventListener("change", arrange);
  let waiting = 0;
  lab.element("filter").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(arrange, 120);
  });
})();
