// What a chart that the server drew says under the pointer: the nearest point, in the words of the table below it.
const SVG = "http://www.w3.org/2000/svg";
const read = new WeakMap();

function pointsOf(plot) {
  const drawn = plot.querySelector(".trace").getAttribute("d");
  if (read.get(plot)?.drawn !== drawn) {
    const points = [...drawn.matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
    read.set(plot, { drawn, points });
  }
  return read.get(plot).points;
}

function wordsOf(card, index) {
  const heads = [...card.querySelectorAll("thead th")].map((cell) => cell.textContent);
  const cells = [...card.querySelectorAll("tbody tr")[index].cells].map((cell) => cell.textContent);
  return heads.map((head, i) => `${head} ${cells[i]}`).join(" · ");
}

function marksOf(plot) {
  const there = plot.querySelector(".marks");
  if (there) return there.children;
  const group = plot.appendChild(document.createElementNS(SVG, "g"));
  group.setAttribute("class", "marks");
  group.appendChild(document.createElementNS(SVG, "line")).setAttribute("class", "cursor");
  group.appendChild(document.createElementNS(SVG, "circle")).setAttribute("class", "dot");
  return group.children;
}

const put = (element, values) => Object.entries(values).forEach(([name, value]) => element.setAttribute(name, value));

function point(plot, clientX) {
  const { left, width } = plot.getBoundingClientRect();
  const at = ((clientX - left) / width) * plot.viewBox.baseVal.width;
  const points = pointsOf(plot);
  const nearest = points.reduce((best, [x], i) => (Math.abs(x - at) < Math.abs(points[best][0] - at) ? i : best), 0);
  const [x, y] = points[nearest];
  const [line, dot] = marksOf(plot);
  put(line, { x1: x, x2: x, y1: 8, y2: 156 });
  put(dot, { cx: x, cy: y, r: 3.5 });
  const card = plot.closest(".card");
  card.querySelector("[data-readout]").textContent = wordsOf(card, nearest);
}

document.addEventListener("pointermove", ({ target, clientX }) => {
  const plot = target.closest?.("[data-plot]");
  if (plot) point(plot, clientX);
});
document.addEventListener("pointerout", ({ target, relatedTarget }) => {
  const plot = target.closest?.("[data-plot]");
  if (!plot || plot.contains(relatedTarget)) return;
  plot.querySelector(".marks")?.remove();
  plot.closest(".card").querySelector("[data-readout]").textContent = "";
});
