import { ProtocolError } from "./protocol-error.js";

/** One event of a stream. */
export interface StreamEvent {
  readonly type: string;
  readonly data: string;
  /** The event's own `id` field, if it has one. */
  readonly id: string | null;
}

/** Longer events, and longer lines, are not read: 16 Mi characters. */
const LONGEST_EVENT = 16 * 1024 * 1024;

/**
 * Reads an event stream (HTML standard, section 9.2) from whatever pieces it comes in. What it does not know it passes
 * over; what breaks its bounds, and what is not UTF-8, is an error.
 */
export class EventReader {
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true });
  readonly #longest: number;
  #pieces: string[] = [];
  #pending = 0;
  #size = 0;
  #type = "";
  #id: string | null = null;
  #data: string[] = [];

  constructor(longest = LONGEST_EVENT) {
    this.#longest = longest;
  }

  /** The events that these bytes complete. */
  *read(bytes: Uint8Array): Generator<StreamEvent, void, undefined> {
    const text = this.#decode(bytes);
    let start = 0;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
      const event = this.#line(this.#pieces.join("") + text.slice(start, end));
      this.#pieces = [];
      this.#pending = 0;
      start = end + 1;
      if (event) yield event;
    }
    if (start < text.length) {
      this.#pieces.push(text.slice(start));
      this.#pending += text.length - start;
    }
    if (this.#size + this.#pending > this.#longest) throw new ProtocolError("an event is too long");
  }

  #decode(bytes: Uint8Array): string {
    try {
      return this.#utf8.decode(bytes, { stream: true });
    } catch {
      throw new ProtocolError("the stream is not UTF-8");
    }
  }

  #line(line: string): StreamEvent | null {
    const text = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (text === "") return this.#dispatch();
    this.#size += text.length;
    if (this.#size > this.#longest) throw new ProtocolError("an event is too long");
    const colon = text.indexOf(":");
    const name = colon === -1 ? text : text.slice(0, colon);
    const value = colon === -1 ? "" : text.slice(text[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "event") this.#type = value;
    else if (name === "id") this.#id = value;
    else if (name === "data") this.#data.push(value);
    return null;
  }

  #dispatch(): StreamEvent | null {
    const event = { type: this.#type || "message", data: this.#data.join("\n"), id: this.#id };
    const isEvent = this.#data.length > 0;
    this.#size = 0;
    this.#type = "";
    this.#id = null;
    this.#data = [];
    return isEvent ? event : null;
  }
}
