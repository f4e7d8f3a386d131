// The legend counts what is on the page, and has one state stand out. The URL has it too: the server draws the same.
const table = document.querySelector("[data-timeline]");
const note = document.querySelector("[data-pin-note]");
const chips = [...document.querySelectorAll(".legend [data-pins]")];
const pinned = () => new URLSearchParams(location.search).get("pin") ?? "";

function counted() {
  const counts = {};
  for (const row of table.querySelectorAll("[data-counts]")) {
    const words = row.dataset.counts.split(" ");
    for (let i = 0; i + 1 < words.length; i += 2) counts[words[i]] = (counts[words[i]] ?? 0) + Number(words[i + 1]);
  }
  return counts;
}

function count() {
  const counts = counted();
  for (const chip of chips) {
    const n = String(counts[chip.dataset.pins] ?? 0);
    const number = chip.querySelector("b");
    if (number.textContent !== n) number.textContent = n;
    chip.hidden = n === "0" && chip.dataset.pins !== pinned();
  }
}

function show() {
  const state = pinned();
  if (state) table.dataset.pin = state;
  else delete table.dataset.pin;
  for (const chip of chips) {
    if (chip.dataset.pins === state) chip.setAttribute("aria-current", "true");
    else chip.removeAttribute("aria-current");
  }
  note.hidden = !state;
  note.querySelector("[data-pin-name]").textContent = state;
  document.querySelector("[data-announcer]").textContent = state ? note.textContent : "";
  count();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-pins]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const url = new URL(location.href);
  if (link.dataset.pins && link.dataset.pins !== pinned()) url.searchParams.set("pin", link.dataset.pins);
  else url.searchParams.delete("pin");
  history.replaceState(history.state, "", url);
  show();
});
document.addEventListener("htmx:after:swap", count);
count();
