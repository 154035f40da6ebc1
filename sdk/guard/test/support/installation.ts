/** The server itself: the binary that the variable CERROJO_BINARY names. It runs in real time. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { Guard, type GuardOptions } from "@cerrojo/guard";
import { until } from "./until.js";

export const BOUND = 5000;
const PASSWORD = "una contraseña larga y propia 7";

function binary(): string {
  const path = process.env.CERROJO_BINARY;
  assert.ok(path, "set CERROJO_BINARY to the server's binary, such as target/debug/cerrojo with its whole path");
  return path;
}

/** Where a program listens, which says so in a line of its output; the rest of that is let run. */
export async function addressOf(output: Readable | null): Promise<string> {
  assert.ok(output);
  for await (const line of createInterface(output)) {
    const [, address] = /listening on (http:\S+)/.exec(line) ?? [];
    if (!address) continue;
    output.resume();
    return address;
  }
  throw new Error("it ended before it listened");
}

/** An installation of the server in a folder of its own. */
export class Installation {
  readonly #folder = mkdtempSync(join(tmpdir(), "cerrojo-sdk-"));
  readonly #settings: Record<string, string>;
  #child: ChildProcess | null = null;
  address = "";
  /** What the server has printed beside its log. */
  printed = "";
  #guards: Guard[] = [];
  #people = 0;

  private constructor(settings: Record<string, string>) {
    this.#settings = settings;
  }

  static async start(context: TestContext, settings: Record<string, string> = {}): Promise<Installation> {
    const here = Installation.prepare(context, settings);
    await here.serve();
    return here;
  }

  /** One whose server does not run yet. */
  static prepare(context: TestContext, settings: Record<string, string> = {}): Installation {
    const here = new Installation({ CERROJO_LIMITS__LOGIN: "off", CERROJO_LIMITS__PUBLIC: "off", ...settings });
    context.after(() => here.#remove());
    return here;
  }

  get #environment(): Record<string, string | undefined> {
    const listen = this.address ? new URL(this.address).host : "127.0.0.1:0";
    return { PATH: process.env.PATH, CERROJO_SERVER__LISTEN: listen, ...this.#settings };
  }

  /** Starts the server; with further settings from now on, if there are any. */
  async serve(settings: Record<string, string> = {}): Promise<void> {
    Object.assign(this.#settings, settings);
    const options = { cwd: this.#folder, env: this.#environment, stdio: ["ignore", "pipe", "pipe"] as const };
    const child: ChildProcess = spawn(binary(), ["serve"], options as never);
    this.#child = child;
    this.printed = "";
    child.stdout?.on("data", (text) => {
      this.printed += text;
    });
    this.address = await addressOf(child.stderr);
  }

  async stop(): Promise<void> {
    if (this.#child) await ended(this.#child);
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

/** Asks a program to end, and waits until it has. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}
