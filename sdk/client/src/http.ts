import { CerrojoError } from "./errors.js";
import type { Scope } from "./types.js";

export interface Call {
  readonly method?: string | undefined;
  readonly body?: unknown;
  readonly token?: string | undefined;
  /** No person is behind this one. */
  readonly background?: boolean | undefined;
  /** Goes on when the page is gone. */
  readonly keepalive?: boolean;
  readonly signal?: AbortSignal;
}

/** The parts of an answer that are looked at, whatever it is. */
export type Answer = Record<string, unknown>;

export function parse(text: string | undefined): Answer {
  try {
    return JSON.parse(text as string) ?? {};
  } catch {
    return {};
  }
}

export const pause = (w: Scope, milliseconds: number) =>
  new Promise<void>((resolve) => void w.setTimeout(resolve, milliseconds));

/** The headers of what is sent for a session. */
export function authorize(headers: Headers, { token, background }: Call): Headers {
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (background) headers.set("Cerrojo-Activity", "background");
  return headers;
}

/** A signal for what may take so long, and no longer than another signal says. `stop` is for its end, whichever that was. */
export function limited(w: Scope, milliseconds: number, outer?: AbortSignal) {
  const inner = new AbortController();
  const stop = () => inner.abort();
  let timer = w.setTimeout(stop, milliseconds);
  const extend = (by: number) => {
    w.clearTimeout(timer);
    timer = w.setTimeout(stop, by);
  };
  return {
    signal: AbortSignal.any([outer ?? inner.signal, inner.signal]),
    extend,
    /** What is left of an answer is not waited for. */
    stop,
  };
}

export function http(w: Scope, api: string, isCookie: boolean, timeout: number) {
  const send = (path: string, call: Call, signal: AbortSignal) => {
    const { method = "POST", body, keepalive } = call;
    return w.fetch(api + path, {
      method,
      headers: authorize(new Headers({ "Content-Type": "application/json" }), call),
      body: JSON.stringify(body),
      keepalive: keepalive as boolean,
      signal,
      redirect: "error",
      cache: "no-store",
      credentials: isCookie ? "include" : "omit",
    });
  };
  return {
    send,
    /** Asks the server. Answers `data`; throws {@link CerrojoError} and nothing else, after the timeout at the latest. */
    async ask(path: string, call: Call = {}): Promise<unknown> {
      const limit = limited(w, timeout, call.signal);
      let status: number;
      let answer: Answer;
      try {
        const response = await send(path, call, limit.signal);
        ({ status } = response);
        answer = parse(await response.text());
      } catch {
        throw new CerrojoError(call.signal?.aborted ? "SIGNED_OUT" : limit.signal.aborted ? "TIMEOUT" : "NETWORK");
      } finally {
        limit.stop();
      }
      if (answer.success) return answer.data;
      const { code, message, errors, reason } = answer as { [key: string]: string } & { errors?: string[] };
      throw new CerrojoError(code ?? "BAD_ANSWER", message, status, errors, reason);
    },
  };
}

export type Http = ReturnType<typeof http>;
