import type * as api from "./api.js";
import { CerrojoError } from "./errors.js";
import { type Answer, authorize, type Call, http } from "./http.js";
import { keep, number, type Session } from "./keep.js";
import { leave } from "./leave.js";
import { exclusive, logouts } from "./logouts.js";
import { type Follow, follow } from "./stream.js";
import { type Message, tabs } from "./tabs.js";
import { serverTime } from "./time.js";
import type { Ended, Events, LoggedOut, Logout, Options, Scope, State, Warning } from "./types.js";
import { type Watch, watch, when } from "./watch.js";

/** What is shown of it. */
export interface Shown {
  readonly state: () => State;
  /** Changes the state, and then tells of an event; with the state itself if there is no `detail`. */
  set<K extends keyof Events>(change: Partial<State>, type?: K, detail?: Events[K]): void;
}

/** The session that this tab is in. */
interface Live extends Session {
  readonly gone: AbortController;
  watch: Watch;
  follow: Follow;
}

/** Everything that is about the session of one tab. `origins`: the server's, and those that get the token. */
export function sessions(w: Scope, options: Options, origins: readonly string[], { state, set }: Shown) {
  const { storage = "cookie", timeout = 15_000, unauthorizedLimit = 3 } = options;
  const isCookie = storage === "cookie";
  const name = `cerrojo:${origins[0]}:`;
  const cookieLock = isCookie && `${name}c`;
  const kept = keep(w, name, storage);
  const net = http(w, `${origins[0]}/api/auth/`, isCookie, timeout);
  const closed = new AbortController();
  const pending = logouts(w, net, kept, cookieLock, closed.signal);
  const bus = tabs(w, name, hear);
  let live: Live | null = null;
  /** Counts what the person asked for, so that a login that comes too late is known as such. */
  let wish = 0;
  let unauthorized = 0;
  /** The profile was asked for and not heard, by which with a cookie it is known whether there is a session. */
  let isUnknown = false;

  /** The session's number here. With a cookie there may be one of which it is not known yet whose it is. */
  const present = () => (live ? live.id : isCookie && kept.guest());

  /** The four duties, if that is the session here. `tell`: the server is told, by this endpoint. */
  function end(
    id: string | undefined | false,
    reason: string,
    tell?: string | false | null,
    at = w.Date.now(),
    by?: string | null,
  ) {
    const it = live;
    if (!id || id !== present()) return;
    // First what must not be lost, whatever happens to the page: the server's part, then that it is over here.
    if (tell) kept.set(`p:${id}`, { token: it?.token, path: tell, over: [at, reason, by] });
    kept.forget(id, [at, reason, by]);
    live = null;
    const ended: Ended = { reason, at, by: by ?? undefined, session: id };
    bus.post({ id, type: "ended", data: ended as never });
    it?.gone.abort();
    if (tell) void pending.flush();
    if (state().status === "signed-out") return;
    set({ status: "signed-out", session: null, user: null, warning: null, ended }, "session.ended", ended);
    void leave(w, options, ended, () => kept.pending() && live);
  }

  /** A session becomes this tab's. */
  function adopt(session: Session, user: api.User | null) {
    if (closed.signal.aborted) return;
    const { id, token, expires } = session;
    const gone = new AbortController();
    const activity = kept.shared.get(`a:${id}`);
    const clock = serverTime(w, activity?.[2]);
    const it = { ...session, gone } as Live;
    live = it;
    unauthorized = 0;
    const post = (type: string, data?: Answer) => bus.post({ id, type, data });
    it.watch = watch(w, clock, {
      expires,
      kept: activity,
      options,
      gone: gone.signal,
      end: (cause) => end(id, cause, "logout"),
      warn(warning) {
        const type = !warning
          ? "session.active"
          : warning.cause === "idle"
            ? "session.idle-warning"
            : "session.expiring";
        set({ warning }, type, warning as Warning);
      },
      async touch() {
        const data = (await mine("activity", { background: false })) as Answer;
        post("session", data);
        return data;
      },
      doubt() {
        post("doubt");
        it.follow.kick(true);
      },
      share: (now) => kept.shared.set(`a:${id}`, now),
      look,
    });
    it.follow = follow(w, net, {
      token,
      lock: name + id,
      gone: gone.signal,
      post,
      event(type, data) {
        post(type, data);
        hear({ id, type, data });
      },
      refused: (answer) => refused(it, answer),
      poll: reread,
    });
    set({ status: "signed-in", session: id, user }, "session.started");
    if (live !== it) return;
    it.watch.tick();
    if (!user) void reread();
  }

  /** What the storage says is so: another tab may have signed in or out while this one was asleep. */
  function look(): Live | null {
    const stored = kept.read();
    if (live && live.id !== stored?.id) {
      const tombstone = kept.over(live.id);
      const [at, reason, by] = tombstone ?? [undefined, stored ? "switched" : "logout"];
      // One that nobody has any more is ended at the server; a cookie's is out of reach.
      end(live.id, reason, !tombstone && stored && !isCookie && "logout", at, by);
    }
    if (stored && !live) adopt(stored, null);
    const activity = live && kept.shared.get(`a:${live.id}`);
    if (activity) live?.watch.merge(activity);
    return live;
  }

  /** What another tab says, or the stream. */
  function hear({ id, type, data = {} }: Message) {
    const it = look();
    if (!it || it.id !== id) return;
    if (type === "session") {
      it.watch.heard(data);
      if (isUnknown) void reread();
    } else if (type === "ended") end(id, data.reason as string, null, when(data.at), data.by as string);
    else if (type === "profile") void reread();
    else if (type === "doubt") it.follow.kick(true);
    else if (type === "lead") it.follow.heard(data.rank as number);
  }

  /** What a 401 of the server's means for the session that it was sent for. */
  function refused(of: Live, { code, reason }: { code?: unknown; reason?: unknown }) {
    if (live !== of || code !== "UNAUTHORIZED") return;
    if (reason) end(of.id, reason as string);
    else if (++unauthorized >= unauthorizedLimit) end(of.id, "unauthorized", "logout");
  }

  /** Asks for the session. */
  async function mine(path: string, call: Call = {}): Promise<unknown> {
    const it = look();
    if (!it) throw new CerrojoError("SIGNED_OUT");
    try {
      const answer = await net.ask(path, {
        ...call,
        token: it.token,
        background: call.background ?? it.watch.isBackground(),
        signal: it.gone.signal,
      });
      if (live !== it) throw new CerrojoError("SIGNED_OUT");
      unauthorized = 0;
      return answer;
    } catch (error) {
      refused(it, error as CerrojoError);
      throw error;
    }
  }

  const profile = async (background?: boolean) =>
    known((await mine("profile", { method: "GET", background })) as api.OneUser);

  function known(answer: api.OneUser): api.OneUser {
    const { user } = answer;
    if (JSON.stringify(user) !== JSON.stringify(state().user)) set({ user }, "profile.changed", user);
    return answer;
  }

  const reread = () => {
    isUnknown = false;
    return profile(true).catch(() => {
      isUnknown = true;
    });
  };

  function begin(session: Session, user: api.User) {
    kept.begin(session);
    bus.post({ id: session.id, type: "started" });
    adopt(session, user);
  }

  /** Signs in: login or registration. `null`: the address has to be confirmed first. */
  async function enter(path: string, body: object): Promise<api.User | null> {
    const wished = ++wish;
    return exclusive(w, cookieLock, async () => {
      if (isCookie) {
        // A cookie holds one session: the one before is ended while it can be.
        end(live?.id, "switched", "logout");
        for (const id of kept.pending()) if (!(await pending.attempt(id))) throw new CerrojoError("NETWORK");
      }
      const data = (await net.ask(path, { body: { ...body, cookie: isCookie } })) as api.SignedIn;
      if (!data.expires_at) return null;
      const { user, token } = data;
      const id = number();
      const wrong = wished !== wish ? "SUPERSEDED" : isCookie && token && "NO_COOKIE_MODE";
      if (wrong) {
        kept.set(`p:${id}`, { token, path: "logout" });
        void pending.flush();
        throw new CerrojoError(wrong);
      }
      // A cookie's has been replaced by the answer already.
      end(look()?.id, "switched", !isCookie && "logout");
      begin({ id, token, expires: when(data.expires_at) }, user);
      return user;
    });
  }

  /** With a cookie the server alone knows whether there is a session that no page of ours began. */
  async function resume() {
    /** Another one once a session has begun or ended, here or in another tab, which may have been this one; false where one is known. */
    const sight = () => !look() && isCookie && !kept.pending()[0] && `${[wish, kept.get("cur"), kept.guest()]}`;
    const before = sight();
    if (before) {
      try {
        const { user } = (await net.ask("profile", { method: "GET", background: true })) as api.OneUser;
        if (before === sight()) begin({ id: kept.guest(), expires: 0 }, user);
      } catch (error) {
        isUnknown = (error as CerrojoError).status !== 401;
      }
    }
    if (state().status === "loading") set({ status: "signed-out" });
  }

  async function logout({ scope = "this", currentPassword }: Logout = {}): Promise<LoggedOut> {
    wish++;
    const it = look();
    let tell = scope === "this" ? "logout" : `logout-${scope}`;
    if (scope === "others") {
      await mine(tell, { body: { currentPassword } });
      tell = "";
    } else {
      // A password that is wrong is told before anything ends; the password itself is not kept for later.
      if (it && currentPassword && scope === "all") {
        // Also if the stream is first to say that it is over.
        try {
          await net.ask(tell, { token: it.token, body: { currentPassword } });
          tell = "";
        } catch (error) {
          refused(it, error as CerrojoError);
          const { status } = error as CerrojoError;
          if (live === it && status && status < 500) throw error;
        }
      }
      end(present(), "logout", tell);
    }
    const done = await pending.flush();
    if (done.includes(false)) return { server: "pending", scope };
    return { server: "ended", scope: tell && !done.includes(tell) ? "this" : scope };
  }

  /** `fetch` that adds the session where it belongs. */
  async function authorized(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    // Also one of another frame.
    const request = (input as Request).url ? (input as Request) : null;
    const headers = new Headers(init.headers ?? request?.headers);
    const { origin, href } = new URL(request?.url ?? (input as string), w.document.baseURI);
    const to = request ?? href;
    if (!origins.includes(origin) || headers.has("Authorization")) return w.fetch(to, init);
    const it = look() ?? (await ready.then(look));
    // A cookie whose session is over here is not sent, also if the server has not heard of that yet.
    if (!it) return w.fetch(to, isCookie ? { ...init, credentials: "omit" } : init);
    const background = headers.has("Cerrojo-Activity") || it.watch.isBackground();
    const gone = it.gone.signal;
    const outer = init.signal ?? request?.signal;
    try {
      const response = await w.fetch(to, {
        ...init,
        ...(isCookie ? { credentials: "include" } : { redirect: "manual" }),
        headers: authorize(headers, { token: it.token, background }),
        signal: AbortSignal.any([outer ?? gone, gone]),
      });
      if (response.type === "opaqueredirect") throw new CerrojoError("REDIRECTED");
      // Whether the session is over is asked where that is known.
      if (response.status === 401) (origin !== origins[0] && ++unauthorized % unauthorizedLimit) || reread();
      else if (response.ok) unauthorized = 0;
      return response;
    } catch (error) {
      throw gone.aborted ? new CerrojoError("SIGNED_OUT") : error;
    }
  }

  const listen = (types: string, run: (event: never) => void) => {
    for (const type of types.split(" "))
      w.addEventListener(type, run, { passive: true, capture: true, signal: closed.signal });
  };
  // What shows that a person is there.
  listen("pointerdown pointermove keydown wheel scroll", () => void live?.watch.person());
  listen("visibilitychange pageshow focus online", ({ type }: Event) => {
    look();
    live?.watch.tick();
    live?.follow.kick(type === "online");
    void pending.flush();
    if (isUnknown) void resume();
  });
  listen("pagehide", pending.leave);
  listen("storage", look);

  const ready = resume();
  void pending.flush();

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
      bus.close();
    },
  };
}
