import type * as api from "./api.js";
import { CerrojoError } from "./errors.js";
import { type Answer, authorize, type Call, http, parse } from "./http.js";
import { keep, type Session, type Tombstone } from "./keep.js";
import { exclusive, logouts } from "./logouts.js";
import { type Follow, follow } from "./stream.js";
import { type Message, tabs } from "./tabs.js";
import { serverTime } from "./time.js";
import type { Ended, Events, Options, Scope, State } from "./types.js";
import { type Watch, watch, when } from "./watch.js";

/** What the parts of the client have in common. */
export interface Setting {
  readonly options: Options;
  /** The server's origin, and those that get the token. */
  readonly origins: readonly string[];
  readonly state: () => State;
  set(change: Partial<State>): void;
  emit<K extends keyof Events>(type: K, detail: Events[K]): void;
}

/** The session that this tab is in. */
interface Live extends Session {
  readonly gone: AbortController;
  watch: Watch;
  follow: Follow;
}

interface Ending {
  readonly at?: number;
  readonly by?: string | null | undefined;
  /** The server is told, by this endpoint. */
  readonly tell?: string | false | null | undefined;
}

/** What shows that a person is there. */
const SIGNS = "pointerdown pointermove keydown wheel scroll";

/** Tells sessions of one browser apart, and is no secret. */
const number = () => `${Math.random()}`;

/** Everything that is about the session of one tab. */
export function sessions(w: Scope, { options, origins, state, set, emit }: Setting) {
  const {
    storage = "cookie",
    timeout = 15_000,
    unauthorizedLimit = 3,
    idleTimeout = Infinity,
    warnBefore = 60_000,
  } = options;
  const isCookie = storage === "cookie";
  const name = `cerrojo:${origins[0]}:`;
  const cookieLock = isCookie ? `${name}c` : undefined;
  const kept = keep(w, name, storage);
  const net = http(w, `${origins[0]}/api/auth/`, isCookie, timeout);
  const pending = logouts(w, net, kept, cookieLock);
  const bus = tabs(w, name, hear);
  let live: Live | null = null;
  /** Counts what the person asked for, so that a login that comes too late is known as such. */
  let wish = 0;
  let unauthorized = 0;

  /** The four duties. */
  function end(id: string | undefined, reason: string, { at = w.Date.now(), by, tell }: Ending = {}) {
    const it = live;
    if (!it || it.id !== id) return;
    // First what must not be lost, whatever happens to the page: the server's part, then that it is over here.
    const over: Tombstone = [at, reason, by];
    if (tell) kept.set(`p:${id}`, { token: it.token, path: tell, over });
    kept.forget(id, over);
    live = null;
    bus.post({ id, type: "ended", data: { reason, at, by } });
    it.gone.abort();
    if (tell) void pending.flush();
    const ended: Ended = { reason, at, by: by ?? undefined, session: id };
    set({ status: "signed-out", session: null, user: null, warning: null, ended });
    emit("session.ended", ended);
    void leave(ended);
  }

  async function leave(ended: Ended) {
    try {
      await Promise.race([options.clear?.(ended), new Promise<void>((resolve) => w.setTimeout(resolve, 2000))]);
    } catch (error) {
      console.error(error);
    }
    if (live || ended.reason === "switched") return;
    if (options.navigate) options.navigate(ended);
    else if (options.loginPage) {
      const { href, pathname } = w.location;
      if (new URL(options.loginPage, href).pathname !== pathname) w.location.assign(options.loginPage);
    }
  }

  /** A session becomes this tab's. */
  function adopt(session: Session, user: api.User | null) {
    const { id, token, expires } = session;
    const gone = new AbortController();
    const clock = serverTime(w);
    const activity = kept.activity(id);
    if (activity) clock.set(w.Date.now() + activity[2], false);
    const it = { ...session, gone } as Live;
    live = it;
    unauthorized = 0;
    const post = (type: string, data: Answer) => bus.post({ id, type, data });
    it.watch = watch(w, clock, {
      expires,
      kept: activity,
      own: idleTimeout,
      warnBefore,
      gone: gone.signal,
      end: (cause) => end(id, cause, { tell: "logout" }),
      warn(warning) {
        set({ warning });
        if (!warning) emit("session.active", undefined);
        else emit(warning.cause === "idle" ? "session.idle-warning" : "session.expiring", warning);
      },
      async touch() {
        try {
          const data = (await mine("activity", { background: false })) as Answer;
          post("session", data);
          it.watch.heard(data, true);
          return true;
        } catch {
          return false;
        }
      },
      doubt() {
        post("doubt", {});
        it.follow.kick(true);
      },
      share(active, posted, idle) {
        if (!gone.signal.aborted) kept.note(id, [active, posted, clock.offset(), idle < Infinity ? idle : 0]);
      },
      look,
    });
    it.follow = follow(w, net, {
      token,
      lock: name + id,
      gone: gone.signal,
      post,
      event: (type, data) => hear({ id, type, data }),
      refused: (answer) => refused(it, answer),
      poll: () => profile(true).catch(() => {}),
    });
    set({ status: "signed-in", session: id, user, warning: null });
    emit("session.started", state());
    if (live !== it) return;
    it.watch.tick();
    if (!user) reread();
  }

  /** What the storage says is so: another tab may have signed in or out while this one was asleep. */
  function look() {
    const stored = kept.read();
    if (live && live.id !== stored?.id) {
      const tombstone = kept.over(live.id);
      const [at, reason, by] = tombstone ?? [w.Date.now(), stored ? "switched" : "logout"];
      // One that nobody has any more is ended at the server; a cookie's is out of reach.
      end(live.id, reason, { at, by, tell: !tombstone && stored && !isCookie && "logout" });
    }
    if (stored && !live) adopt(stored, null);
    const activity = live && kept.activity(live.id);
    if (activity) live?.watch.merge(activity);
  }

  /** What another tab says, or the stream. */
  function hear({ id, type, data = {} }: Message) {
    if (type === "started") look();
    if (live?.id !== id) return;
    if (type === "session") live.watch.heard(data);
    else if (type === "ended") end(id, data.reason as string, { at: when(data.at), by: data.by as string });
    else if (type === "profile") reread();
    else if (type === "doubt") live.follow.kick(true);
    else if (type === "lead") live.follow.heard(data.rank as number);
  }

  /** What a 401 means for the session that it was sent for. */
  function refused(of: Live, { code, reason }: { code?: unknown; reason?: unknown }) {
    if (live !== of || code === "INVALID_CREDENTIALS") return;
    if (reason) end(of.id, String(reason));
    else if (++unauthorized >= unauthorizedLimit) end(of.id, "unauthorized", { tell: "logout" });
  }

  /** The session, if there still is one. */
  function current(): Live | null {
    look();
    return live;
  }

  /** Asks for the session. */
  async function mine(path: string, call: Call = {}): Promise<unknown> {
    const it = current();
    if (!it) throw new CerrojoError("SIGNED_OUT");
    const background = call.background ?? it.watch.isBackground();
    const { token, gone } = it;
    try {
      const answer = await net.ask(path, {
        ...call,
        token,
        background,
        signal: gone.signal,
      });
      if (live !== it) throw new CerrojoError("SIGNED_OUT");
      unauthorized = 0;
      return answer;
    } catch (error) {
      if ((error as CerrojoError).status === 401) refused(it, error as CerrojoError);
      throw error;
    }
  }

  const profile = async (background?: boolean) =>
    known((await mine("profile", { method: "GET", background })) as api.OneUser);

  function known({ user }: api.OneUser): api.User {
    if (JSON.stringify(user) !== JSON.stringify(state().user)) {
      set({ user });
      emit("profile.changed", user);
    }
    return user;
  }

  const reread = () => void profile(true).catch(() => {});

  function begin(session: Session, user: api.User) {
    kept.begin(session);
    bus.post({ id: session.id, type: "started" });
    adopt(session, user);
  }

  /** Signs in: login or registration. `null`: the address has to be confirmed first. */
  async function enter(path: string, body: object): Promise<api.User | null> {
    const wished = ++wish;
    const attempt = async () => {
      if (isCookie) {
        // A cookie holds one session: the one before is ended while it can be.
        end(live?.id, "switched", { tell: "logout" });
        for (const id of kept.pending()) if (!(await pending.attempt(id))) throw new CerrojoError("NETWORK");
      }
      const data = (await net.ask(path, { body: isCookie ? { ...body, cookie: true } : body })) as api.SignedIn;
      if (!data.expires_at) return null;
      const { user } = data;
      const token = data.token as string | undefined;
      const id = number();
      const wrong = wished !== wish ? "SUPERSEDED" : isCookie && token && "NO_COOKIE_MODE";
      if (wrong) {
        kept.set(`p:${id}`, { token, path: "logout" });
        void pending.flush();
        throw new CerrojoError(wrong);
      }
      // A cookie's has been replaced by the answer already.
      end(current()?.id, "switched", { tell: !isCookie && "logout" });
      begin({ id, token, expires: when(data.expires_at) }, user);
      return user;
    };
    return cookieLock ? exclusive(w, cookieLock, attempt) : attempt();
  }

  /** With a cookie the server alone knows whether there is a session that no page of ours began. */
  async function resume() {
    const wished = wish;
    try {
      const { user } = (await net.ask("profile", { method: "GET", background: true })) as api.OneUser;
      if (!current() && wished === wish && !kept.pending()[0]) begin({ id: number(), expires: 0 }, user);
    } catch {}
    if (state().status === "loading") set({ status: "signed-out" });
  }

  async function logout(scope = "this", currentPassword?: string): Promise<{ server: "ended" | "pending" }> {
    wish++;
    const it = current();
    const all = scope === "all";
    const call = { body: { currentPassword } };
    if (scope === "others") await mine("logout-others", call);
    else if (it) {
      // A password that is wrong is told before anything ends; the password itself is not kept for later.
      if (all && currentPassword) {
        await mine("logout-all", call).catch((error: CerrojoError) => {
          if (live === it && error.status && error.status < 500) throw error;
        });
      }
      end(it.id, "logout", { tell: all ? "logout-all" : "logout" });
      // There may be a cookie, of which it is not known yet whose it is.
    } else if (isCookie) kept.set(`p:${number()}`, { path: "logout" });
    return { server: (await pending.flush()) ? "ended" : "pending" };
  }

  /** `fetch` that adds the session where it belongs. */
  async function authorized(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    const request = input instanceof Request ? input : null;
    const headers = new Headers(init.headers ?? request?.headers);
    const { origin } = new URL(request?.url ?? (input as string), w.location.href);
    if (!origins.includes(origin) || headers.has("Authorization")) return w.fetch(input, init);
    const it = current();
    // A cookie whose session is over here is not sent, also if the server has not heard of that yet.
    if (!it) return w.fetch(input, isCookie ? { ...init, credentials: "omit" } : init);
    const background = headers.has("Cerrojo-Activity") || it.watch.isBackground();
    const gone = it.gone.signal;
    const outer = init.signal ?? request?.signal;
    try {
      const response = await w.fetch(input, {
        ...init,
        ...(isCookie ? { credentials: "include" } : { redirect: "manual" }),
        headers: authorize(headers, { token: it.token, background }),
        signal: outer ? AbortSignal.any([outer, gone]) : gone,
      });
      const { type, status, ok } = response;
      if (type === "opaqueredirect") throw new CerrojoError("REDIRECTED");
      if (status === 401) refused(it, parse(await response.clone().text()));
      else if (ok) unauthorized = 0;
      return response;
    } catch (error) {
      throw gone.aborted ? new CerrojoError("SIGNED_OUT") : error;
    }
  }

  const person = () => void live?.watch.person();
  const wakeUp = ({ type }: Event) => {
    look();
    live?.watch.tick();
    live?.follow.kick(type === "online");
    if (kept.pending()[0]) void pending.flush();
  };
  const closed = new AbortController();
  const listen = (types: string, run: (event: never) => void) => {
    for (const type of types.split(" "))
      w.addEventListener(type, run, { passive: true, capture: true, signal: closed.signal });
  };
  listen(SIGNS, person);
  listen("visibilitychange pageshow focus online", wakeUp);
  listen("pagehide", pending.leave);
  listen("storage", ({ key }: StorageEvent) => (!key || key.startsWith(name)) && look());

  const stored = kept.read();
  const isLeft = kept.pending()[0];
  if (isLeft) void pending.flush();
  if (stored) adopt(stored, null);
  else if (isCookie && !isLeft) void resume();
  else set({ status: "signed-out" });

  return {
    mine,
    profile,
    known,
    enter,
    logout,
    authorized,
    ask: net.ask,
    stay: () => live?.watch.stay(),
    close() {
      closed.abort();
      live?.gone.abort();
      pending.close();
      bus.close();
    },
  };
}
