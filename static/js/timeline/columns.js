// Which client stands in which column. A row that came later may have a client that no row had before.
const table = document.querySelector("[data-timeline]");
const head = table.tHead.rows[0];
const heads = () => [...head.querySelectorAll("[data-tag]")];

export const tags = () => heads().map((cell) => cell.dataset.tag);

function add(tag, client) {
  const cell = heads().at(-1).cloneNode(true);
  cell.dataset.tag = tag;
  cell.firstElementChild.textContent = client || tag;
  head.append(cell);
  return cell;
}

// A row's last cells are of the tags in data-adds, whatever columns the page has got meanwhile.
function align(row) {
  const adds = row.dataset.adds.split(" ");
  const moved = adds.map((tag, n) => [tag, row.cells[row.cells.length - adds.length + n]]);
  for (const [, cell] of moved) cell.remove();
  for (const [tag, cell] of moved) {
    if (!cell.dataset.c && !heads().some((one) => one.dataset.tag === tag)) continue; // another row will bring it
    const column = heads().find((one) => one.dataset.tag === tag) ?? add(tag, cell.dataset.c);
    while (row.cells.length < column.cellIndex) row.insertCell();
    row.cells[column.cellIndex]?.remove();
    row.insertBefore(cell, row.cells[column.cellIndex] ?? null);
  }
  delete row.dataset.adds;
}

export function alignRows() {
  table.querySelectorAll("tr[data-adds]").forEach(align);
}
