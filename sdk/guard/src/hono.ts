/// <reference types="hono" preserve="true" />
import type { Guard } from "./guard.js";
import { admit, type ProtectOptions } from "./protect.js";
import type { Session } from "./session.js";

declare module "hono" {
  interface ContextVariableMap {
    /** The caller's session, behind `protect(guard)`. */
    auth: Session;
  }
}

interface Context {
  readonly req: { header(name: string): string | undefined };
  set(name: "auth", session: Session): void;
}

/** `app.use(protect(guard))`: what follows runs for live sessions only, and finds them with `c.get("auth")`. */
export function protect(guard: Guard, options: ProtectOptions = {}) {
  // biome-ignore lint/suspicious/noConfusingVoidType: what a middleware of Hono answers
  return async (c: Context, next: () => Promise<void>): Promise<Response | void> => {
    const admission = await admit(guard, c.req.header("authorization"), options);
    if (admission.session) {
      c.set("auth", admission.session);
      return next();
    }
    const { status, headers, body } = admission.rejection;
    return Response.json(body, { status, headers });
  };
}
