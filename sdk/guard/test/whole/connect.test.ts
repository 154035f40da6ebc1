import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectError } from "../../src/errors.js";
import { Guard } from "../../src/guard.js";
import type { FakeClock } from "../support/clock.js";
import { pass, setup } from "../support/setup.js";

test("a guard verifies once it is connected, and learns of an ending over the stream", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect();
  const session = await guard.verify(server.token(3));
  assert.equal(session.userId, 7);
  const ended = new Promise((resolve) => guard.onSessionEnd(resolve));
  server.end(3);
  assert.deepEqual(await ended, { kind: "session", list: "list", index: 3 });
  await assert.rejects(guard.verify(server.token(3)), { name: "TokenRefused", status: 401 });
  assert.equal((await guard.check(server.token(4))).outcome, "accepted");
});

/** Why it fails, once so much time has passed. */
async function failure(clock: FakeClock, connecting: Promise<unknown>): Promise<string> {
  let why = "";
  connecting.catch((error: Error) => {
    why = error.message;
  });
  await pass(clock, "it fails", () => why !== "");
  return why;
}

test("what is wrong with an issuer is said at once", async () => {
  for (const [issuer, why] of [
    ["auth.example.org", /not an http/],
    ["ftp://auth.example.org", /not an http/],
    ["https://auth.example.org/", /slash/],
    ["https://auth.example.org?x", /query/],
    ["https://a:b@auth.example.org", /user/],
    ["http://auth.example.org", /not encrypted/],
    ["http://127.0.0.1.example.org", /not encrypted/],
  ] as const) {
    await assert.rejects(
      Guard.connect(issuer),
      (error) => error instanceof ConnectError && why.test(error.message),
      issuer,
    );
  }
  await assert.rejects(Guard.connect("https://auth.example.org", { maxStaleness: 10 }), /maxStaleness/);
  await assert.rejects(Guard.connect("https://auth.example.org", { hs256Secret: "short" }), /32 bytes/);
});

test("a server that is not the one, or none at all, is told apart at once", async (context) => {
  const { clock, server, connect } = await setup(context);
  for (const [metadata, why] of [
    [{ issuer: `${server.issuer}/` }, /says that it is/],
    [{ issuer: "https://attacker.example" }, /says that it is/],
    [{ cerrojo_guard_endpoint: undefined }, /no guard endpoint/],
    [{ cerrojo_guard_endpoint: "https://attacker.example/api/guards" }, /same origin/],
    [{ cerrojo_guard_endpoint: "/api/guards" }, /same origin/],
  ] as const) {
    server.metadata = metadata;
    await assert.rejects(connect(), (error) => error instanceof ConnectError && why.test(error.message));
  }
  server.metadata = {};
  server.discovery = { status: 404 };
  await assert.rejects(connect(), /is this the address of a Cerrojo server/);
  server.discovery = { status: 302 };
  assert.match(await failure(clock, connect({ connectTimeout: 2000 })), /after 2000 ms: .* redirects/);
  assert.equal(server.count("/api/guards"), 0, "nothing was asked of any of them");
});

test("wrong credentials and a wrong audience are told at once", async (context) => {
  const { server, connect } = await setup(context);
  server.events = { status: 401 };
  await assert.rejects(connect({ credentials: { name: "shop", secret: "x" } }), /credentials are wrong/);
  server.events = "serve";
  await assert.rejects(connect({ audience: "https://other.example.org" }), /tokens are for/);
});

test("credentials are form-encoded, then sent to the guard endpoint alone", async (context) => {
  const { server, connect } = await setup(context);
  await connect({ credentials: { name: "shop:1", secret: "s e+ñ" } });
  const expected = `Basic ${Buffer.from("shop%3A1:s+e%2B%C3%B1").toString("base64")}`;
  assert.equal(server.stream.authorization, expected);
  assert.equal(server.requests.find(({ url }) => url.startsWith("/.well-known"))?.authorization, undefined);
});

test("a server that is not there yet is tried again, until the time is up", async (context) => {
  const { clock, server, connect, problems } = await setup(context);
  server.discovery = { status: 503 };
  const late = connect();
  await pass(clock, "it was tried twice", () => problems.length >= 2);
  server.discovery = "serve";
  server.events = { status: 503, retryAfter: 1 };
  server.entries = { status: 503 };
  await pass(clock, "the stream was refused", () => server.count("/api/guards/events") > 0);
  server.events = "serve";
  await pass(clock, "it is connected", () => server.streams.length > 0);
  await late;
  server.events = { status: 503 };
  const start = clock.elapsed();
  const why = await failure(clock, connect({ connectTimeout: 3000 }));
  assert.match(why, /no guard of http.* after 3000 ms: .*(events|entries) answered 503/);
  assert.ok(clock.elapsed() - start >= 3000);
});

test("from the call of close on nothing is accepted; a guard disposes of itself", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect();
  await guard[Symbol.asyncDispose]();
  assert.equal((await guard.check(server.token(1))).outcome, "unavailable");
  await guard.close();
});
