// Reads text/event-stream, as the HTML standard has it.

/** What a blank line ends. Without data it is no event: it may have a new id, or be a comment. */
export interface ServerEvent {
  readonly type: string;
  /** The id, if this block has one. */
  readonly id: string | undefined;
  readonly data: string | undefined;
}

/** Reads the events of a body. What is not ended by a blank line is dropped. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let type = "";
  let id: string | undefined;
  let data: string | undefined;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (!line) {
        yield { type: type || "message", id, data };
        type = "";
        id = data = undefined;
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") type = text;
      else if (field === "id") id = text;
      else if (field === "data") data = data === undefined ? text : data + "\n" + text;
    }
  }
}
