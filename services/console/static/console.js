// What every page does where scripts run: its menu, questions before what cannot be taken back, and saying
// what went wrong. Pages work without it.
"use strict";
{
  const asked = new WeakSet();

  const element = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };

  const trouble = (text) => {
    const place = document.getElementById("trouble");
    place.replaceChildren(element("div", { class: "alert alert-danger" }, text));
    place.scrollIntoView({ block: "nearest" });
  };

  // The menu on narrow screens
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".menu-button");
    if (!button) return;
    const open = document.getElementById(button.getAttribute("aria-controls")).classList.toggle("menu-open");
    button.setAttribute("aria-expanded", String(open));
  });

  // A question first, where a form has one: data-confirm, on the form or on the button that sends it
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    const dialog = document.getElementById("question");
    if (!question || asked.delete(form) || !dialog) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    dialog.querySelector("p").textContent = question;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "yes") return;
      asked.add(form);
      form.requestSubmit(event.submitter);
    }, { once: true });
    dialog.showModal();
  }, { capture: true });

  // Sent once: what sends a form rests until the next page is there, or a file has come instead
  const rested = () => {
    document.documentElement.classList.remove("waits");
    for (const form of document.forms) delete form.dataset.sent;
  };
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method === "dialog") return;
    if (event.target.dataset.sent && event.target.method === "post") {
      event.preventDefault();
      return;
    }
    event.target.dataset.sent = "yes";
    document.documentElement.classList.add("waits");
    setTimeout(rested, 10000);
  });
  addEventListener("pageshow", rested);

  // What htmx asks for and does not get
  document.addEventListener("htmx:sendError", () => trouble(document.getElementById("trouble").dataset.away));
  document.addEventListener("htmx:timeout", () => trouble(document.getElementById("trouble").dataset.away));
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.requestConfig.headers["X-Live"]) return; // nobody asked for it, so nobody waits
    document.getElementById("trouble").replaceChildren();
    event.detail.target?.setAttribute("aria-busy", "true");
  });
  document.addEventListener("htmx:afterRequest", (event) => event.detail.target?.removeAttribute("aria-busy"));

  // News go away by themselves
  const news = document.getElementById("news");
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const one of change.addedNodes) setTimeout(() => one.remove(), 12000);
    }
  }).observe(news, { childList: true });

  // Days picked on a calendar go into the form's fields: the first, then the last
  document.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-pick] td[data-day]");
    if (!cell) return;
    const fields = cell.closest("[data-pick]").dataset.pick.split(" ").map((name) => document.getElementById(name));
    if (fields.some((field) => !field)) return;
    const [first, last] = fields;
    const day = cell.dataset.day;
    const begins = !last || !first.value || last.value || day < first.value;
    const field = begins ? first : last;
    field.value = day;
    if (begins && last) last.value = "";
    for (const one of fields) one.dispatchEvent(new Event("change", { bubbles: true }));
    for (const other of cell.closest("[data-pick]").querySelectorAll("td[data-day]")) {
      const until = last?.value || first.value;
      other.classList.toggle("day-chosen", other.dataset.day >= first.value && other.dataset.day <= until);
    }
  });

  // The address without the language once it is remembered: it would go along with what is shared
  const address = new URL(location.href);
  if (address.searchParams.has("lang")) {
    address.searchParams.delete("lang");
    history.replaceState(history.state, "", address);
  }
}
