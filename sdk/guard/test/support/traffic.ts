import type { Answer, Fetch } from "../../src/transport.js";
import type { FakeServer, FakeStream } from "./server.js";

/** What is on its way between guards and their server. */
export class Traffic {
  readonly #server: FakeServer;
  /** Requests that are not answered yet, those that never will be among them. */
  #asking = 0;
  /** How much of each stream was read; `null`: it is read no more. */
  readonly #read = new Map<FakeStream, number | null>();

  constructor(server: FakeServer) {
    this.#server = server;
  }

  /** Whether everything that was sent has arrived. */
  get isQuiet(): boolean {
    return this.#asking === this.#server.hanging && [...this.#read].every(([stream, read]) => arrived(stream, read));
  }

  /** Makes the same requests, and counts them. */
  counted(fetch: Fetch): Fetch {
    return async (url, init) => {
      this.#asking++;
      const answered = once(() => this.#asking--);
      init.signal.addEventListener("abort", answered);
      try {
        const { status, headers, body } = await fetch(url, init);
        const stream = this.#server.streamBy(headers.get("x-stream"));
        if (!stream) return { status, headers, body: body && whole(body, answered) };
        this.#read.set(stream, 0);
        init.signal.addEventListener("abort", () => this.#read.set(stream, null));
        answered();
        return { status, headers, body: body && this.#following(body, stream) };
      } catch (error) {
        answered();
        throw error;
      }
    };
  }

  async *#following(body: NonNullable<Answer["body"]>, stream: FakeStream) {
    try {
      for await (const bytes of body) {
        yield bytes;
        // By now it was taken in.
        const read = this.#read.get(stream) ?? null;
        if (read !== null) this.#read.set(stream, read + bytes.length);
      }
    } finally {
      this.#read.set(stream, null);
    }
  }
}

function arrived(stream: FakeStream, read: number | null): boolean {
  return read === null ? !stream.isOpen : !stream.isOver && read === stream.written;
}

async function* whole(body: NonNullable<Answer["body"]>, answered: () => void) {
  try {
    yield* body;
  } finally {
    answered();
  }
}

function once(run: () => void): () => void {
  let ran = false;
  return () => {
    if (!ran) run();
    ran = true;
  };
}
