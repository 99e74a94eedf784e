/** One server-sent event. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
}

/**
 * Reads server-sent events as they come; ends with the body. EventSource is not used because it gives up for ever after one answer that
 * is no stream, and cannot send a token. https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  // Pieces of a line that has not ended: joined once, as a snapshot is one line of megabytes.
  let pieces: string[] = [];
  let afterReturn = false;
  let event = "";
  let id: string | undefined;
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const text = decoder.decode(value, { stream: true });
      let at = 0;
      if (afterReturn && text.startsWith("\n")) at = 1;
      if (text !== "") afterReturn = text.endsWith("\r");
      for (;;) {
        const end = endOfLine(text, at);
        if (end < 0) break;
        pieces.push(text.slice(at, end));
        const line = pieces.length === 1 ? pieces[0]! : pieces.join("");
        pieces = [];
        at = text[end] === "\r" && text[end + 1] === "\n" ? end + 2 : end + 1;
        if (line === "") {
          if (data.length > 0) yield { event: event || "message", data: data.join("\n"), id };
          event = "";
          data = [];
          continue;
        }
        const colon = line.indexOf(":");
        if (colon === 0) continue;
        const field = colon < 0 ? line : line.slice(0, colon);
        let content = colon < 0 ? "" : line.slice(colon + 1);
        if (content.startsWith(" ")) content = content.slice(1);
        if (field === "data") data.push(content);
        else if (field === "event") event = content;
        else if (field === "id") id = content;
      }
      if (at < text.length) pieces.push(text.slice(at));
    }
  } finally {
    // Who stops reading, ends the connection.
    await reader.cancel().catch(() => undefined);
  }
}

function endOfLine(text: string, from: number): number {
  const newline = text.indexOf("\n", from);
  const carriage = text.indexOf("\r", from);
  if (carriage < 0) return newline;
  return newline < 0 ? carriage : Math.min(newline, carriage);
}
