import type { IncomingMessage } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Guard } from "./guard.js";
import { admit, authorizationOf, type ProtectOptions } from "./protect.js";
import type { Session } from "./session.js";
import type { EndReason } from "./watchers.js";

/** The close code of a socket whose session may not go on: 4000 and the status that a request would get. */
export const SESSION_OVER = 4401;

const REASONS: Record<EndReason, string> = {
  ended: "session ended",
  expired: "session expired",
  unavailable: "session cannot be checked",
};

/** How long a peer has to answer the close before it is cut off, in milliseconds. */
const GRACE = 1000;

/** A socket of `ws`. */
export interface Socket {
  close(code: number, reason: string): void;
  terminate(): void;
  once(event: "close", listener: () => void): unknown;
  removeAllListeners(event: "message"): unknown;
}

/**
 * Closes the socket with 4401 as soon as its session may not go on: it ended, expired, or the guard is not current. From
 * that moment no message of it is delivered. Answers how to stop watching.
 */
export function closeOnEnd(guard: Pick<Guard, "watch">, socket: Socket, session: Session): () => void {
  const stop = guard.watch(session, (reason) => {
    socket.removeAllListeners("message");
    socket.close(SESSION_OVER, REASONS[reason]);
    const timer = setTimeout(() => socket.terminate(), GRACE);
    timer.unref();
    socket.once("close", () => clearTimeout(timer));
  });
  socket.once("close", stop);
  return stop;
}

/**
 * The session of a request to upgrade. `null`: it has none, and the answer, 401 or 503, has been given. For
 * `server.on("upgrade", …)` with the `noServer` mode of `ws`.
 */
export async function admitUpgrade(
  guard: Guard,
  request: IncomingMessage,
  socket: Duplex,
  options: ProtectOptions = {},
): Promise<Session | null> {
  const admission = await admit(guard, authorizationOf(request), options);
  if (admission.session) return admission.session;
  const { status, headers, body } = admission.rejection;
  const text = JSON.stringify(body);
  const all = {
    ...headers,
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(text)),
    connection: "close",
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("\r\n")}\r\n\r\n${text}`);
  return null;
}
