// Brings the stream's messages into this page as DOM events: mirror:change, mirror:beat, mirror:reload, mirror:lost.
import { Stream } from "./stream.js";

const { events: path, worker } = document.body.dataset;
const after = document.querySelector("[data-after]")?.dataset.after;

function tell({ kind, detail }) {
  if (kind === "joined") return catchUp(detail);
  document.dispatchEvent(new CustomEvent(`mirror:${kind}`, { detail }));
}

function isNewer(id, than) {
  const [, database, number] = /^(.*)-(\d+)$/.exec(id) ?? [];
  const [, seenDatabase, seen] = /^(.*)-(\d+)$/.exec(than) ?? [];
  return database !== seenDatabase || Number(number) > Number(seen);
}

// Another tab's stream was open already and may have been told of changes that this page was made before.
function catchUp({ last }) {
  if (after && last && isNewer(last, after)) tell({ kind: "reload", detail: {} });
}

function connect() {
  const url = new URL(path, location.href).href;
  if (typeof SharedWorker === "undefined") return new Stream(url, after, tell);
  const shared = new SharedWorker(worker, { type: "module", name: "dqmsquare" });
  shared.onerror = () => new Stream(url, after, tell); // an old browser without module workers
  const { port } = shared;
  port.onmessage = ({ data }) => tell(data);
  port.postMessage({ url, after });
  addEventListener("pagehide", () => port.postMessage({ leave: true }));
  addEventListener("pageshow", ({ persisted }) => persisted && port.postMessage({ url, after }));
}

if (path && after) connect();
