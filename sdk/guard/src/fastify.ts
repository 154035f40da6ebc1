/// <reference types="fastify" preserve="true" />
import type { IncomingMessage } from "node:http";
import type { Guard } from "./guard.js";
import { admit, authorizationOf, type ProtectOptions } from "./protect.js";
import type { Session } from "./session.js";

declare module "fastify" {
  interface FastifyRequest {
    /** The caller's session, behind `protect(guard)`; `null` elsewhere. */
    auth: Session | null;
  }
}

interface Request {
  readonly raw: IncomingMessage;
  auth: Session | null;
}

interface Reply {
  code(status: number): Reply;
  headers(headers: Record<string, string>): Reply;
  send(body: unknown): unknown;
}

interface Instance {
  hasRequestDecorator(name: string): boolean;
  decorateRequest(name: "auth", value: null): unknown;
  addHook(name: "onRequest", hook: (request: Request, reply: Reply) => Promise<unknown>): unknown;
}

/**
 * `app.register(protect(guard))`: every route of that context (and of those inside) runs for live sessions only, and finds
 * them in `request.auth`.
 */
export function protect(guard: Guard, options: ProtectOptions = {}) {
  const plugin = async (app: Instance): Promise<void> => {
    if (!app.hasRequestDecorator("auth")) app.decorateRequest("auth", null);
    app.addHook("onRequest", async (request, reply) => {
      const admission = await admit(guard, authorizationOf(request.raw), options);
      if (admission.session) {
        request.auth = admission.session;
        return;
      }
      const { status, headers, body } = admission.rejection;
      return reply.code(status).headers(headers).send(body);
    });
  };
  // What fastify-plugin does: the hook belongs to whoever registers this, not to a context of its own.
  return Object.assign(plugin, {
    [Symbol.for("skip-override")]: true,
    [Symbol.for("fastify.display-name")]: "@cerrojo/guard",
  });
}
