// The module that a SharedWorker runs.

import { serveTabs } from "./worker-host.js";

const serve = serveTabs();
(globalThis as { onconnect?: (event: MessageEvent) => void }).onconnect = ({ ports }) => serve(ports[0]!);
