// Filters the job table at once, by name and state. The URL has it too: the server draws the same.
const input = () => document.querySelector("[data-filter]");
const here = () => new URLSearchParams(location.search);

function put(name, value) {
  const url = new URL(location.href);
  if (value) url.searchParams.set(name, value);
  else url.searchParams.delete(name);
  history.replaceState(history.state, "", url);
}

function announce(words) {
  const region = document.querySelector("[data-announcer]");
  if (region.textContent !== words) region.textContent = words;
}

function apply() {
  const table = document.querySelector("[data-job-table]");
  if (!table) return;
  const [q, state] = [(here().get("q") ?? "").toLowerCase(), here().get("state")];
  let shown = 0;
  for (const row of table.querySelectorAll("[data-row]")) {
    const matches = (!state || row.dataset.state === state) && row.dataset.client.includes(q);
    shown += matches;
    row.toggleAttribute("hidden", !matches);
    if (row.nextElementSibling?.matches(".detail")) row.nextElementSibling.toggleAttribute("data-ui-out", !matches);
  }
  document.querySelector("[data-none-shown]").toggleAttribute("hidden", shown > 0);
  announce(q || state ? `${shown} shown` : "");
  for (const tile of document.querySelectorAll("[data-state-filter]")) {
    if (tile.dataset.stateFilter === state) tile.setAttribute("aria-current", "true");
    else tile.removeAttribute("aria-current");
  }
}

document.addEventListener("input", ({ target }) => {
  if (!target.matches("[data-filter]")) return;
  put("q", target.value);
  apply();
});
document.addEventListener("click", (event) => {
  const isPlain = !(event.ctrlKey || event.metaKey || event.shiftKey);
  const tile = event.target.closest("[data-state-filter]");
  const clear = event.target.closest("[data-clear-filter]");
  if (!isPlain || !(tile || clear)) return;
  event.preventDefault();
  put("state", tile && here().get("state") !== tile.dataset.stateFilter ? tile.dataset.stateFilter : "");
  if (clear) {
    put("q", "");
    input().value = "";
  }
  apply();
});
document.addEventListener("keydown", ({ key, target }) => {
  if (key === "Enter" && target.matches("[data-filter]")) document.querySelector("[data-row]:not([hidden]) [data-row-link]")?.focus();
});
document.addEventListener("submit", (event) => {
  if (event.target.matches("#finders") && !document.querySelector("[data-run-box]").value) event.preventDefault();
});
document.addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
});
document.addEventListener("htmx:after:swap", apply);
apply();
