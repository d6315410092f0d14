// First drawing, and drawing again when split, theme or width change; marks the section in view.
(() => {
  const chooser = lab.element("split");
  chooser?.addEventListener("change", () => {
    lab.splitIndex = Number(chooser.value);
    for (const part of document.querySelectorAll("[data-split]")) part.hidden = part.dataset.split !== chooser.value;
    lab.redraw();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => lab.redraw());
  let narrow = lab.narrow();
  window.addEventListener("resize", () => {
    lab.fit();
    if (narrow !== lab.narrow()) {
      narrow = lab.narrow();
      lab.redraw();
    }
  });
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const watcher = new IntersectionObserver((seen) => {
    for (const item of seen) {
      if (!item.isIntersecting) continue;
      for (const [id, link] of links) {
        if (id === item.target.id) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  for (const section of document.querySelectorAll("section[id]")) watcher.observe(section);
  lab.redraw();
  document.documentElement.dataset.ready = "true";
})();
