// Draws the clients of a machine: a name, a switch with three positions, and its word.
const SVG = "http://www.w3.org/2000/svg";

export const nameOf = (file) => file.replace(/_cfg\.py$/, "").replace(/_dqm_sourceclient-live$/, "");

function drawn(kind, attributes) {
  const element = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function knob() {
  const svg = drawn("svg", { class: "switch", viewBox: "0 0 30 16", "aria-hidden": "true" });
  svg.append(drawn("rect", { x: 0.5, y: 0.5, width: 29, height: 15, rx: 7.5 }), drawn("circle", { cx: 8, cy: 8, r: 5 }));
  return svg;
}

function row(file, isOn, mayChange) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const word = document.createElement("span");
  word.className = "client-state";
  word.textContent = isOn === null ? "unknown" : isOn ? "on" : "off";
  Object.assign(button, { type: "button", className: "client", disabled: !mayChange });
  button.setAttribute("role", "checkbox"); // a switch has no third position
  button.setAttribute("aria-checked", isOn === null ? "mixed" : String(isOn));
  button.dataset.client = file;
  button.append(knob(), nameOf(file), word);
  item.append(button);
  return item;
}

// `clients` are pairs of a file and true, false, or null where nobody knows.
export function drawClients(list, clients) {
  const focused = document.activeElement?.dataset?.client;
  list.replaceChildren(...clients.map(([file, isOn]) => row(file, isOn, "mayChange" in list.dataset)));
  if (focused) list.querySelector(`[data-client="${CSS.escape(focused)}"]`)?.focus();
}
