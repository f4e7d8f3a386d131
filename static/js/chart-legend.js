// The legend of a plot: each stream switches itself off and on, and says its value at the crosshair.
import { KINDS, streamClass } from "./chart-options.js";

const legendOf = (holder) => holder.parentElement.querySelector("[data-legend]");
const isMissing = (value) => value === null || value === undefined;

function entry(label, i, isHidden) {
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.setAttribute("aria-pressed", String(!isHidden));
  button.dataset.stream = label;
  const swatch = Object.assign(document.createElement("span"), { className: `swatch ${streamClass(i)}` });
  button.append(swatch, label, Object.assign(document.createElement("output"), { className: "stream-value" }));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

export function showLegend(holder, labels, hidden) {
  legendOf(holder).replaceChildren(...labels.map((label, i) => entry(label, i, hidden.has(label))));
}

export function showValues(holder, kind, [lumis, ...streams], index) {
  const { unit, digits } = KINDS[kind];
  holder.parentElement.querySelector("[data-at]").textContent = isMissing(index) ? "" : `LS ${lumis[index]}`;
  legendOf(holder).querySelectorAll("output").forEach((output, i) => {
    const value = streams[i]?.[index];
    output.textContent = isMissing(value) ? "" : `${value.toLocaleString("en", { maximumFractionDigits: digits })} ${unit}`;
  });
}
