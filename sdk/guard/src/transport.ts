import * as http from "node:http";
import * as https from "node:https";

/** What a request is made with. Node's own `fetch` fits; so does one behind a proxy. */
export type Fetch = (url: string, init: RequestOptions) => Promise<Answer>;

export interface RequestOptions {
  readonly method: "GET" | "POST";
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Nothing is followed anywhere else. */
  readonly redirect: "error";
}

export interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
}

/**
 * The default: requests whose connections do not keep the process alive, which those of Node's `fetch` do as long as a
 * stream is open.
 */
export function backgroundFetch(): Fetch {
  const agents = { "http:": new http.Agent({ keepAlive: true }), "https:": new https.Agent({ keepAlive: true }) };
  return (url, { method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const { protocol } = new URL(url);
      const { request } = protocol === "https:" ? https : http;
      const agent = protocol === "https:" ? agents["https:"] : agents["http:"];
      const sent = request(url, { method, headers, signal, agent }, (answer) => {
        // Whoever reads the answer hears of its errors; they are none of the process's own.
        answer.on("error", () => undefined);
        const status = answer.statusCode ?? 0;
        if (status >= 300 && status < 400) {
          answer.destroy();
          return reject(new Error(`${url} redirects, which is not followed`));
        }
        const get = (name: string) => answer.headersDistinct[name.toLowerCase()]?.join(", ") ?? null;
        resolve({ status, headers: { get }, body: answer });
      });
      sent.on("socket", (socket) => socket.unref());
      sent.on("error", reject);
      sent.end(body);
    });
}
