// What a page writes with the types of its service. It is compiled, and not run: see TestTypes.

import { connect } from "@gohubkit/client";
import type { Calls, Hub, RoomData, Thumbnail } from "./service.js";

const hub: Hub = connect("/ws");

export async function right(): Promise<void> {
  const made: Thumbnail = await hub.call("thumbnail", { image: 7, sizes: [{ width: 1, height: 2 }] });
  const width: number | undefined = made.best?.width;
  const by: string | undefined = made.of?.by;
  const when: string = made.made;
  const tag: string | undefined = made.tags?.["kind"];
  const all = await hub.call("told", { width: 1, height: 2 }, { timeout: 100 });
  const heights: number[] | undefined = all?.map((size) => size.height);
  const ok: boolean = (await hub.call('odd "name', {})).ok;
  const anything: unknown = await hub.call("logged", undefined);
  const room = hub.subscribe("chat:1", { history: 10, onMessage: ({ data }) => data.text.trim() });
  await room.publish({ text: "hello" });
  await hub.publish("chat:system", { level: 1 }, { key: "k" });
  const name: string = ["untyped:", "1"].join("");
  await hub.publish(name, { any: "thing" });
  const message: RoomData<"chat:1"> = { text: "" };
  const odd: RoomData<"odd`${1}\\"> = ["a"];
  const input: Calls["thumbnail"]["in"] = { image: 1, sizes: null, wait: 1e9 };
  console.log(width, by, when, tag, heights, ok, anything, message, odd, input);
  hub.close();
}

export async function wrong(): Promise<void> {
  // @ts-expect-error: there is no such method
  await hub.call("thumbnails", {});
  // @ts-expect-error: a field is missing
  await hub.call("thumbnail", { image: 7 });
  // @ts-expect-error: a field has the wrong type
  await hub.call("thumbnail", { image: "7", sizes: null });
  // @ts-expect-error: it may be null
  console.log((await hub.call("thumbnail", { image: 7, sizes: [] })).best.width);
  // @ts-expect-error: the first rule that matches counts
  await hub.publish("chat:system", { text: "hello" });
  // @ts-expect-error: the data has no such field
  hub.subscribe("chat:1", { onMessage: ({ data }) => console.log(data.level) });
}
