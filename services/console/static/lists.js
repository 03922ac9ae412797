// Lists by keyboard: j and k or the arrows go from row to row, x ticks, / looks, ? says all of this.
// Without this module lists work by Tab, as all pages do.

const rows = () => [...document.querySelectorAll("[data-row]")];
const linkOf = (row) => row.querySelector("a[href]");
const boxOf = (row) => row.querySelector("input[type=checkbox]");
const boxes = () => rows().map(boxOf).filter(Boolean);
const here = () => document.activeElement?.closest("[data-row]");
const writes = (element) =>
  element?.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

let lastTicked = null;

function go(step) {
  const all = rows();
  const next = all[here() ? all.indexOf(here()) + step : step > 0 ? 0 : all.length - 1];
  if (!next) return;
  linkOf(next)?.focus();
  next.scrollIntoView({ block: "nearest" });
}

function tick(row, upTo) {
  const box = boxOf(row);
  if (!box) return;
  box.checked = !box.checked;
  const all = rows();
  const last = all.findIndex((one) => boxOf(one)?.value === lastTicked);
  if (upTo && last >= 0) {
    const [from, to] = [last, all.indexOf(row)].sort((a, b) => a - b);
    for (const between of all.slice(from, to + 1)) boxOf(between).checked = box.checked;
  }
  lastTicked = box.value;
  count();
}

function count() {
  const ticked = boxes().filter((box) => box.checked).length;
  for (const place of document.querySelectorAll("[data-ticked]")) place.textContent = `(${ticked})`;
  for (const bar of document.querySelectorAll("[data-ticked-bar]")) bar.hidden = ticked === 0;
  const all = document.querySelector("[data-all]");
  if (all) {
    all.hidden = false;
    all.checked = ticked > 0 && ticked === boxes().length;
    all.indeterminate = ticked > 0 && ticked < boxes().length;
  }
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || writes(event.target)) return;
  const dialog = document.querySelector("dialog[data-shortcuts]");
  if (dialog?.open) return;
  const row = here();
  const keys = {
    j: () => go(1),
    k: () => go(-1),
    ArrowDown: row && (() => go(1)),
    ArrowUp: row && (() => go(-1)),
    x: row && (() => tick(row, false)),
    X: row && (() => tick(row, true)),
    " ": row && event.target.matches("a") && (() => tick(row, event.shiftKey)),
    "/": () => document.querySelector("[role=search] input:not([type=hidden])")?.focus(),
    "?": () => dialog?.showModal(),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
}

document.addEventListener("keydown", onKey);
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) for (const box of boxes()) box.checked = event.target.checked;
  if (event.target.matches("[data-all], [data-row] input")) count();
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-show-shortcuts]")) document.querySelector("dialog[data-shortcuts]")?.showModal();
});
// What is ticked outlives another filter.
let ticked = new Set();
document.addEventListener("htmx:beforeSwap", () => {
  ticked = new Set(boxes().filter((box) => box.checked).map((box) => box.value));
});
document.addEventListener("htmx:afterSettle", () => {
  for (const box of boxes()) box.checked ||= ticked.has(box.value);
  count();
});
for (const button of document.querySelectorAll("[data-show-shortcuts]")) button.hidden = false;
count();
