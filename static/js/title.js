// Title and favicon carry the state, also in a tab that is hidden: its counts come with the event.
const BAD = ["crashed", "failed"];
const WARN = ["stuck", "missing", "quiet", "lost"];
const root = () => document.querySelector("[data-refresh]");
const icon = document.querySelector("[data-favicon]");
let mood = root()?.dataset.mood ?? "ok";

function show() {
  const wanted = icon.dataset["stale" in document.documentElement.dataset ? "stale" : mood];
  if (icon.getAttribute("href") !== wanted) icon.setAttribute("href", wanted);
}

function titleOf(name, counts) {
  const worst = [...BAD, "stuck"].find((state) => counts[state]);
  return worst ? `(${counts[worst]} ${worst}) ${name}` : name;
}

document.addEventListener("mirror:change", ({ detail: { newest, counts } }) => {
  const page = root();
  const isOfThisPage = page?.dataset.title && ("follows" in page.dataset || Number(page.dataset.run) === newest);
  const hasOnlyRows = isOfThisPage && "rows" in page.dataset; // what it fetches does not say how the page is called
  if (!isOfThisPage || !counts || !newest || !(document.hidden || hasOnlyRows)) return;
  document.title = titleOf(page.dataset.name ?? `Run ${newest}`, counts);
  mood = BAD.some((state) => counts[state]) ? "bad" : WARN.some((state) => counts[state]) ? "warn" : "ok";
  if (hasOnlyRows) Object.assign(page.dataset, { title: document.title, mood });
  show();
});
document.addEventListener("htmx:after:swap", () => {
  const { title, mood: fetched } = root()?.dataset ?? {};
  if (title && document.title !== title) document.title = title;
  mood = fetched ?? mood;
  show();
});
document.addEventListener("mirror:stale", show);
