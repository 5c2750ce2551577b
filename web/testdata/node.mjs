// A client in Node: publishes ten numbers, loses its connection in between, and prints what came.
import WebSocket from "ws";
import { connect } from "../dist/hubkit.js";

const hub = connect(process.argv[2], { WebSocket });
const got = [];
await new Promise((done, fail) => {
  const room = hub.subscribe("room:node", {
    onMessage: ({ data }) => got.push(data) === 10 && done(),
    onGap: fail,
    onError: fail,
  });
  for (let n = 1; n <= 5; n++) void room.publish(n);
  setTimeout(() => {
    hub.reconnect();
    for (let n = 6; n <= 10; n++) void room.publish(n);
  }, 200);
});
hub.close();
console.log(got.join());
