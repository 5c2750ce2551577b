// A WebSocket peer on npm's ws, driven by JSON lines: see ../doc.go.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import WebSocket from 'ws';

const { version } = createRequire(import.meta.url)('ws/package.json');
const emit = (event) => process.stdout.write(JSON.stringify(event) + '\n');

let ws = null;

function connect({ url, subprotocols = [], headers = {}, compression = false }) {
  const conn = new WebSocket(url, subprotocols, { headers, perMessageDeflate: compression });
  ws = conn;
  let opened = false;
  let rejected = false;
  conn.on('open', () => {
    opened = true;
    emit({ event: 'open', subprotocol: conn.protocol, extensions: conn.extensions });
  });
  conn.on('unexpected-response', (req, res) => {
    rejected = true;
    const pairs = Object.entries(res.headers).map(([name, value]) => [name, String(value)]);
    emit({ event: 'rejected', status: res.statusCode, headers: Object.fromEntries(pairs) });
    req.destroy();
  });
  conn.on('message', (data, binary) =>
    emit(binary ? { event: 'binary', data: data.toString('base64') } : { event: 'text', text: data.toString() }));
  conn.on('pong', (data) => emit({ event: 'pong', text: data.toString() }));
  conn.on('error', (err) => {
    // What goes wrong on an open connection ends it, and the close event tells.
    if (opened || rejected) console.error(err.message);
    else emit({ event: 'error', message: err.message });
  });
  conn.on('close', (code, reason) => opened && emit({ event: 'close', code, reason: reason.toString() }));
}

const commands = {
  connect,
  send: ({ text, data }) => ws.send(text ?? Buffer.from(data, 'base64')),
  ping: ({ text }) => ws.ping(text),
  close: ({ code, reason }) => ws.close(code, reason),
  terminate: () => ws.terminate(),
};

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const command = JSON.parse(line);
  try {
    commands[command.cmd](command);
  } catch (err) {
    emit({ event: 'error', message: `${command.cmd}: ${err.message}` });
  }
});
input.on('close', () => process.exit());

emit({ event: 'ready', text: `ws ${version}, node ${process.version}` });
