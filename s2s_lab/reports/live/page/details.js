"use strict";
// One job looked into: its facts, log, error, configuration, evaluations and attention.
(() => {
  const MOST_LOG = 400_000, MOST_EVALUATIONS = 8;
  const dialog = lab.element("details");
  let key = "", tab = "overview", known = null, next = "", attentionOf = "";
  const tabs = [...lab.element("details-tabs").querySelectorAll("button")];

  const named = { data: "Data", job: "Job", folder: "Folder", commit: "Commit", machine: "Machine", versions: "Versions", command: "Command" };
  const counted = { parameters: "Parameters", steps: "Steps", epochs: "Epochs", tokens: "Tokens seen", peak_memory_mb: "Peak memory, MB" };

  function headline() {
    const run = live.runs.get(key);
    lab.element("details-name").textContent = run ? live.label(run) : "A run that is not here";
    const parts = run ? [live.experiments.get(run.experiment)?.name, run.status,
      run.total ? `step ${lab.number(run.step ?? 0, 0)} of ${lab.number(run.total, 0)}` : "",
      run.best === null ? "" : `best ${run.score} ${live.score(run, run.best)}`,
      run.status === "running" && live.left(run) !== null ? `${live.duration(live.left(run))} left` : "", run.note] : [];
    lab.element("details-line").textContent = parts.filter(Boolean).join(" · ");
  }

  function fact(name, value) {
    return lab.make("div", {}, [lab.make("dt", { text: name }), lab.make("dd", { text: value })]);
  }

  function overview() {
    const run = live.runs.get(key), items = [];
    for (const [name, title] of Object.entries(counted)) {
      if (known.numbers[name] !== null) items.push(fact(title, lab.number(known.numbers[name], name === "epochs" ? 1 : 0)));
    }
    if (run) {
      items.push(fact("Training time", live.duration(live.seconds(run))));
      if (run.started) items.push(fact("Started", run.started.replace("T", " ").replace("+00:00", " UTC")));
      if (run.ended) items.push(fact("Ended", run.ended.replace("T", " ").replace("+00:00", " UTC")));
    }
    for (const [name, title] of Object.entries(named)) if (known.facts[name]) items.push(fact(title, known.facts[name]));
    lab.element("details-facts").replaceChildren(...items);
    const under = lab.element("details-under");
    under.hidden = !known.under_trained;
    under.children[1].textContent = known.under_trained;
    evaluations();
  }

  function evaluations() {
    const found = known.evaluations, names = [...new Set(found.flatMap((item) => item.scores.map((score) => score.name)))];
    lab.element("details-unevaluated").hidden = found.length > 0;
    const table = lab.element("details-evaluations");
    table.hidden = found.length === 0;
    const heads = ["Split", "Decoding", ...names.map((name) => name.replace(/_/g, " ")), "Sentences/s"];
    const rows = found.map((item) => lab.make("tr", {}, [
      lab.make("td", { class: "text", text: item.split }),
      lab.make("td", { class: "text", text: item.strategy, title: item.signature }),
      ...names.map((name) => {
        const score = item.scores.find((other) => other.name === name);
        const digits = score && score.value !== null && Math.abs(score.value) < 1 && score.value !== 0 ? 4 : 2;
        return lab.make("td", score && score.value !== null
          ? { text: lab.number(score.value, digits) + score.suffix, title: score.signature } : { text: "–" });
      }),
      lab.make("td", { text: item.speed === null ? "–" : lab.number(item.speed, item.speed < 10 ? 1 : 0) }),
    ]));
    table.replaceChildren(
      lab.make("thead", {}, [lab.make("tr", {}, heads.map((text, at) => lab.make("th", { scope: "col", class: at < 2 ? "text" : "", text })))]),
      lab.make("tbody", {}, rows));
  }

  async function log() {
    const mine = key, text = lab.element("log-text");
    const found = await live.ask("/api/log", next ? { run: key, from: next } : { run: key });
    if (mine !== key) return;
    const atEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 4 || next === "";
    const goesOn = next !== "" && found.begin === Number(next);
    if (goesOn) text.append(found.text);
    else text.textContent = found.text;
    if (text.textContent.length > 2 * MOST_LOG) text.textContent = text.textContent.slice(-MOST_LOG);
    if (!goesOn) lab.element("log-note").textContent = found.begin > 0 ? "The end of the log." : "";
    next = String(found.next);
    if (atEnd) text.scrollTop = text.scrollHeight;
  }

  async function file(name) {
    const mine = key;
    const text = await live.ask("/text", { run: key, file: name }, "text");
    if (mine !== key) return;
    const place = lab.element(`${name}-text`);
    if (place.textContent !== text) place.textContent = text;
  }

  async function pictures() {
    const mine = key, attended = known.evaluations.filter((item) => item.attention).slice(0, MOST_EVALUATIONS);
    const state = `${key} ${attended.map((item) => item.id).join(" ")} ${known.pictures.join(" ")}`;
    if (state !== attentionOf) {
      const found = [];
      for (const item of attended) {
        try {
          found.push(await live.ask("/api/attention", { run: key, evaluation: item.id }));
        } catch { /* an evaluation being replaced, or one that cannot be read, has no picture */ }
      }
      if (mine !== key) return;
      attentionOf = state;
      const kept = found.filter((item) => item.sentences.length);
      lab.data.splits[0] = { decoded: true, entries: kept, attention: kept.map((item, entry) => ({ entry, sentences: item.sentences })) };
      lab.element("attention-entry").replaceChildren();
      lab.element("attention-sentence").replaceChildren();
      lab.element("pictures").hidden = known.pictures.length === 0;
      lab.element("pictures-list").replaceChildren(...known.pictures.map((name) =>
        lab.make("img", { src: live.address("/picture", { run: key, name }), alt: name, title: name, loading: "lazy" })));
      lab.element("pictures-none").hidden = kept.length + known.pictures.length > 0;
    }
    lab.redraw();
  }

  async function fill() {
    const mine = key;
    try {
      const found = await live.ask("/api/run", { run: key });
      if (mine !== key) return;
      known = found;
      overview();
      for (const button of tabs) {
        const has = { overview: true, pictures: true }[button.value] ?? known.files.includes(button.value);
        button.disabled = !has;
        if (!has && tab === button.value) show("overview");
      }
      for (const name of ["log", "error", "config"]) lab.element(`${name}-link`).href = live.address("/text", { run: key, file: name });
      await shown();
    } catch (error) {
      if (mine === key) lab.element("details-line").textContent = error.message;
    }
  }

  async function shown() {
    if (!known) return;
    if (tab === "log" && known.files.includes("log")) await log();
    if ((tab === "error" || tab === "config") && known.files.includes(tab)) await file(tab);
    if (tab === "pictures") await pictures();
  }

  function show(value) {
    tab = value;
    for (const button of tabs) button.setAttribute("aria-pressed", String(button.value === value));
    for (const part of dialog.querySelectorAll("[data-tab]")) part.hidden = part.dataset.tab !== value;
  }

  function open(wanted) {
    if (wanted === key && dialog.open) return;
    key = wanted;
    known = null;
    next = "";
    for (const name of ["log", "error", "config"]) lab.element(`${name}-text`).textContent = "";
    for (const id of ["details-facts", "details-evaluations", "pictures-list"]) lab.element(id).replaceChildren();
    const status = live.runs.get(key)?.status;
    show(status === "failed" || status === "refused" ? "error" : tab === "error" ? "overview" : tab);
    headline();
    if (!dialog.open) dialog.showModal();
    fill();
  }

  function follow() {
    const found = /^#run=([0-9a-f]{16})$/.exec(location.hash);
    if (found) open(found[1]);
    else if (dialog.open) dialog.close();
  }

  for (const button of tabs) {
    button.addEventListener("click", () => {
      show(button.value);
      shown().catch((error) => { lab.element("details-line").textContent = error.message; });
    });
  }
  lab.element("details-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    key = "";
    if (location.hash) history.replaceState(null, "", location.pathname);
  });
  window.addEventListener("hashchange", follow);
  live.listeners.push((changed) => {
    if (!dialog.open || !changed.has(key)) return;
    headline();
    fill();
  });
  live.follow = follow;
})();
