import type { IncomingMessage } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Guard } from "./guard.js";
import { admit, authorizationOf, type ProtectOptions } from "./protect.js";
import type { Session } from "./session.js";
import type { EndReason } from "./watchers.js";

/** The close code of a socket whose session is over: 4000 and the status that a request would get. */
export const SESSION_OVER = 4401;
/**
 * The close code of a socket whose session cannot be checked now (RFC 6455's registry of codes: Try Again Later). No reason to
 * sign in again.
 */
export const TRY_AGAIN_LATER = 1013;

const CLOSES: Record<EndReason, [code: number, reason: string]> = {
  ended: [SESSION_OVER, "session ended"],
  expired: [SESSION_OVER, "session expired"],
  unavailable: [TRY_AGAIN_LATER, "session cannot be checked"],
};

/** How long a peer has to answer the close before it is cut off, in milliseconds. */
const GRACE = 1000;

/** A socket of `ws`. */
export interface Socket {
  close(code: number, reason: string): void;
  terminate(): void;
  once(event: "close", listener: () => void): unknown;
  on(event: "message", listener: () => void): unknown;
  removeListener(event: "message", listener: () => void): unknown;
  removeAllListeners(event: "message"): unknown;
}

/**
 * Closes the socket as soon as its session may not go on: with 4401 if it ended or expired, with 1013 if the guard is not
 * current. From that moment no message of it is delivered. Until then each message counts as a use of the session. Answers how to stop watching.
 */
export function closeOnEnd(guard: Pick<Guard, "watch" | "used">, socket: Socket, session: Session): () => void {
  const stop = guard.watch(session, (reason) => {
    socket.removeAllListeners("message");
    socket.close(...CLOSES[reason]);
    const timer = setTimeout(() => socket.terminate(), GRACE);
    timer.unref();
    socket.once("close", () => clearTimeout(timer));
  });
  const used = () => guard.used(session);
  socket.on("message", used);
  socket.once("close", stop);
  return () => {
    stop();
    socket.removeListener("message", used);
  };
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
