import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import type { Fetch } from "../../src/transport.js";
import type { EndReason } from "../../src/watchers.js";
import { pass, setup } from "../support/setup.js";
import { until } from "../support/until.js";

test("an unknown list is asked for once, by however many tokens", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect({ credentials: { name: "a", secret: "b" } });
  server.newLists.set("fresh", new Set([2]));
  const tokens = [1, 1, 3, 4, 2].map((index) => server.token(index, "fresh"));
  const verdicts = await Promise.all(tokens.map((token) => guard.check(token)));
  assert.deepEqual(
    verdicts.map(({ outcome }) => outcome),
    ["accepted", "accepted", "accepted", "accepted", "refused"],
  );
  assert.equal(server.count("/api/guards/lists/"), 1);
  assert.equal(server.requests.at(-1)?.authorization?.startsWith("Basic "), true);
});

test("an ending that comes between is not lost", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect();
  server.newLists.set("fresh", new Set());
  const token = server.token(1, "fresh");
  server.end(1, "fresh");
  await until("it was heard", () => guard.metrics().endings === 1);
  server.newLists.set("fresh", new Set());
  assert.equal((await guard.check(token)).outcome, "refused");
});

test("an answer from before a snapshot opens no list that is over since", async (context) => {
  const { server, connect } = await setup(context);
  server.newLists.set("fresh", new Set());
  let everythingIsOver: (() => Promise<void>) | null = async () => {
    everythingIsOver = null;
    server.newLists.clear();
    server.lists.clear();
    server.stream.send(
      "snapshot",
      { elapsed: server.stream.elapsed, keys: { keys: [server.signer.jwk] }, lists: [] },
      "p9",
    );
    await until("it is known", () => guard.metrics().lists === 0);
  };
  const slow: Fetch = async (url, init) => {
    const answer = await fetch(url, init);
    if (!url.includes("/lists/") || !everythingIsOver) return answer;
    const bytes = new Uint8Array(await answer.arrayBuffer());
    await everythingIsOver();
    return { status: answer.status, headers: answer.headers, body: ReadableStream.from([bytes]) };
  };
  const guard = await connect({ fetch: slow });
  assert.equal((await guard.check(server.token(1, "fresh"))).outcome, "refused");
  assert.equal(server.count("/api/guards/lists/"), 2);
});

test("a list that is not there is refused and not asked for again for a while; trouble is 503", async (context) => {
  const { clock, server, connect } = await setup(context);
  const guard = await connect();
  const token = server.token(1, "gone");
  for (let time = 0; time < 5; time++) assert.equal((await guard.check(token)).outcome, "refused");
  assert.equal(server.count("/api/guards/lists/"), 1);
  for (let second = 0; second < 11; second++) {
    clock.advance(1000);
    server.stream.heartbeat();
    await until("it was heard", () => guard.staleness() < 1000);
  }
  server.listLookups = { status: 503 };
  assert.equal((await guard.check(token)).outcome, "unavailable");
  server.listLookups = "serve";
  server.newLists.set("gone", new Set());
  assert.equal((await guard.check(token)).outcome, "accepted");
});

test("nothing is asked for a token whose signature is not good", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect();
  const token = `${server.token(1, "fresh").slice(0, -6)}AAAAAA`;
  assert.equal((await guard.check(token)).outcome, "refused");
  assert.equal(server.count("/api/guards/lists/"), 0);
});

test("nothing is asked for a token that has expired", async (context) => {
  const { clock, server, connect } = await setup(context);
  const guard = await connect();
  server.newLists.set("fresh", new Set());
  const exp = Math.floor(clock.now() / 1000);
  assert.equal((await guard.check(server.token(1, "fresh", { exp, iat: exp - 60 }))).outcome, "refused");
  assert.equal(server.count("/api/guards/lists/"), 0);
  assert.equal((await guard.check(server.token(1, "fresh"))).outcome, "accepted");
  assert.equal(server.count("/api/guards/lists/"), 1);
});

test("those who watch a session are told once, and why", async (context) => {
  const { clock, server, connect } = await setup(context);
  const guard = await connect();
  const told: [string, EndReason][] = [];
  const seconds = Math.floor(clock.now() / 1000);
  const watch = async (name: string, index: number, more = {}) => {
    const session = await guard.verify(server.token(index, "list", more));
    return guard.watch(session, (reason) => told.push([name, reason]));
  };
  await watch("ended", 1);
  await watch("expired", 2, { exp: seconds + 3 });
  await watch("left alone", 3);
  (await watch("stopped", 4))();
  server.end(1);
  server.end(4);
  await until("both are known", () => guard.metrics().endings === 2);
  assert.deepEqual(told, [["ended", "ended"]]);
  for (let second = 0; second < 4; second++) {
    clock.advance(1000);
    server.stream.heartbeat();
    await until("it was heard", () => guard.staleness() < 1000);
  }
  assert.deepEqual(told.slice(1), [["expired", "expired"]]);
  server.events = "hang";
  server.entries = "hang";
  await pass(clock, "it is stale", () => told.length === 3);
  assert.deepEqual(told[2], ["left alone", "unavailable"]);
  assert.ok(guard.staleness() >= 5000 && guard.staleness() < 5050);
  assert.equal(guard.metrics().watchers, 0);
});

test("whoever watches a session that is over is told at once; an error of theirs stops nothing", async (context) => {
  const { server, connect, problems } = await setup(context);
  const guard = await connect();
  const session = await guard.verify(server.token(1));
  guard.onSessionEnd(() => {
    throw new Error("a listener's own");
  });
  server.end(1);
  await until("it is known", () => guard.metrics().endings === 1);
  const told: EndReason[] = [];
  guard.watch(session, (reason) => told.push(reason));
  assert.deepEqual(told, ["ended"]);
  assert.ok(problems.some(({ message }) => message === "a listener's own"));
  server.end(2);
  await until("it is known", () => guard.metrics().endings === 2);
});

test("whoever watches is told when the guard is closed", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect();
  const told: EndReason[] = [];
  guard.watch(await guard.verify(server.token(1)), (reason) => told.push(reason));
  await guard.close();
  assert.deepEqual(told, ["unavailable"]);
});

test("activity is reported in batches, and again if it could not be", async (context) => {
  const { clock, server, connect, problems } = await setup(context);
  server.greeting = { report: 60_000 };
  const guard = await connect({ credentials: { name: "a", secret: "b" }, maxStaleness: 600_000 });
  server.activity = { status: 503 };
  await guard.verify(server.token(1));
  await guard.verify(server.token(2));
  const reports = () => server.requests.filter(({ url }) => url === "/api/guards/activity");
  const start = clock.elapsed();
  await pass(clock, "some time is over", () => clock.elapsed() >= start + 20_000, 200);
  assert.equal(reports().length, 0);
  await guard.verify(server.token(1));
  await pass(clock, "it tried", () => problems.some(({ message }) => message.includes("activity answered 503")), 200);
  assert.ok(clock.elapsed() - start < 60_000, "before it is due");
  server.activity = "serve";
  await pass(clock, "it was taken", () => guard.metrics().activityReports === 1);
  const [first, second] = reports();
  assert.equal(first?.method, "POST");
  assert.ok(first?.authorization);
  const uses = JSON.parse(second?.body ?? "").uses.list as [number, number][];
  assert.deepEqual(
    uses.map(([index]) => index),
    [1, 2],
  );
  const [later = 0, earlier = 0] = uses.map(([, ago]) => ago);
  assert.ok(earlier - later >= 20_000 && earlier <= clock.elapsed() - start, `${later}, ${earlier}`);
  await pass(clock, "a long time is over", () => clock.elapsed() >= start + 120_000, 200);
  assert.equal(reports().length, 2, "nothing new, nothing sent");
  await guard.verify(server.token(3));
  await guard.close();
  assert.equal(reports().length, 3, "the last of it when it is closed");
});

test("a large report is divided", async (context) => {
  const { server, connect } = await setup(context);
  server.greeting = { report: 60_000 };
  const guard = await connect({ credentials: { name: "a", secret: "b" } });
  const lists = Array.from({ length: 60 }, (_, number) => `${number}`.padStart(50, "l"));
  for (const list of lists) server.newLists.set(list, new Set());
  const tokens = lists.flatMap((list) => Array.from({ length: 40 }, (_, index) => server.token(index, list)));
  await Promise.all(tokens.map((token) => guard.verify(token)));
  await guard.close();
  const bodies = server.requests.filter(({ url }) => url === "/api/guards/activity").map(({ body }) => body);
  const uses = bodies.flatMap((body) => Object.values(JSON.parse(body).uses as Record<string, unknown[]>)).flat();
  assert.equal(uses.length, 2400);
  assert.ok(bodies.length > 1 && bodies.every((body) => body.length <= 64 * 1024));
});

test("nothing is reported without an idle timeout, or without credentials", async (context) => {
  const { server, connect } = await setup(context);
  const named = await connect({ credentials: { name: "a", secret: "b" } });
  server.greeting = { report: 60_000 };
  const nameless = await connect();
  for (const guard of [named, nameless]) {
    await guard.verify(server.token(1));
    await guard.close();
  }
  assert.equal(server.count("/api/guards/activity"), 0);
});

test("metrics, as an object and as text", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect();
  await guard.check(server.token(1));
  const token = server.token(2);
  await guard.check(token);
  await guard.check(token);
  await guard.check("nonsense");
  const metrics = guard.metrics();
  assert.deepEqual(
    [
      metrics.accepted,
      metrics.refused,
      metrics.unavailable,
      metrics.cacheHits,
      metrics.cached,
      metrics.keys,
      metrics.lists,
    ],
    [3, 1, 0, 1, 2, 1, 1],
  );
  const text = guard.prometheus();
  assert.match(text, /^cerrojo_guard_checks_total\{outcome="accepted"\} 3$/m);
  assert.match(text, /^cerrojo_guard_staleness_seconds 0$/m);
  for (const line of text.trim().split("\n")) {
    assert.match(line, /^(# (HELP|TYPE) cerrojo_guard_\w+ .+|cerrojo_guard_\w+(\{\w+="\w+"\})? [\d.]+)$/);
  }
  await guard.close();
  assert.match(guard.prometheus(), /^cerrojo_guard_staleness_seconds \+Inf$/m);
});

test("a guard keeps no process alive", async (context) => {
  const { server } = await setup(context);
  server.greeting = { report: 60_000 };
  const program = `
    import { Guard } from "@cerrojo/guard";
    const guard = await Guard.connect(process.argv[1], { credentials: { name: "a", secret: "b" } });
    guard.watch(await guard.verify(process.argv[2]), () => undefined);
    console.log("connected");
  `;
  const token = server.token(1, "list", {
    exp: Math.floor(Date.now() / 1000) + 3600,
    iat: Math.floor(Date.now() / 1000),
  });
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program, server.issuer, token], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 60_000,
  });
  let said = "";
  child.stdout.on("data", (text) => {
    said += text;
  });
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
  assert.equal(said, "connected\n");
});
