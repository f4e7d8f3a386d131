// The SharedWorker that owns the streams: however many tabs look at a cluster, the server has one stream to feed.
import { Stream } from "./stream.js";

const rooms = new Map(); // address of a stream -> { stream, ports }

function join(port, { url, after }) {
  let room = rooms.get(url);
  if (!room) {
    room = { ports: new Set() };
    rooms.set(url, room);
    room.stream = new Stream(url, after, (message) => room.ports.forEach((one) => one.postMessage(message)));
  }
  room.ports.add(port);
  // What was said between the making of this tab's page and now is told by the id.
  port.postMessage({ kind: "joined", detail: { last: room.stream.last } });
}

function leave(port) {
  for (const [url, room] of rooms) {
    if (!room.ports.delete(port) || room.ports.size) continue;
    room.stream.close();
    rooms.delete(url);
  }
}

self.addEventListener("connect", ({ ports: [port] }) => {
  port.onmessage = ({ data }) => (data.leave ? leave(port) : join(port, data));
});
