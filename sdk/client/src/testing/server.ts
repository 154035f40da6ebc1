import type { User } from "../api.js";
import type { TestBrowser, TestTab } from "./browser.js";
import { TestClock } from "./clock.js";

interface Account {
  readonly user: User;
  password: string;
}

interface ServerSession {
  readonly id: string;
  readonly account: Account;
  readonly token: string;
  readonly expires: number;
  used: number;
  ended: { reason: string; at: number; by?: string } | null;
}

interface Stream {
  readonly tab: TestTab;
  readonly session: ServerSession;
  send(type: string, data: object): void;
  write(text: string): void;
  close(): void;
  cut(): void;
}

export interface ServerOptions {
  /** Milliseconds; a day unless set. */
  ttl?: number;
  /** Milliseconds; none unless set. */
  idleTimeout?: number;
}

const iso = (time: number) => new Date(time).toISOString();

/** The part of Cerrojo that the client speaks to, in memory. */
export class TestServer {
  readonly clock: TestClock;
  readonly origin: string;
  readonly options: ServerOptions;
  readonly sessions: ServerSession[] = [];
  readonly streams = new Set<Stream>();
  /** What was asked for, and of which kind it said to be. */
  readonly requests: { method: string; path: string; token: string | null; background: boolean; origin: string }[] = [];
  /** `down`: nothing listens; `hanging`: requests are taken and never answered; a number: that status, for everything. */
  state: "up" | "down" | "hanging" | number = "up";
  /** `buffered`: a proxy holds the stream back; `refused`: 429. */
  streaming: "open" | "buffered" | "refused" = "open";
  /** Answers what the server itself does not know, such as the application's own API. */
  otherwise: (request: Request) => Response | Promise<Response> = () => fail(404, "NOT_FOUND");
  /** Whether 401 answers say why. */
  givesReasons = true;
  readonly #accounts = new Map<string, Account>();

  constructor(options: ServerOptions = {}, clock = new TestClock(), origin = "https://auth.example.org") {
    this.options = options;
    this.clock = clock;
    this.origin = origin;
    const beat = () => {
      for (const stream of this.streams) stream.write(": \n\n");
      clock.after(15_000, beat);
    };
    clock.after(15_000, beat);
  }

  addUser(email: string, password: string, name = "Ana"): User {
    const number = this.#accounts.size + 1;
    const user: User = {
      user_id: number,
      id: number,
      name,
      email,
      role_id: 2,
      role: "user",
      role_name: "user",
      status: "active",
      registration_date: iso(this.clock.now),
      last_session: null,
    };
    this.#accounts.set(email, { user, password });
    return user;
  }

  /** Ends a user's sessions; tells those who listen, at once. */
  end(email: string, reason: string, but?: ServerSession, by?: string): void {
    for (const session of this.sessions) {
      if (session.account.user.email === email && session !== but) this.#end(session, reason, by);
    }
  }

  #end(session: ServerSession, reason: string, by?: string): void {
    if (session.ended) return;
    session.ended = { reason, at: this.clock.now, ...(by ? { by } : {}) };
    for (const stream of this.streams) {
      if (stream.session !== session) continue;
      stream.send("ended", { ...session.ended, at: iso(session.ended.at) });
      stream.close();
    }
  }

  /** A session that is not over. */
  get live(): ServerSession[] {
    return this.sessions.filter((it) => !this.#over(it));
  }

  #over(session: ServerSession): { reason: string } | null {
    const { now } = this.clock;
    if (!session.ended && now >= session.expires) this.#end(session, "expired");
    if (!session.ended && now >= this.#idleAt(session)) this.#end(session, "idle");
    return session.ended;
  }

  #idleAt(session: ServerSession): number {
    return session.used + (this.options.idleTimeout ?? Infinity);
  }

  #deadlines(session: ServerSession): object {
    const idle = this.#idleAt(session);
    const idle_at = idle < Infinity ? iso(idle) : null;
    return { session_id: session.id, expires_at: iso(session.expires), idle_at, now: iso(this.clock.now) };
  }

  /** @internal The network of a browser is gone. */
  cut(browser: TestBrowser): void {
    for (const stream of this.streams) if (stream.tab.browser === browser) stream.cut();
  }

  /** Stops as a machine does that is turned off. */
  stop(): void {
    this.state = "down";
    for (const stream of this.streams) stream.cut();
  }

  /** @internal */
  async fetch(tab: TestTab, request: Request, init: RequestInit = {}): Promise<Response> {
    const { browser } = tab;
    const given = request.headers.get("authorization")?.replace("Bearer ", "") ?? null;
    const cookie = init.credentials === "include" ? (browser.cookies.get(this.origin) ?? null) : null;
    const token = given ?? cookie;
    const { origin, pathname } = new URL(request.url);
    const background = request.headers.get("cerrojo-activity") === "background";
    await Promise.resolve();
    if (init.signal?.aborted) throw new DOMException("given up", "AbortError");
    // What a page asks dies with it, unless it said otherwise.
    if (tab.isGone && !init.keepalive) throw new TypeError("the page is gone");
    if (!browser.isOnline || this.state === "down") throw new TypeError("Failed to fetch");
    this.requests.push({ method: request.method, path: pathname, token, background, origin });
    if (this.state === "hanging") return untilGivenUp(init.signal);
    if (typeof this.state === "number") return fail(this.state, "UNAVAILABLE");
    if (origin !== this.origin || !pathname.startsWith("/api/auth/")) return this.otherwise(request);
    const body = await request.text();
    return this.#answer(tab, {
      request,
      init,
      path: pathname.slice(10),
      token,
      background,
      body: body ? JSON.parse(body) : {},
    });
  }

  async #answer(tab: TestTab, of: Asked): Promise<Response> {
    const { browser } = tab;
    const { path, token, body } = of;
    if (path === "login") {
      const account = this.#accounts.get(body.email ?? "");
      if (!account || account.password !== body.password) return fail(401, "INVALID_CREDENTIALS");
      return this.#begin(browser, account, !!body.cookie);
    }
    if (path === "register") {
      if (this.#accounts.has(body.email ?? "")) return fail(409, "USER_ALREADY_EXISTS");
      this.addUser(body.email ?? "", body.password ?? "", body.name);
      return this.#begin(browser, this.#accounts.get(body.email ?? "") as Account, !!body.cookie, 201);
    }
    if (path === "forgot-password" || path === "reset-password") return success(null);
    const session = this.sessions.find((it) => it.token === token);
    const over = session && this.#over(session);
    if (!session || over) {
      if (browser.cookies.get(this.origin) === token) browser.cookies.delete(this.origin);
      return fail(401, "UNAUTHORIZED", over && this.givesReasons ? { reason: over.reason } : {});
    }
    return this.#own(tab, session, of);
  }

  #begin(browser: TestBrowser, account: Account, isCookie: boolean, status = 200): Response {
    const { now } = this.clock;
    const id = `s${this.sessions.length + 1}`;
    const token = `token-of-${id}`;
    const expires = now + (this.options.ttl ?? 86_400_000);
    this.sessions.push({ id, token, account, expires, used: now, ended: null });
    const { user } = account;
    const data = { user, role_id: user.role_id, role: user.role, expires_at: iso(expires) };
    if (!isCookie) return success({ ...data, token }, status);
    browser.cookies.set(this.origin, token);
    return success(data, status);
  }

  #own(tab: TestTab, session: ServerSession, { request, init, path, background, body }: Asked): Response {
    const { account } = session;
    const { user } = account;
    if (path === "events") return this.#open(tab, session, init.signal);
    const { browser } = tab;
    if (!background || path === "activity") {
      session.used = this.clock.now;
      for (const stream of this.streams)
        if (stream.session === session) stream.send("session", this.#deadlines(session));
    }
    if (path === "activity") return success(this.#deadlines(session));
    if (path === "profile" && request.method === "GET") return success({ user });
    if (path === "profile") {
      Object.assign(user, body);
      for (const stream of this.streams) if (stream.session.account === account) stream.send("profile", {});
      return success({ user: { ...user } });
    }
    if (path === "password") {
      if (body.currentPassword !== account.password) return fail(401, "INVALID_CREDENTIALS");
      account.password = body.newPassword ?? "";
      this.end(user.email, "password_changed", session);
      return success(null);
    }
    if (path === "sessions") {
      const mine = this.live.filter((it) => it.account === account);
      return success({ sessions: mine.map((it) => ({ id: it.id, current: it === session })) });
    }
    if (path.startsWith("sessions/")) {
      const other = this.live.find((it) => it.account === account && it.id === path.slice(9));
      if (!other) return fail(404, "NOT_FOUND");
      this.#end(other, "logout_elsewhere", "user");
      return success(null);
    }
    if (path === "logout-others") this.end(user.email, "logout_elsewhere", session, "user");
    else if (path === "logout-all") this.end(user.email, "logout_elsewhere", session, "user");
    else if (path !== "logout") return fail(404, "NOT_FOUND");
    if (path !== "logout-others") {
      this.#end(session, "logout");
      if (browser.cookies.get(this.origin) === session.token) browser.cookies.delete(this.origin);
    }
    return success(null);
  }

  #open(tab: TestTab, session: ServerSession, signal: AbortSignal | null | undefined): Response {
    if (this.streaming === "refused") return fail(429, "TOO_MANY_STREAMS");
    const utf8 = new TextEncoder();
    let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
    const body = new ReadableStream<Uint8Array>({
      start(it) {
        controller = it;
      },
    });
    const finish = (how: (it: ReadableStreamDefaultController<Uint8Array>) => void) => {
      this.streams.delete(stream);
      if (controller) how(controller);
      controller = null;
    };
    const stream: Stream = {
      tab,
      session,
      write: (text) => this.streaming === "open" && !tab.isFrozen && controller?.enqueue(utf8.encode(text)),
      send: (type, data) => stream.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`),
      close: () => finish((it) => it.close()),
      cut: () => finish((it) => it.error(new TypeError("network error"))),
    };
    signal?.addEventListener("abort", () => finish((it) => it.error(new DOMException("given up", "AbortError"))));
    this.streams.add(stream);
    stream.send("session", this.#deadlines(session));
    const end = Math.min(session.expires, this.#idleAt(session));
    if (end < Infinity) this.#watch(session);
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  /** Ends a session when its time has come, as the server does while somebody listens. */
  #watch(session: ServerSession): void {
    if (this.#over(session) || ![...this.streams].some((it) => it.session === session)) return;
    const end = Math.min(session.expires, this.#idleAt(session));
    this.clock.after(end - this.clock.now, () => this.#watch(session));
  }
}

interface Asked {
  readonly request: Request;
  readonly init: RequestInit;
  readonly path: string;
  readonly token: string | null;
  readonly background: boolean;
  readonly body: Record<string, string | undefined>;
}

function untilGivenUp(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(new DOMException("given up", "AbortError")));
  });
}

const success = (data: unknown, status = 200) => Response.json({ success: true, message: "bien", data }, { status });

function fail(status: number, code: string, more: object = {}): Response {
  return Response.json({ success: false, message: code.toLowerCase(), code, ...more }, { status });
}
