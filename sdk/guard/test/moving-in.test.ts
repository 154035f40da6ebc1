/**
 * docs/MOVING-IN.md, walked: an Express application with its users, its table and its running clients moves in, and nobody has
 * to sign in again. The applications are examples/moving-in.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import pg from "pg";
import { addressOf, ended, Installation } from "./support/installation.js";
import { until } from "./support/until.js";

const JWT_SECRET = "what the old application signs with, in its .env";
const PASSWORD = "Tormenta-verde-27";

/** A database of the test's own. */
async function database(context: TestContext): Promise<{ url: string; db: pg.Client }> {
  const server = process.env.CERROJO_TEST_POSTGRES;
  assert.ok(server, "set CERROJO_TEST_POSTGRES to a PostgreSQL server's URL");
  const name = `moving_in_${randomBytes(6).toString("hex")}`;
  const operator = new pg.Client(server);
  await operator.connect();
  await operator.query(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = name;
  const db = new pg.Client(url.href);
  await db.connect();
  context.after(async () => {
    await db.end();
    await operator.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await operator.end();
  });
  return { url: url.href, db };
}

/** The application before and after, at one address. */
class Application {
  #child: ChildProcess | undefined;
  address = "";

  constructor(context: TestContext) {
    context.after(() => this.stop());
  }

  async run(program: string, settings: Record<string, string>): Promise<void> {
    const port = this.address ? new URL(this.address).port : "0";
    const child = spawn(process.execPath, [program], {
      cwd: new URL("../../../examples/moving-in/", import.meta.url),
      env: { PATH: process.env.PATH, PORT: port, ...settings },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#child = child;
    this.address = await addressOf(child.stdout);
  }

  async stop(): Promise<void> {
    if (this.#child) await ended(this.#child);
  }

  async ask(method: string, path: string, token?: string, body?: unknown): Promise<{ status: number; body: Answer }> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (token) headers.authorization = `Bearer ${token}`;
    const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
    const answer = await fetch(this.address + path, init);
    return { status: answer.status, body: (await answer.json()) as Answer };
  }
}

interface Answer {
  readonly of?: number;
  readonly data?: { readonly token: string; readonly user: { readonly user_id: number; readonly email: string } };
}

/** A person's device, as it runs in a browser: it knows one address and has one token. */
class Device {
  readonly #application: Application;
  readonly token: string;
  readonly id: number;
  readonly email: string;

  private constructor(application: Application, data: NonNullable<Answer["data"]>) {
    this.#application = application;
    this.token = data.token;
    this.id = data.user.user_id;
    this.email = data.user.email;
  }

  static async #of(application: Application, path: string, body: unknown, status: number): Promise<Device> {
    const answer = await application.ask("POST", path, undefined, body);
    assert.equal(answer.status, status);
    assert.ok(answer.body.data);
    return new Device(application, answer.body.data);
  }

  static register(application: Application, name: string): Promise<Device> {
    const body = { name, email: `${name}@example.com`, password: PASSWORD };
    return Device.#of(application, "/api/auth/register", body, 201);
  }

  static login(application: Application, email: string, password = PASSWORD): Promise<Device> {
    return Device.#of(application, "/api/auth/login", { email, password }, 200);
  }

  async call(method: string, path: string, body?: unknown): Promise<number> {
    return (await this.#application.ask(method, path, this.token, body)).status;
  }

  /** Whether this device is signed in everywhere: at the application's own routes, and at those that were always for accounts. */
  async isIn(): Promise<boolean> {
    const tasks = await this.#application.ask("GET", "/api/tasks", this.token);
    const profile = await this.#application.ask("GET", "/api/auth/profile", this.token);
    assert.equal(tasks.status, profile.status, "both say the same");
    if (profile.status === 401) return false;
    assert.deepEqual([tasks.status, tasks.body.of, profile.body.data?.user.email], [200, this.id, this.email]);
    return true;
  }

  /** The accounts' routes refuse at once, the application's own within the guard's bound. */
  async isOut(): Promise<void> {
    assert.equal(await this.call("GET", "/api/auth/profile"), 401);
    await until("the application refuses too", async () => (await this.call("GET", "/api/tasks")) === 401);
  }
}

/** Another sign-in of the same person. Within one second the old application gives out the same token again. */
async function anotherDevice(application: Application, others: [Device, ...Device[]]): Promise<Device> {
  let device = others[0];
  await until("the token is another one", async () => {
    device = await Device.login(application, others[0].email);
    return others.every((other) => other.token !== device.token);
  });
  return device;
}

async function walk(context: TestContext, settings: Record<string, string>): Promise<void> {
  const { url, db } = await database(context);
  const application = new Application(context);
  await application.run("before.js", { DATABASE_URL: url, JWT_SECRET });
  const [phone, eva, bea] = [
    await Device.register(application, "ana"),
    await Device.register(application, "eva"),
    await Device.register(application, "bea"),
  ];
  const jefa = await Device.register(application, "jefa");
  await db.query("UPDATE users SET role_id = 1 WHERE email = 'jefa@example.com'");
  const laptop = await anotherDevice(application, [phone]);
  const tablet = await anotherDevice(application, [phone, laptop]);
  const everybody = [phone, laptop, tablet, eva, bea, jefa];
  for (const device of everybody) assert.ok(await device.isIn());
  const forgotten = await anotherDevice(application, [bea]);
  assert.equal(await forgotten.call("POST", "/api/auth/logout"), 200);
  assert.ok(await forgotten.isIn(), "the hole: the old application's logout ends nothing");

  // 1 and 2: the table.
  const here = Installation.prepare(context, settings);
  const table = ["user", "import", "--from", url, "--role", "1=admin", "--role", "2=user"];
  assert.match(here.run(...table, "--dry-run"), /4 would be added, 0 there already, 0 refused/);
  assert.match(here.run(...table), /4 added, 0 there already, 0 refused/);

  // 3: the switch. Somebody registers in the last moment.
  const late = await Device.register(application, "rosa");
  await here.serve({
    CERROJO_MIGRATION__ACCEPT_OLD_TOKENS: "true",
    CERROJO_MIGRATION__SECRET: JWT_SECRET,
    CERROJO_SERVER__TRUSTED_PROXIES: "127.0.0.1",
  });
  const secret = here.run("service", "add", "tasks").trim();
  await application.stop();
  assert.match(here.run(...table), /1 added, 4 there already, 0 refused/);
  await application.run("after.js", { CERROJO_ISSUER: here.address, CERROJO_SECRET: secret, JWT_SECRET });

  // Nobody is signed out, and the tokens of before can be taken back now.
  for (const device of [...everybody, late]) assert.ok(await device.isIn(), device.email);
  assert.equal(await phone.call("POST", "/api/tasks", { title: "buy bread" }), 201);
  assert.equal(await phone.call("POST", "/api/auth/logout"), 200);
  await phone.isOut();
  assert.equal(await phone.call("POST", "/api/auth/logout"), 401);
  assert.ok((await laptop.isIn()) && (await tablet.isIn()));

  // The password of before signs in; a new one ends the others, the tokens of before included.
  const fresh = await Device.login(application, laptop.email);
  assert.ok(await fresh.isIn());
  const change = { currentPassword: PASSWORD, newPassword: "Nube-de-paso-4481" };
  assert.equal(await laptop.call("PUT", "/api/auth/password", change), 200);
  for (const device of [tablet, fresh]) await device.isOut();
  assert.ok(await laptop.isIn());
  const unused = await Device.login(application, laptop.email, change.newPassword);
  assert.ok(await unused.isIn());

  // An administrator of before suspends somebody.
  assert.equal(await jefa.call("PUT", `/api/admin/users/${eva.id}`, { status: "suspended" }), 200);
  await eva.isOut();

  // Over is for ever, and the others go on.
  await here.stop();
  await here.serve();
  await until("the guard is current", async () => (await bea.call("GET", "/api/tasks")) === 200);
  for (const device of [phone, tablet, eva]) await device.isOut();
  for (const device of [laptop, bea, jefa, late, forgotten]) assert.ok(await device.isIn(), device.email);
  assert.match(here.run("session", "list", "--user", bea.email), /old-/);

  // The last old token has expired, and the setting goes.
  await here.stop();
  await here.serve({ CERROJO_MIGRATION__ACCEPT_OLD_TOKENS: "false" });
  assert.equal(await bea.call("GET", "/api/auth/profile"), 401);
  assert.equal(await unused.call("GET", "/api/auth/profile"), 200);
}

test("an Express application moves in, and nobody is signed out: SQLite", (context) => walk(context, {}));

test("an Express application moves in, and nobody is signed out: PostgreSQL", async (context) => {
  await walk(context, { CERROJO_DATABASE__URL: (await database(context)).url });
});
