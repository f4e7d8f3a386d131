// Rows of the job table: opened in place, walked through by j and k.
const details = () => document.querySelectorAll("[data-job-table] .detail");
const links = () => [...document.querySelectorAll("[data-row]:not([hidden]) [data-row-link]")];
const opener = (row) => row?.querySelector("[data-opens]");

function fill(detail) {
  detail.querySelector("[data-detail-body]").dispatchEvent(new CustomEvent("mirror:open"));
}

function toggle(button) {
  const detail = document.getElementById(button.dataset.opens);
  detail.hidden = !detail.hidden;
  if (!detail.hidden) fill(detail);
  mark();
}

// The server does not know what is open: after each update the buttons are set again.
function mark() {
  for (const detail of details()) {
    const button = opener(detail.previousElementSibling);
    const isOpen = String(!detail.hidden);
    if (button && button.getAttribute("aria-expanded") !== isOpen) button.setAttribute("aria-expanded", isOpen);
    button?.toggleAttribute("data-ui-open", !detail.hidden);
  }
}

const currentRow = () => document.activeElement?.closest("[data-row]");

document.addEventListener("click", ({ target, detail: clicks }) => {
  const button = target.closest("[data-opens]");
  const row = target.closest("[data-row]");
  if (button) toggle(button);
  else if (row && clicks && opener(row) && !target.closest("a, button") && getSelection().isCollapsed) toggle(opener(row));
});
document.addEventListener("mirror:key", ({ detail: key }) => {
  const row = currentRow();
  if (key === "j" || key === "k") {
    const all = links();
    const at = all.indexOf(row?.querySelector("[data-row-link]"));
    all[key === "j" ? Math.min(at + 1, all.length - 1) : Math.max(at - 1, 0)]?.focus();
  } else if (key === "o" && opener(row)) toggle(opener(row));
  else if (key === "l") row?.querySelector("[data-log-link]")?.click();
});
document.addEventListener("mirror:refresh", () => details().forEach((detail) => detail.hidden || fill(detail)));
document.addEventListener("htmx:after:swap", mark);
