// What stands of an alarm on the page: the bell's number, and a note at its edge that a screen reader says politely.
const SHOWN_MS = 30000;
const SHOWN_MAX = 3;
const region = document.querySelector("[data-alarms-told]");

export function count(bell, n) {
  const badge = bell.querySelector("[data-alarm-count]");
  badge.hidden = !n;
  if (badge.textContent !== String(n)) badge.textContent = n;
}

function element(name, values, ...children) {
  const made = Object.assign(document.createElement(name), values);
  made.append(...children);
  return made;
}

export function tell({ key, title, words, url, stands }) {
  const close = element("button", { type: "button", ariaLabel: "Close" }, "×");
  const note = element(
    "div",
    { className: stands ? "told" : "told is-over" },
    element("b", {}, stands ? title : `Over: ${title}`),
    close,
    element("a", { href: url }, words),
  );
  note.dataset.told = key;
  close.addEventListener("click", () => note.remove());
  for (const other of region.children) if (other.dataset.told === key) other.remove();
  region.append(note);
  while (region.childElementCount > SHOWN_MAX) region.firstElementChild.remove();
  fade(note);
}

// Nobody loses what is being read: it stays while the pointer or the focus is on it.
function fade(note) {
  setTimeout(() => (note.matches(":hover, :focus-within") ? fade(note) : note.remove()), SHOWN_MS);
}
