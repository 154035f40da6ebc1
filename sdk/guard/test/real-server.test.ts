/**
 * The guard beside the server itself: the binary that the variable CERROJO_BINARY names. These tests run in real time.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { ConnectError, type Fetch, Guard, type GuardOptions } from "@cerrojo/guard";
import { getListFromStatusListJWT, getStatusListFromJWT } from "@sd-jwt/jwt-status-list";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { until } from "./support/until.js";

const BOUND = 5000;
const PASSWORD = "una contraseña larga y propia 7";

function binary(): string {
  const path = process.env.CERROJO_BINARY;
  assert.ok(path, "set CERROJO_BINARY to the server's binary, such as target/debug/cerrojo with its whole path");
  return path;
}

/** An installation of the server in a folder of its own. */
class Installation {
  readonly #folder = mkdtempSync(join(tmpdir(), "cerrojo-sdk-"));
  readonly #settings: Record<string, string>;
  #child: ChildProcess | null = null;
  address = "";
  #guards: Guard[] = [];
  #people = 0;

  private constructor(settings: Record<string, string>) {
    this.#settings = settings;
  }

  static async start(context: TestContext, settings: Record<string, string> = {}): Promise<Installation> {
    const here = new Installation({ CERROJO_LIMITS__LOGIN: "off", CERROJO_LIMITS__PUBLIC: "off", ...settings });
    context.after(() => here.#remove());
    await here.serve();
    return here;
  }

  get #environment(): Record<string, string | undefined> {
    const listen = this.address ? new URL(this.address).host : "127.0.0.1:0";
    return { PATH: process.env.PATH, CERROJO_SERVER__LISTEN: listen, ...this.#settings };
  }

  async serve(): Promise<void> {
    const options = { cwd: this.#folder, env: this.#environment, stdio: ["ignore", "ignore", "pipe"] as const };
    const child = spawn(binary(), ["serve"], options as never);
    this.#child = child;
    assert.ok(child.stderr);
    for await (const line of createInterface(child.stderr)) {
      const [, address] = /listening on (http:\S+)/.exec(line) ?? [];
      if (!address) continue;
      this.address = address;
      child.stderr.resume();
      return;
    }
    throw new Error("the server ended before it listened");
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  }

  async #remove(): Promise<void> {
    await Promise.all(this.#guards.map((guard) => guard.close()));
    await this.stop();
    rmSync(this.#folder, { recursive: true });
  }

  /** What a command of the server's prints. */
  run(...args: string[]): string {
    return execFileSync(binary(), args, { cwd: this.#folder, env: this.#environment, encoding: "utf8" });
  }

  async guard(options: GuardOptions = {}): Promise<Guard> {
    const guard = await Guard.connect(this.address, { maxStaleness: BOUND, ...options });
    this.#guards.push(guard);
    return guard;
  }

  async ask(method: string, path: string, body?: unknown, token?: string): Promise<{ status: number; data: never }> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (token) headers.authorization = `Bearer ${token}`;
    const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
    const answer = await fetch(`${this.address}/api/auth/${path}`, init);
    const { data } = (await answer.json()) as { data: never };
    return { status: answer.status, data };
  }

  /** Registers somebody: their address and the token of their first session. */
  async register(): Promise<{ email: string; token: string }> {
    const email = `ana${++this.#people}@example.org`;
    const { status, data } = await this.ask("POST", "register", { name: "Ana", email, password: PASSWORD });
    assert.equal(status, 201);
    return { email, token: (data as { token: string }).token };
  }

  async login(email: string): Promise<string> {
    const { status, data } = await this.ask("POST", "login", { email, password: PASSWORD });
    assert.equal(status, 200);
    return (data as { token: string }).token;
  }

  /**
   * Logs out; answers how long after the server's 200 the guard refused the token, in milliseconds. No check may say yes
   * that was begun later than the bound after it, however slow the machine is.
   */
  async logout(token: string, guard: Guard): Promise<number> {
    assert.equal((await this.ask("POST", "logout", undefined, token)).status, 200);
    const answered = performance.now();
    await until("the guard refuses", async () => {
      const begun = performance.now() - answered;
      const { outcome } = await guard.check(token);
      assert.ok(outcome !== "accepted" || begun < BOUND, `accepted after ${begun} ms`);
      return outcome === "refused";
    });
    return performance.now() - answered;
  }
}

test("a logout reaches the guard within the bound, and a new sign-in is accepted", async (context) => {
  const here = await Installation.start(context);
  const guard = await here.guard();
  const { email, token } = await here.register();
  const session = await guard.verify(token);
  assert.equal(session.email, email);
  const ended: string[] = [];
  guard.watch(session, (reason) => ended.push(reason));

  const delay = await here.logout(token, guard);
  console.log(`the guard refused ${delay.toFixed(1)} ms after the server's answer`);
  assert.deepEqual(ended, ["ended"]);
  await assert.rejects(guard.verify(token), { status: 401 });

  const delays: number[] = [];
  for (let time = 0; time < 10; time++) {
    const again = await here.login(email);
    assert.equal((await guard.check(again)).outcome, "accepted");
    delays.push(await here.logout(again, guard));
  }
  delays.sort((a, b) => a - b);
  console.log(`ten more: ${delays[5]?.toFixed(1)} ms in the middle, ${delays.at(-1)?.toFixed(1)} ms at most`);

  const [one, other] = [await here.login(email), await here.login(email)];
  await guard.verify(one);
  await guard.verify(other);
  assert.equal((await here.ask("POST", "logout-others", undefined, one)).status, 200);
  await until("the other one is refused", async () => (await guard.check(other)).outcome === "refused");
  assert.equal((await guard.check(one)).outcome, "accepted");
});

test("a restarted server is followed again, and what was over stays over", async (context) => {
  const here = await Installation.start(context);
  const guard = await here.guard();
  const { email, token } = await here.register();
  await here.logout(token, guard);
  const kept = await here.login(email);
  await guard.verify(kept);
  const { streamsFollowed } = guard.metrics();
  await here.stop();
  await until("the guard is stale", async () => (await guard.check(kept)).outcome === "unavailable");
  assert.equal((await guard.check(token)).outcome, "refused");
  await here.serve();
  await until("it is current again", async () => (await guard.check(kept)).outcome === "accepted");
  await until("by a stream", () => guard.metrics().streamsFollowed > streamsFollowed);
  assert.equal((await guard.check(token)).outcome, "refused");
  await here.logout(kept, guard);
});

test("keys come and go", async (context) => {
  const here = await Installation.start(context);
  const guard = await here.guard();
  const { email, token } = await here.register();
  const before = await guard.verify(token);
  here.run("key", "rotate");
  await until("tokens are signed with the new key", async () => {
    const session = await guard.verify(await here.login(email));
    return session.key !== before.key;
  });
  assert.equal((await guard.check(token)).outcome, "accepted");
});

test("where no stream gets through, polling keeps the bound", async (context) => {
  const here = await Installation.start(context);
  const withoutStreams: Fetch = async (url, init) => {
    if (url.endsWith("/events")) throw new Error("a proxy that passes no streams");
    return fetch(url, init);
  };
  const guard = await here.guard({ fetch: withoutStreams });
  const { email, token } = await here.register();
  await guard.verify(token);
  const delay = await here.logout(token, guard);
  console.log(`by polling: ${delay.toFixed(1)} ms`);
  assert.equal((await guard.check(await here.login(email))).outcome, "accepted");
  assert.equal(guard.metrics().streamsFollowed, 0);
});

test("services have credentials, and report activity", async (context) => {
  const here = await Installation.start(context, { CERROJO_SESSION__IDLE_TIMEOUT: "10m" });
  const secret = here.run("service", "add", "orders").trim();
  const guard = await here.guard({ credentials: { name: "orders", secret } });
  const { token } = await here.register();
  await guard.verify(token);
  await guard.close();
  assert.equal(guard.metrics().activityReports, 1);
  await assert.rejects(here.guard({ credentials: { name: "orders", secret: `${secret}x` } }), ConnectError);
});

test("somebody else's libraries read the server's status lists", async (context) => {
  const here = await Installation.start(context);
  const { email, token: ended } = await here.register();
  const live = await here.login(email);
  assert.equal((await here.ask("POST", "logout", undefined, ended)).status, 200);
  const keys = createRemoteJWKSet(new URL(`${here.address}/.well-known/jwks.json`));
  const { status_lists: all } = (await (await fetch(`${here.address}/status-lists`)).json()) as {
    status_lists: string[];
  };
  for (const [token, status] of [
    [ended, 1],
    [live, 0],
  ] as const) {
    const { idx, uri } = getStatusListFromJWT(token);
    assert.ok(all.includes(uri), "it is named among all");
    // What `fetch` asks for is compressed, and it unpacks it.
    const answer = await fetch(uri, { headers: { accept: "application/statuslist+jwt" } });
    assert.equal(answer.headers.get("content-type"), "application/statuslist+jwt");
    assert.equal(answer.headers.get("content-encoding"), "gzip");
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    const listToken = await answer.text();
    const { payload, protectedHeader } = await jwtVerify(listToken, keys, { typ: "statuslist+jwt", subject: uri });
    assert.equal(protectedHeader.alg, "ES256");
    assert.equal(payload.ttl, 5);
    assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 600);
    assert.equal(getListFromStatusListJWT(listToken).getStatus(idx), status);
    const again = await fetch(uri, { headers: { "if-none-match": answer.headers.get("etag") ?? "" } });
    assert.ok(again.status === 304 || again.headers.get("etag") !== answer.headers.get("etag"));
  }
});

test("a shared secret", async (context) => {
  const secret = "a secret of more than thirty-two bytes";
  const here = await Installation.start(context, { CERROJO_TOKEN__ALGORITHM: "HS256", CERROJO_TOKEN__SECRET: secret });
  const guard = await here.guard({ hs256Secret: secret });
  const other = await here.guard();
  const { token } = await here.register();
  await guard.verify(token);
  assert.equal((await other.check(token)).outcome, "refused", "one that does not know it");
  await here.logout(token, guard);
});
