// The server's time. This machine's clock may be wrong; only how fast it runs is believed.
let offset = Date.now() - performance.now();
let isTold = false;

export const serverNow = () => performance.now() + offset;

// A beat tells it to the millisecond; an answer's Date header to the second, and is believed where no beat came.
export function tellTime(milliseconds, { exact = true } = {}) {
  if (!milliseconds || (isTold && !exact)) return;
  offset = milliseconds - performance.now();
  isTold ||= exact;
}
