// One event stream of a cluster: keeps it open, goes on where it broke, says when it is lost.
const SILENT_MS = 16000; // three beats and a little: a connection may be dead without an error
const BACKOFF_MS = [1000, 2000, 4000, 8000, 16000, 30000];

export class Stream {
  #url;
  #tell;
  #source;
  #tries = 0;
  #watchdog;
  #retry;

  constructor(url, after, tell) {
    this.#url = url;
    this.last = after;
    this.#tell = tell;
    this.#open();
  }

  close() {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#retry);
    this.#source.close();
  }

  #open() {
    this.#source = new EventSource(this.last ? `${this.#url}?after=${encodeURIComponent(this.last)}` : this.#url);
    for (const kind of ["change", "beat", "reload"]) {
      this.#source.addEventListener(kind, (event) => this.#hear(kind, event));
    }
    this.#source.addEventListener("error", () => this.#lose());
    this.#watch();
  }

  #hear(kind, event) {
    this.#tries = 0;
    this.last = event.lastEventId || this.last;
    this.#watch();
    this.#tell({ kind, detail: JSON.parse(event.data) });
  }

  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#lose(), SILENT_MS);
  }

  #lose() {
    this.close();
    this.#tell({ kind: "lost", detail: {} });
    // Jitter, so that a thousand pages do not come back in the same moment.
    const wait = BACKOFF_MS[Math.min(this.#tries++, BACKOFF_MS.length - 1)] * (0.5 + Math.random());
    this.#retry = setTimeout(() => this.#open(), wait);
  }
}
