// The inbox as it fills: htmx has its list sent anew when a message came or was read elsewhere, unless one is
// open just now. Without scripts the page is as it was loaded.
"use strict";
{
  const list = document.getElementById("inbox-live");
  let due = false;
  let source;

  const send = () => {
    if (!due || document.hidden || list.querySelector("details[open]")) return;
    due = false;
    window.htmx.trigger(list, "live");
    window.htmx.trigger(document.body, "unread");
  };

  const connect = () => {
    source = new EventSource("/inbox/live");
    for (const told of ["entry", "changed", "reset"]) {
      source.addEventListener(told, () => {
        due = true;
        send();
      });
    }
  };

  list.addEventListener("toggle", send, { capture: true });
  document.addEventListener("visibilitychange", send);
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && connect());
  document.addEventListener("DOMContentLoaded", () => window.htmx && connect());
}
