// A link with data-keeps-url="name=value" changes that one parameter of the address as it is now, filters included.
function rewrite({ target }) {
  const link = target.closest?.("a[data-keeps-url]");
  if (!link) return;
  const url = new URL(location.href);
  for (const [name, value] of new URLSearchParams(link.dataset.keepsUrl)) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  link.href = url.pathname + url.search;
}

for (const kind of ["pointerdown", "focusin", "click"]) document.addEventListener(kind, rewrite, true);
