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
  let state: State = { status: "loading", session: null, user: null, ended: null, warning: null };

  function emit<K extends keyof Events>(type: K, detail: Events[K]) {
    target.dispatchEvent(new CustomEvent(type, { detail }));
  }

  function on<K extends keyof Events>(type: K, run: (detail: Events[K]) => void): () => void {
    const listener = (event: Event) => run((event as CustomEvent).detail);
    target.addEventListener(type, listener);
    return () => target.removeEventListener(type, listener);
  }

  function set(change: Partial<State>) {
    state = { ...state, ...change };
    emit("change", state);
  }

  const { server = w?.location.href ?? "http://localhost" } = options;
  /** Those that may get the token, the server's first. */
  const origins = [server, ...(options.origins ?? [])].map((it) => new URL(it).origin);
  if (/^https.*\nhttp:/s.test(origins.join("\n"))) throw new TypeError("https only");
  const browser = w && sessions(w, { options, origins, state: () => state, set, emit });
  const here = () => {
    if (!browser) throw new CerrojoError("NO_BROWSER");
    return browser;
  };
  /** What nobody has to be signed in for. */
  const open = async (path: string, body: object): Promise<void> => void (await here().ask(path, { body }));

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
    profile: async () => here().profile(),
    /** Changes name or e-mail; a new e-mail ends the other sessions, and may have to be confirmed first. */
    updateProfile: async (body: api.Profile) => {
      const data = (await here().mine("profile", { method: "PUT", body })) as api.OneUser;
      here().known(data);
      return data;
    },
    /** Where one is signed in; with `ended` also the sessions that are over, and how they ended. */
    sessions: async (which: { ended?: boolean } = {}) =>
      ((await here().mine(`sessions${which.ended ? "?ended=true" : ""}`, { method: "GET" })) as api.Sessions).sessions,
    /** Ends one of one's sessions, by its `id` as `sessions` has it. */
    endSession: async (id: string, currentPassword?: string) =>
      void (await here().mine(`sessions/${encodeURIComponent(id)}`, { method: "DELETE", body: { currentPassword } })),
    /** Ends all other sessions. A wrong current password is an `INVALID_CREDENTIALS`, and nothing happens to this session. */
    changePassword: async (body: api.Password) => void (await here().mine("password", { method: "PUT", body })),
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
    stayActive: async () => void (await browser?.stay()),
    /** Ends what runs in the background, and changes nothing about the session: for tests, and where modules are replaced while developing. */
    close: () => browser?.close(),
  };
}

export type Client = ReturnType<typeof createClient>;
