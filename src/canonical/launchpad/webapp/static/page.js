// Refreshes the page without losing its place.  Nothing needs this script.
"use strict";
(() => {
  const seconds = Number(document.body.dataset.refresh);
  let busy = false;

  // What somebody types, opens or scrolls in is left alone.
  const inUse = () => document.hidden
    || document.activeElement?.matches("input, select, textarea")
    || document.querySelector("details.keep[open]")
    || document.querySelector(".wide")?.scrollLeft
    || !document.getSelection().isCollapsed;

  async function refresh() {
    if (busy || inUse()) return;
    busy = true;
    try {
      const response = await fetch(location.href, {cache: "no-cache"});
      const page = new DOMParser().parseFromString(
        await response.text(), "text/html");
      const focused = document.activeElement;
      const href = focused?.getAttribute?.("href");
      for (const part of ["main", "footer", "title"]) {
        const [old, fresh] = [document, page].map(
          each => each.querySelector(part));
        if (old && fresh) old.replaceWith(fresh);
      }
      document.querySelector("link[rel=icon]").href =
        page.querySelector("link[rel=icon]").href;
      if (href) {
        document.querySelector(`a[href="${CSS.escape(href)}"]`)?.focus(
          {preventScroll: true});
      }
      document.body.classList.remove("stale");
    } catch {
      document.body.classList.add("stale");
    } finally {
      busy = false;
    }
  }

  if (seconds > 0) {
    setInterval(refresh, seconds * 1000);
    document.addEventListener("visibilitychange", refresh);
  }

  // A click on a strip leads to that time.
  document.addEventListener("click", event => {
    const link = event.target.closest("a.whole");
    if (!link || event.button || event.metaKey || event.ctrlKey) return;
    const box = link.getBoundingClientRect();
    const bucket = Math.floor(96 * (event.clientX - box.left) / box.width);
    const at = new Date(
      Date.parse(link.dataset.since) + bucket * link.dataset.width * 1000);
    const address = new URL(link.href);
    address.searchParams.set("at", at.toISOString().slice(0, 16) + "Z");
    event.preventDefault();
    location.href = address;
  });
})();
