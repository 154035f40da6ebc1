import type * as api from "./api.js";
import { CerrojoError } from "./errors.js";
import { sessions } from "./session.js";
import type { Events, Logout, Options, Scope, State } from "./types.js";

/**
 * Makes the client: one for an application, when it starts. On a server (no `window`) it is `loading` for ever and does nothing.
 *
 * See {@link Options.storage} for where the session is kept, which is the one choice to make.
 */
export function createClient(options: Options = {}) {
  const w = options.window ?? (globalThis.window as unknown as Scope | undefined);
  const target = new EventTarget();
  let state: State = { status: "loading", session: null, user: null, warning: null, ended: null };

  function emit<K extends keyof Events>(type: K, detail: Events[K]) {
    target.dispatchEvent(new CustomEvent(type, { detail }));
  }

  function on<K extends keyof Events>(type: K, run: (detail: Events[K]) => void): () => void {
    const listener = (event: Event) => run((event as CustomEvent).detail);
    target.addEventListener(type, listener);
    return () => target.removeEventListener(type, listener);
  }

  function set<K extends keyof Events>(change: Partial<State>, type?: K, detail?: Events[K]) {
    state = { ...state, ...change };
    emit("change", state);
    if (type) emit(type, detail ?? (state as Events[K]));
  }

  const { server = w?.location.href ?? "data:" } = options;
  /** Those that may get the token, the server's first. */
  const origins = [server, ...(options.origins ?? [])].map((it) => new URL(it).origin);
  if (/^https.*,http:/.test(`${origins}`)) throw new TypeError("https only");
  const browser = w && sessions(w, options, origins, { state: () => state, set });
  const here = () => {
    if (!browser) throw new CerrojoError("NO_BROWSER");
    return browser;
  };
  const mine = async (method: string, path: string, body?: object) => here().mine(path, { method, body });
  /** What nobody has to be signed in for. */
  const open = async (path: string, body: object) => here().ask(path, { body }) as Promise<void>;

  return {
    /** What is so now; another object whenever anything is different. */
    get state() {
      return state;
    },
    /** Calls `run` at each event, `"change"` being any change of the state; what it answers ends that. */
    on,

    /** Signs in. With a session there already, that one ends. */
    login: async (body: Omit<api.Login, "cookie">) => here().enter("login", body) as Promise<api.User>,
    /** Registers and signs in. Answers `null` if the server wants the address confirmed first: a mail is on its way. */
    register: async (body: Omit<api.Register, "cookie">) => here().enter("register", body),
    /**
     * Signs out. `"this"` (unless said): here, at once, also offline; the server is told now or as soon as it can be reached, and the answer
     * says which. `"all"`: likewise, with all other devices. `"others"`: only those, and this one stays.
     * `currentPassword` where the server asks for it (`reauth`): with it, `"all"` asks the server first; without it only this session
     * ends there, and `scope` in the answer says so.
     */
    logout: async (how?: Logout) => here().logout(how),
    /** Reads the profile. */
    profile: async () => (await here().profile()).user,
    /** Changes name or e-mail; a new e-mail ends the other sessions, and may have to be confirmed first. */
    updateProfile: async (body: api.Profile) => {
      return here().known((await mine("PUT", "profile", body)) as api.OneUser);
    },
    /** Where one is signed in; with `ended` also the sessions that are over, and how they ended. */
    sessions: async (which: { ended?: boolean } = {}) =>
      ((await mine("GET", `sessions?ended=${!!which.ended}`)) as api.Sessions).sessions,
    /** Ends one of one's sessions, by its `id` as `sessions` has it. */
    endSession: (id: string, currentPassword?: string) =>
      mine("DELETE", `sessions/${encodeURIComponent(id)}`, { currentPassword }) as Promise<void>,
    /** Ends all other sessions. A wrong current password is an `INVALID_CREDENTIALS`, and nothing happens to this session. */
    changePassword: (body: api.Password) => mine("PUT", "password", body) as Promise<void>,
    /** Has a mail sent, if there is such an account; which is not told. */
    forgotPassword: (body: { email: string }) => open("forgot-password", body),
    resetPassword: (body: { token: string; newPassword: string }) => open("reset-password", body),
    verifyEmail: (body: { token: string }) => open("verify-email", body),
    resendVerification: (body: { email: string }) => open("resend-verification", body),
    /**
     * `fetch` for the application's own requests. It adds the session to those that go to the server's origin and to `origins`, no
     * others; follows no redirect with a token; and notices by a 401 that the session is over. When that ends, requests that
     * are under way are given up: they throw a `SIGNED_OUT`.
     */
    fetch: async (input: RequestInfo | URL, init?: RequestInit) => here().authorized(input, init),
    /** The person wants to stay: moves the idle deadline, here and at the server. */
    stayActive: async (): Promise<void> => browser?.stay(),
    /** Ends what runs in the background, and changes nothing about the session: for tests, and where modules are replaced while developing. */
    close: () => browser?.close(),
  };
}

export type Client = ReturnType<typeof createClient>;
