import type { Clock } from "./clock.js";
import { ConnectError } from "./errors.js";
import type { Answer, Fetch } from "./transport.js";

/** Name and secret that `cerrojo service add` gave. */
export interface Credentials {
  readonly name: string;
  readonly secret: string;
}

/** An answer that was read to its end. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: Answer["headers"];
  readonly text: string;
}

export interface Call {
  readonly headers?: Record<string, string>;
  /** With it, a POST of JSON. */
  readonly body?: string;
  /** Longer answers are given up, in bytes. */
  readonly maxBytes: number;
  /** Milliseconds. */
  readonly timeout: number;
}

/** Requests to one server, under one set of credentials and until one end. */
export class Http {
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** Aborted when the guard is closed. */
  readonly closed: AbortSignal;
  readonly #authorization: string | null;

  constructor(options: { fetch: Fetch; clock: Clock; closed: AbortSignal; credentials?: Credentials | undefined }) {
    this.fetch = options.fetch;
    this.clock = options.clock;
    this.closed = options.closed;
    this.#authorization = options.credentials ? basic(options.credentials) : null;
  }

  get hasCredentials(): boolean {
    return this.#authorization !== null;
  }

  /** The same without credentials, for what asks for none. */
  withoutCredentials(): Http {
    return new Http(this);
  }

  headers(more: Record<string, string> = {}): Record<string, string> {
    return this.#authorization ? { authorization: this.#authorization, ...more } : more;
  }

  /** Asks, and reads the whole answer within bounds. */
  async call(url: string, { headers, body, maxBytes, timeout }: Call): Promise<WholeAnswer> {
    const abort = new AbortController();
    const stop = () => abort.abort(new Error(`${url} did not answer within ${timeout} ms`));
    const cancel = this.clock.after(timeout, stop);
    const close = () => abort.abort(new Error("the guard was closed"));
    this.closed.addEventListener("abort", close);
    try {
      if (this.closed.aborted) close();
      const json = body === undefined ? {} : { "content-type": "application/json" };
      const answer = await this.fetch(url, {
        method: body === undefined ? "GET" : "POST",
        headers: this.headers({ accept: "application/json", ...json, ...headers }),
        ...(body === undefined ? {} : { body }),
        signal: abort.signal,
        redirect: "error",
      });
      return { status: answer.status, headers: answer.headers, text: await readText(answer, maxBytes) };
    } catch (error) {
      throw abort.signal.aborted ? abort.signal.reason : error;
    } finally {
      cancel();
      this.closed.removeEventListener("abort", close);
    }
  }
}

async function readText({ body }: Answer, maxBytes: number): Promise<string> {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  let [text, size] = ["", 0];
  for await (const bytes of body ?? []) {
    size += bytes.length;
    if (size > maxBytes) throw new Error(`an answer of more than ${maxBytes} bytes is not read`);
    text += utf8.decode(bytes, { stream: true });
  }
  return text + utf8.decode();
}

/** How long the server asks to be left alone, in milliseconds; 0 if it does not say. */
export function retryAfter({ headers }: Pick<Answer, "headers">): number {
  const seconds = headers.get("retry-after") ?? "";
  return /^\d{1,6}$/.test(seconds) ? Number(seconds) * 1000 : 0;
}

/** RFC 6749, section 2.3.1: both form-encoded first. */
function basic({ name, secret }: Credentials): string {
  const encode = (text: string) => new URLSearchParams([["", text]]).toString().slice(1);
  return `Basic ${Buffer.from(`${encode(name)}:${encode(secret)}`).toString("base64")}`;
}

const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** The issuer as it must stand in tokens, or an error that says what is wrong with it. */
export function checkIssuer(issuer: string, allowInsecure: boolean): string {
  const url = URL.canParse(issuer) ? new URL(issuer) : null;
  const wrong = (what: string) => new ConnectError(`the issuer ${JSON.stringify(issuer)} ${what}`);
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:")) throw wrong("is not an http or https address");
  if (url.username || url.password || issuer.includes("?") || issuer.includes("#")) {
    throw wrong("must have neither user, nor query, nor fragment");
  }
  if (issuer.endsWith("/")) throw wrong("must not end with a slash: the server's `public_url` does not");
  if (url.protocol === "http:" && !allowInsecure && !LOOPBACK.test(url.hostname)) {
    throw wrong("is not encrypted: use https, or set `allowInsecure` if the network between is yours alone");
  }
  return issuer;
}
