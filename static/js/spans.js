// How a span of time is written; the same words as dqmsquare/server/formats.py.
const [MINUTE, HOUR, DAY] = [60, 3600, 86400];

export function span(seconds, isShort = false) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  if (whole >= DAY) return isShort ? `${Math.floor(whole / DAY)} d` : `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
  const hours = Math.floor(whole / HOUR);
  return isShort ? `${hours} h` : `${hours} h ${String(Math.floor((whole % HOUR) / MINUTE)).padStart(2, "0")} min`;
}
