import assert from "node:assert/strict";
import { test } from "node:test";
import { pass, setup } from "../support/setup.js";
import { until } from "../support/until.js";

const outcome = async (guard: { check(token: string): Promise<{ outcome: string }> }, token: string) =>
  (await guard.check(token)).outcome;

test("a silent server makes the guard stale within the bound, and is asked again after three heartbeats", async (context) => {
  const { clock, server, connect } = await setup(context);
  const guard = await connect({ maxStaleness: 5000 });
  server.entries = "hang";
  server.events = "hang";
  const token = server.token(1);
  assert.equal(await outcome(guard, token), "accepted");
  const took = await pass(clock, "it is stale", async () => (await outcome(guard, token)) === "unavailable");
  assert.ok(took > 4900 && took <= 5040, `${took}`);
  assert.equal(server.count("/api/guards/events"), 2);
  server.end(2);
  assert.equal(await outcome(guard, server.token(2)), "unavailable", "nobody told it");
  server.events = "serve";
  server.entries = "serve";
  await pass(clock, "it is current again", async () => (await outcome(guard, token)) === "accepted");
  assert.equal(await outcome(guard, server.token(2)), "refused");
});

test("heartbeats keep it fresh, whatever pieces they come in", async (context) => {
  const { clock, server, connect } = await setup(context);
  const guard = await connect();
  for (let second = 0; second < 30; second++) {
    const before = guard.metrics().staleness;
    clock.advance(500);
    const bytes = Buffer.from(`event: heartbeat\ndata: {"elapsed": ${server.stream.elapsed}, "ñ": "😀"}\n\n`);
    for (const byte of bytes) server.stream.write(Buffer.of(byte));
    await until("it was heard", () => guard.staleness() <= Math.max(before, 100));
  }
  assert.equal(server.count("/api/guards/events"), 1);
  assert.equal(server.count("/api/guards/entries"), 0);
});

test("a stream that is cut in the midst of an event is gone on with, and misses nothing", async (context) => {
  const { clock, server, connect } = await setup(context);
  const guard = await connect();
  server.stream.write('event: entries\ndata: {"elapsed": 0, "ended": {"list": [9');
  server.stream.cut();
  server.log.push({ list: "list", index: 9 });
  await pass(clock, "it asked again", () => server.streams.length === 2);
  assert.equal(server.stream.lastEventId, "p0");
  await until("it knows", async () => (await outcome(guard, server.token(9))) === "refused");
  assert.equal(await outcome(guard, server.token(8)), "accepted");
});

test("where the server cannot go on, a snapshot follows, and old lists are retired", async (context) => {
  const { clock, server, connect } = await setup(context);
  const guard = await connect();
  const [old, fresh] = [server.token(1), server.token(1, "other")];
  assert.equal(await outcome(guard, old), "accepted");
  server.oldest = 1;
  server.lists.clear();
  server.lists.set("other", new Set());
  server.stream.end();
  await pass(clock, "it asked again", () => server.streams.length === 2);
  await until("it knows", async () => (await outcome(guard, old)) === "refused");
  assert.equal(await outcome(guard, fresh), "accepted");
});

test("garbage, and events that are too long, end the stream; the next begins with a snapshot", async (context) => {
  const { clock, server, connect } = await setup(context);
  await connect();
  const huge = Buffer.alloc(1024 * 1024, "a");
  const faults: (() => void)[] = [
    () => server.stream.write(Buffer.of(0xff, 0xfe, 0x0a)),
    () => server.stream.write("event: heartbeat\ndata: {}\n\n"),
    () => server.stream.send("hello", server.hello()),
    () => server.stream.send("list", { name: "x", capacity: 64, lst: "AAAA" }),
    () => {
      for (let piece = 0; piece < 20; piece++) server.stream.write(huge);
    },
  ];
  for (const [number, fault] of faults.entries()) {
    fault();
    await pass(clock, "it asked again", () => server.streams.length === number + 2);
    assert.equal(server.stream.lastEventId, null);
  }
});

for (const [about, greeting] of [
  ["another one", { issuer: "https://other.example" }],
  ["one for another audience", { audience: "https://other.example" }],
] as const) {
  test(`a server that becomes ${about} is not followed`, async (context) => {
    const { clock, server, connect, problems } = await setup(context);
    const guard = await connect();
    const token = server.token(1);
    assert.equal(await outcome(guard, token), "accepted");
    server.greeting = greeting;
    server.stream.end();
    await pass(clock, "it is stale", async () => (await outcome(guard, token)) === "unavailable");
    assert.ok(problems.some(({ message }) => message.includes("https://other.example")));
    server.greeting = {};
    await pass(clock, "it is the old one again", async () => (await outcome(guard, token)) === "accepted");
  });
}

for (const [about, events] of [
  ["are refused because of too many", { status: 429, retryAfter: 30 }],
  ["are refused by a server that is not current", { status: 503, retryAfter: 1 }],
  ["do not exist", { status: 404 }],
  ["lie in a buffer", "silent"],
  ["never answer", "hang"],
  ["are somebody's page", "html"],
] as const) {
  test(`streams that ${about}: the guard polls and keeps its bound`, async (context) => {
    const { clock, server, connect } = await setup(context);
    server.events = events;
    const connected = connect();
    let isConnected = false;
    void connected.then(() => {
      isConnected = true;
    });
    await pass(clock, "it is connected", () => isConnected);
    const guard = await connected;
    const [token, ended] = [server.token(1), server.token(2)];
    const polls = server.count("/api/guards/entries");
    const took = await pass(clock, "it polled ten times", async () => {
      assert.equal(await outcome(guard, token), "accepted");
      return server.count("/api/guards/entries") >= polls + 10;
    });
    assert.ok(took > 8000 && took < 15_000, `${took}`);
    server.end(2);
    await pass(clock, "it knows", async () => (await outcome(guard, ended)) === "refused");
    assert.ok(guard.staleness() < 2500);
    server.events = "serve";
    await pass(clock, "it follows again", () => guard.metrics().streamsFollowed === 1);
  });
}

test("a proxy that delays what it passes on makes the guard poll beside the stream", async (context) => {
  const { clock, server, connect } = await setup(context);
  const guard = await connect();
  const token = server.token(1);
  const delayed: { at: number; elapsed: number }[] = [];
  const end = clock.elapsed() + 30_000;
  await pass(clock, "half a minute is over", async () => {
    const { elapsed } = server.stream;
    if (delayed.at(-1)?.elapsed !== elapsed) delayed.push({ at: clock.elapsed() + 4000, elapsed });
    while (delayed[0] && delayed[0].at <= clock.elapsed()) {
      server.stream.send("heartbeat", { elapsed: delayed.shift()?.elapsed });
    }
    assert.equal(await outcome(guard, token), "accepted");
    return clock.elapsed() >= end;
  });
  assert.ok(server.count("/api/guards/entries") >= 8);
});

test("goodbye: the guard goes on with what it has and asks again in time", async (context) => {
  const { clock, server, connect } = await setup(context);
  const guard = await connect();
  server.stream.send("goodbye", { retry: 60_000 });
  server.stream.end();
  const token = server.token(1);
  const took = await pass(clock, "it asked again", async () => {
    assert.equal(await outcome(guard, token), "accepted");
    return server.streams.length === 2;
  });
  assert.ok(took <= 2540, `it does not wait for the minute that it was allowed: ${took}`);
  assert.equal(server.count("/api/guards/entries"), 0);
});

test("it asks again within five minutes", async (context) => {
  const { clock, server, connect } = await setup(context);
  const guard = await connect();
  const token = server.token(1);
  let left = 299_000;
  while (left > 0 && server.streams.length === 1) {
    clock.advance(1000);
    left -= 1000;
    server.stream.heartbeat();
    await until("it was heard", () => guard.staleness() < 1000 || server.count("/api/guards/events") > 1);
    assert.equal(await outcome(guard, token), "accepted");
  }
  await until("there is a second stream", () => server.streams.length === 2);
  assert.equal(server.stream.lastEventId, "p0");
  await until("it was heard", () => guard.staleness() < 100);
  assert.ok(!server.streams[0]?.isOpen);
});
