// The plots of file delivery: both share streams, crosshair and zoom. A double click shows everything again.
import { showLegend, showValues } from "./chart-legend.js";
import { options } from "./chart-options.js";

const holders = () => [...document.querySelectorAll("[data-chart]")];
const hidden = new Set(); // labels of streams that are switched off
const plots = new Map(); // kind -> uPlot
let data;
let drawnVersion;

const fileTime = () => document.querySelector("[name=filetime]:checked")?.value ?? "mtime";
const columns = (kind) => [data.lumis, ...data.streams.map((stream) => stream[kind === "delay" ? fileTime() : kind])];

function draw() {
  for (const holder of holders()) {
    const kind = holder.dataset.chart;
    plots.get(kind)?.destroy();
    holder.replaceChildren();
    const labels = data.streams.map(({ label }) => label);
    const tell = (index) => showValues(holder, kind, columns(kind), index);
    const plot = new window.uPlot(options(kind, holder, labels, tell), columns(kind), holder);
    data.streams.forEach(({ label }, i) => plot.setSeries(i + 1, { show: !hidden.has(label) }));
    plots.set(kind, plot);
    showLegend(holder, labels, hidden);
    fit.observe(holder);
  }
}

const fit = new ResizeObserver(() => plots.forEach((plot) => {
  const width = plot.root.parentElement?.clientWidth;
  if (width && width !== plot.width) plot.setSize({ width, height: plot.height });
}));

async function fetched(holder) {
  try {
    const answer = await fetch(holder.dataset.source);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

// Only what is of another version is fetched. A zoom stays where it is while the run goes on.
async function load() {
  const [holder] = holders();
  const version = holder?.dataset.source + holder?.dataset.version;
  if (!holder || !window.uPlot || version === drawnVersion) return;
  drawnVersion = version;
  const fresh = await fetched(holder);
  if (!fresh) return void (drawnVersion = undefined); // the next update tries again
  const isSame = data?.run === fresh.run && data.streams.length === fresh.streams.length && holder.firstChild;
  data = fresh;
  if (!isSame) return draw();
  plots.forEach((plot, kind) => update(plot, columns(kind)));
}

function update(plot, fresh) {
  const { min, max } = plot.scales.x;
  const isZoomed = min > plot.data[0][0] || max < plot.data[0].at(-1);
  plot.setData(fresh, !isZoomed);
  if (isZoomed) plot.setScale("x", { min, max });
}

document.addEventListener("change", ({ target }) => {
  if (target.name === "filetime" && data) update(plots.get("delay"), columns("delay"));
});
document.addEventListener("click", ({ target }) => {
  const label = target.closest("[data-stream]")?.dataset.stream;
  if (!label) return;
  hidden.has(label) ? hidden.delete(label) : hidden.add(label);
  const i = data.streams.findIndex((stream) => stream.label === label);
  plots.forEach((plot) => plot.setSeries(i + 1, { show: !hidden.has(label) }));
  for (const button of document.querySelectorAll("[data-stream]")) button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.stream)));
});
document.addEventListener("htmx:after:swap", load);
document.addEventListener("mirror:theme", () => data && draw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => data && draw());
load();
