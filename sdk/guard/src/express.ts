import type { IncomingMessage } from "node:http";
import type { Guard } from "./guard.js";
import { admit, authorizationOf, type ProtectOptions } from "./protect.js";
import type { Session } from "./session.js";

declare global {
  namespace Express {
    interface Request {
      /** The caller's session, behind `protect(guard)`. */
      auth?: Session;
    }
  }
}

interface Response {
  status(code: number): Response;
  set(headers: Record<string, string>): Response;
  json(body: unknown): unknown;
}

/** `app.use(protect(guard))`: what follows runs for live sessions only, and finds them in `req.auth`. */
export function protect(guard: Guard, options: ProtectOptions = {}) {
  return (req: IncomingMessage & { auth?: Session }, res: Response, next: (error?: unknown) => void): void => {
    admit(guard, authorizationOf(req), options).then((admission) => {
      if (admission.session) {
        req.auth = admission.session;
        return next();
      }
      const { status, headers, body } = admission.rejection;
      res.status(status).set(headers).json(body);
    }, next);
  };
}
