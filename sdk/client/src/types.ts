import type { User } from "./api.js";

/**
 * Where the session is kept.
 *
 * - `"cookie"`: in an HttpOnly cookie that the server sets. No script can read it, an injected one neither. Take this wherever the
 *   application and the server share a site (`app.example.org` and `auth.example.org`), and best of all an origin.
 *   The server has to allow the application's origin (`cors.origins`).
 * - `"memory"`: in a variable. Nothing is written anywhere; a reload signs out, and each tab signs in by itself. For what must not
 *   leave a trace. A logout that the server has not heard of when the page is gone is left to expiry and the idle timeout.
 * - `"session"`: in sessionStorage. Survives a reload, not the tab. **Any script that runs in the page can read the
 *   token** and use it elsewhere until the session ends: one injected script, one bad dependency is enough.
 * - `"local"`: in localStorage. All tabs share it and it survives a restart of the browser. The same risk, and for longer: it
 *   lies on the disk of a machine that others may use.
 */
export type StorageMode = "cookie" | "memory" | "session" | "local";

/** Why a session ended. `@cerrojo/client/reasons` has words for each. */
export type EndReason =
  | "logout"
  | "logout_elsewhere"
  | "password_changed"
  | "email_changed"
  | "account_inactive"
  | "account_suspended"
  | "account_deleted"
  | "admin"
  | "idle"
  | "expired"
  | "replaced"
  | "restored"
  | "ended"
  /** Somebody signed in here again, in this tab or another: the new session takes its place, and nobody is sent to the login page. */
  | "switched"
  /** Several 401 in a row, none of which said more. */
  | "unauthorized"
  | (string & {});

export interface Ended {
  readonly reason: EndReason;
  /** Unix milliseconds. */
  readonly at: number;
  readonly by?: string | undefined;
  /** Tells the sessions of this browser apart: a number of the client's own, and not the server's `id` of a session. */
  readonly session: string;
}

/** Which sessions a logout is to end: this one, all others, or all. */
export type Reach = "this" | "others" | "all";

export interface Logout {
  readonly scope?: Reach;
  readonly currentPassword?: string;
}

export interface LoggedOut {
  /** Whether the server has confirmed it, or is told later. */
  readonly server: "ended" | "pending";
  /** What was ended, or is to be: `"this"` if the server did not end all that was asked for, as where it wants the current password. */
  readonly scope: Reach;
}

export interface Warning {
  /** `idle`: the person can stay by `stayActive()` or by doing anything; `expired`: only a new sign-in helps. */
  readonly cause: "idle" | "expired";
  /** When it ends, in the unix milliseconds of this machine's clock, for a countdown. */
  readonly endsAt: number;
}

/** Never changed, only replaced: two that are the same object say the same. */
export interface State {
  /** `loading`: with a cookie, until the server has said whether there is a session; on a server, always. */
  readonly status: "loading" | "signed-in" | "signed-out";
  readonly session: string | null;
  /** `null` while signed in means that it is not known yet. */
  readonly user: User | null;
  /** How the last session ended, if this tab saw it. */
  readonly ended: Ended | null;
  readonly warning: Warning | null;
}

export interface Events {
  /** Somebody is signed in: here, in another tab, or from before the page was loaded. */
  "session.started": State;
  "session.ended": Ended;
  /** Some time before (`warnBefore`) the session ends because nobody does anything. */
  "session.idle-warning": Warning;
  /** Some time before the session expires. */
  "session.expiring": Warning;
  /** The warning is withdrawn: somebody did something, in this tab or another. */
  "session.active": State;
  /** The profile was changed, here or elsewhere. */
  "profile.changed": User;
  /** Anything of the state is another. */
  change: State;
}

export interface Options {
  /** The server's address, such as `https://auth.example.org`; the page's own origin unless set. */
  server?: string;
  /** See {@link StorageMode}: the choice is between convenience and what an injected script can take. `"cookie"` unless set. */
  storage?: StorageMode;
  /** Further origins whose requests by `client.fetch` get the token: the application's own APIs. No others ever get it. */
  origins?: readonly string[];
  /** After a logout the browser goes there, such as `/login`. Where it is already, it stays. */
  loginPage?: string;
  /** Instead of going to `loginPage`. A router's `navigate` belongs here. */
  navigate?: (ended: Ended) => void;
  /**
   * Clears what the application keeps of the person: query caches, IndexedDB, `caches`. Runs in every tab, before it navigates,
   * which waits for it for two seconds at most.
   */
  clear?: (ended: Ended) => unknown;
  /** Milliseconds without a person's activity after which to log out. Unless set, the server's `session.idle_timeout` alone counts. */
  idleTimeout?: number;
  /** Milliseconds before the end at which to warn: 60,000 unless set, and never more than a third of the timeout. */
  warnBefore?: number;
  /** How many 401 in a row of the server's, none of which says why, end the session; and after how many of `origins` it is asked: 3 unless set. */
  unauthorizedLimit?: number;
  /** Milliseconds that a request may take: 15,000 unless set. */
  timeout?: number;
  /** The browser's `window`; another in tests (`@cerrojo/client/testing`). */
  window?: Scope;
}

/** The parts of `window` that the client uses. */
export interface Scope {
  readonly Date: { now(): number };
  readonly performance: { now(): number };
  readonly localStorage: Storage;
  readonly sessionStorage: Storage;
  readonly location: { readonly href: string; assign(address: string): void };
  readonly navigator: { readonly locks?: Locks };
  readonly document: { readonly hidden: boolean; readonly baseURI: string };
  readonly BroadcastChannel?: new (
    name: string,
  ) => { onmessage: ((event: never) => void) | null; postMessage(message: unknown): void; close(): void };
  readonly fetch: typeof fetch;
  setTimeout(run: () => void, milliseconds: number): number;
  clearTimeout(timer: number | undefined): void;
  addEventListener(
    type: string,
    run: (event: never) => void,
    options: { passive: boolean; capture: boolean; signal: AbortSignal },
  ): void;
}

export interface Locks {
  request<T>(name: string, options: { signal: AbortSignal }, run: () => Promise<T>): Promise<T>;
}
