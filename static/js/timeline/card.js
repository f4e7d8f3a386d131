// A cell's card: all attempts of a client in a run, for the mouse and for the keyboard, fetched when it is wanted.
const SHOW_MS = 150;
const HIDE_MS = 200;
const table = document.querySelector("[data-timeline]");
const card = document.querySelector("[data-card]");
const kept = new Map(); // address -> what was fetched
let cell;
let timer;

const addressOf = (link) => link.pathname + "/card" + link.search;

function place() {
  const [box, own] = [cell.getBoundingClientRect(), card.getBoundingClientRect()];
  const left = Math.min(box.left, innerWidth - own.width - 8);
  const above = box.bottom + own.height + 8 > innerHeight && box.top > own.height + 8;
  card.style.left = `${Math.max(8, left)}px`;
  card.style.top = `${above ? box.top - own.height - 6 : box.bottom + 6}px`;
}

function show(link) {
  cell?.removeAttribute("aria-describedby");
  cell = link;
  const address = addressOf(link);
  if (kept.has(address)) return reveal(kept.get(address));
  card.setAttribute("hx-get", address);
  card.dispatchEvent(new CustomEvent("mirror:card"));
}

function reveal(nodes) {
  card.replaceChildren(...nodes);
  card.hidden = false;
  cell.setAttribute("aria-describedby", card.id);
  place();
}

function hide() {
  clearTimeout(timer);
  cell?.removeAttribute("aria-describedby");
  cell = undefined;
  card.hidden = true;
}

function soon(work, milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(work, milliseconds);
}

const linkAt = (target) => target.closest?.("[data-c] a");

table.addEventListener("pointerover", ({ target, pointerType }) => {
  const link = linkAt(target);
  if (link && pointerType === "mouse") soon(() => show(link), card.hidden ? SHOW_MS : 50);
});
table.addEventListener("pointerout", () => soon(hide, HIDE_MS));
table.addEventListener("focusin", ({ target }) => {
  const link = linkAt(target);
  if (link?.matches(":focus-visible")) soon(() => show(link), SHOW_MS);
});
table.addEventListener("focusout", () => soon(hide, HIDE_MS));
card.addEventListener("pointerenter", () => clearTimeout(timer));
card.addEventListener("pointerleave", () => soon(hide, HIDE_MS));
document.addEventListener("keydown", ({ key }) => key === "Escape" && hide());
table.parentElement.addEventListener("scroll", () => cell && !cell.matches(":focus") && hide(), { passive: true });
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx?.sourceElement === card) {
    const nodes = [...card.childNodes];
    kept.set(card.getAttribute("hx-get"), nodes);
    if (cell && addressOf(cell) === card.getAttribute("hx-get")) reveal(nodes);
  } else if (ctx) kept.clear(); // a run has changed
});
