// A client in Node: publishes ten numbers, loses its connection in between, and prints what came.
import WebSocket from "ws";
import { cbor, fromBase64, toBase64 } from "../dist/cbor.js";
import { connect } from "../dist/hubkit.js";

const [, , url, codec] = process.argv;
const subprotocols = new Set();
class Noted extends WebSocket {
  constructor(...args) {
    super(...args);
    this.on("open", () => subprotocols.add(this.protocol));
  }
}
const hub = connect(url, { WebSocket: codec === "cbor" ? cbor(Noted) : Noted });
const got = [];
const published = []; // a message may come before the answer to its publication
await new Promise((done, fail) => {
  const room = hub.subscribe("room:node", {
    // Even numbers are bytes that are no UTF-8.
    onMessage: ({ data, bin }) => got.push(bin ? fromBase64(bin)[1] : data) === 10 && done(),
    onGap: fail,
    onError: fail,
  });
  const publish = (n) => published.push(n % 2 ? room.publish(n) : room.publish(undefined, { bin: toBase64(Uint8Array.of(255, n)) }));
  for (let n = 1; n <= 5; n++) publish(n);
  setTimeout(() => {
    hub.reconnect();
    for (let n = 6; n <= 10; n++) publish(n);
  }, 200);
});
await Promise.all(published);
hub.close();
console.log(got.join(), ...subprotocols);
