// How the two plots of file delivery look: points only, so that what is missing stays missing.
export const KINDS = {
  delay: { unit: "s", digits: 1, scale: { range: (u, low, high) => [Math.min(0, low), Math.max(high ?? 0, 1) * 1.05] } },
  events: { unit: "", digits: 0, scale: { distr: 4, range: (u, low, high) => [0, Math.max(high ?? 0, 10) * 1.5] } },
};

const HEIGHT = 208;
const STREAM_COLOURS = 8;

export const streamClass = (index) => `stream-${(index % STREAM_COLOURS) + 1}`;

// Colours are light-dark() pairs: the browser says which one it is, asked by an element that wears it.
function colourOf(holder, className) {
  const probe = document.createElement("i");
  probe.className = className;
  holder.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

const compact = new Intl.NumberFormat("en", { notation: "compact" });

export function options(kind, holder, labels, onCursor) {
  const quiet = colourOf(holder, "note");
  const line = colourOf(holder, "grid-colour");
  const axis = { stroke: quiet, font: "11px system-ui, sans-serif", grid: { stroke: line, width: 1 }, ticks: { show: false } };
  return {
    width: holder.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    scales: { x: { time: false }, y: KINDS[kind].scale },
    cursor: { sync: { key: "delivery", setSeries: false }, drag: { x: true, y: false }, points: { size: 6 } },
    axes: [
      { ...axis, size: 24, gap: 2 },
      { ...axis, size: 46, gap: 4, values: (u, splits) => splits.map((value) => (value === null ? "" : compact.format(value))) },
    ],
    series: [
      { label: "lumisection" },
      ...labels.map((label, i) => {
        const stroke = colourOf(holder, streamClass(i));
        return { label, stroke, paths: () => null, points: { show: true, size: 3, width: 0, fill: stroke } };
      }),
    ],
    hooks: { setCursor: [(u) => onCursor(u.cursor.idx)] },
  };
}
