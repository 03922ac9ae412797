// Parts of a page that follow changes: an element with data-live="topic …" has itself sent anew by htmx
// (hx-get and hx-trigger="live") when one of its topics changed. Without scripts the page is as it was loaded.
"use strict";
{
  const AGAIN_MS = 30000; // after a refusal, such as too many open pages
  const due = new Set();
  let source;
  // Where the server's order of changes was when the page was made, or a little before
  let last = `${Number(document.body.dataset.shownAt) - 2}.0`;

  const parts = () => [...document.querySelectorAll("[data-live]")];

  // Nothing is taken away from under somebody's hands: what is being filled in, chosen or asked waits
  const busy = (part) =>
    document.hidden ||
    part.querySelector("dialog[open], .htmx-request, input:checked:not([checked])") ||
    [...part.querySelectorAll("input, textarea")].some((field) => field.value !== field.defaultValue) ||
    (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, [contenteditable]"));

  const address = (element) => {
    if (!element || element === document.body) return null;
    if (element.id) return `#${CSS.escape(element.id)}`;
    const href = element.getAttribute("href");
    if (href) return `a[href="${CSS.escape(href)}"]`;
    return element.name ? `[name="${CSS.escape(element.name)}"]` : null;
  };

  const send = () => {
    for (const part of due) {
      if (!part.isConnected) due.delete(part);
      else if (!busy(part)) {
        due.delete(part);
        const focused = part.contains(document.activeElement) ? address(document.activeElement) : null;
        const opened = [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
        const restore = () => {
          for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
          if (focused && (!document.activeElement || document.activeElement === document.body)) {
            document.querySelector(focused)?.focus({ preventScroll: true });
          }
        };
        document.addEventListener("htmx:afterSettle", restore, { once: true });
        window.htmx.trigger(part, "live");
      }
    }
  };

  const changed = (topics) => {
    for (const part of parts()) {
      if (!topics || part.dataset.live.split(/\s+/).some((topic) => topics.has(topic))) due.add(part);
    }
    send();
  };

  const connect = () => {
    if (!parts().length || !window.htmx) return;
    source = new EventSource(`/changes?after=${encodeURIComponent(last)}`);
    const heard = (topics) => (event) => {
      last = event.lastEventId || last;
      changed(topics(event));
    };
    source.addEventListener("changed", heard((event) => new Set(JSON.parse(event.data))));
    source.addEventListener("all", heard(() => null));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_MS);
    });
  };

  // Following changes is not doing something: a session in which nothing else is done ends
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.triggeringEvent?.type === "live") event.detail.headers["X-Live"] = "1";
  });
  document.addEventListener("focusout", () => setTimeout(send));
  document.addEventListener("visibilitychange", send);
  setInterval(send, 5000);
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && connect());
  document.addEventListener("DOMContentLoaded", connect);
}
