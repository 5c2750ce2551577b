// Two clients in Node: one publishes within a trace, the other prints the context that its message brings. A carrier is what a
// propagator of OpenTelemetry fills and reads.
import WebSocket from "ws";
import { connect } from "../dist/hubkit.js";

const [, , url, traceparent] = process.argv;
const receiver = connect(url, { WebSocket });
const sender = connect(url, { WebSocket });
const message = await new Promise((done, fail) => {
  const room = receiver.subscribe("chat:traced", {
    onMessage: done,
    onError: fail,
    onJoin: () => {
      const carrier = {};
      carrier.traceparent = traceparent;
      carrier.tracestate = "vendor=1";
      sender.publish(room.name, "hello", carrier).catch(fail);
    },
  });
});
receiver.close();
sender.close();
console.log(message.traceparent, message.tracestate);
