import assert from "node:assert/strict";
import { test } from "node:test";
import type { Conversation } from "../../src/conversation.js";
import { Follower } from "../../src/follower.js";
import { secretKey } from "../../src/keys.js";
import { ProtocolError } from "../../src/protocol-error.js";
import type { Ending } from "../../src/session.js";
import { EventReader } from "../../src/sse.js";
import { FakeClock } from "../support/clock.js";
import { AUDIENCE, bitmap, ISSUER, lst, type Members, Signer } from "../support/signer.js";

const k1 = Signer.es256("k1").jwk;
const k2 = Signer.es256("k2").jwk;

const text = (type: string, data: Members, id?: string) =>
  `event: ${type}\ndata: ${JSON.stringify(data)}\n${id === undefined ? "" : `id: ${id}\n`}\n`;
const say = (conversation: Conversation, type: string, data: Members, id?: string) =>
  conversation.receive(Buffer.from(text(type, data, id)));
const list = (name: string, ended: number[] = []) => ({ name, capacity: 64, lst: lst(bitmap(64, ended)) });
const HELLO = { issuer: ISSUER, audience: AUDIENCE, heartbeat: 1000, report: null, incarnation: "i" };

function setup(more: { secretKey?: ReturnType<typeof secretKey> } = {}) {
  const clock = new FakeClock();
  const follower = new Follower({ issuer: ISSUER, clock, maxStaleness: 5000, ...more });
  const heard: Ending[] = [];
  follower.onEnding((ending) => heard.push(ending));
  return { clock, follower, heard };
}

/** A follower that has had its first snapshot: key k1, list a. */
function begun() {
  const all = setup();
  const conversation = all.follower.ask();
  say(conversation, "hello", HELLO);
  say(conversation, "list", list("a", [1]));
  say(conversation, "snapshot", { elapsed: 0, keys: { keys: [k1] }, lists: ["a"] }, "p1");
  return { ...all, conversation };
}

test("only the end of the first snapshot makes fresh", () => {
  const { clock, follower } = setup();
  const conversation = follower.ask();
  say(conversation, "hello", { ...HELLO, elapsed: 5 });
  say(conversation, "heartbeat", { elapsed: 5 });
  say(conversation, "list", list("a"));
  say(conversation, "entries", { elapsed: 6, ended: { a: [2] } }, "p0");
  say(conversation, "heartbeat", { elapsed: 7 });
  assert.equal(follower.staleness(), Number.POSITIVE_INFINITY);
  assert.equal(follower.position, null);
  clock.advance(100);
  say(conversation, "snapshot", { elapsed: 10, keys: { keys: [k1] }, lists: ["a"] }, "p1");
  assert.equal(follower.staleness().toFixed(2), "90.01");
  assert.equal(follower.position, "p1");
  assert.ok(follower.lists.get("a")?.isOver(2));
});

test("freshness counts from the request, not from when a message arrives; it only rises and lies never ahead", () => {
  const { clock, follower, conversation } = begun();
  const start = clock.elapsed();
  clock.advance(4000);
  say(conversation, "heartbeat", { elapsed: 1000 });
  assert.equal(follower.deadline, start + 999 + 5000);
  say(conversation, "heartbeat", { elapsed: 500 });
  assert.equal(follower.deadline, start + 999 + 5000);
  say(conversation, "heartbeat", { elapsed: 9_000_000 });
  assert.equal(follower.deadline, start + 4000 + 5000);
});

test("going on from a position, hello makes nothing fresh, and what follows it does", () => {
  const { clock, follower, heard } = begun();
  clock.advance(10_000);
  const again = follower.ask();
  assert.equal(again.position, "p1");
  say(again, "hello", { ...HELLO, elapsed: 1 });
  assert.equal(follower.staleness(), 10_000);
  say(again, "entries", { elapsed: 2, ended: { a: [7, 1], later: [3] } }, "p2");
  assert.equal(follower.staleness(), 0);
  assert.deepEqual(heard, [
    { kind: "session", list: "a", index: 7 },
    { kind: "session", list: "later", index: 3 },
  ]);
  assert.equal(follower.lists.get("later"), undefined);
  follower.openList({ name: "later", capacity: 64, bytes: bitmap(64) });
  assert.ok(follower.lists.get("later")?.isOver(3));
});

test("a snapshot retires what was known before the request, for ever", () => {
  const { follower, heard } = begun();
  const again = follower.ask();
  say(again, "hello", HELLO);
  say(again, "list", list("b"));
  say(again, "snapshot", { elapsed: 0, keys: { keys: [k2] }, lists: ["b"] }, "p2");
  assert.equal(follower.lists.get("a"), null);
  assert.ok(follower.lists.get("b"));
  assert.equal(follower.keys.get("k1"), null);
  assert.ok(follower.keys.get("k2"));
  assert.deepEqual(heard, [
    { kind: "list", list: "a" },
    { kind: "key", key: "k1" },
  ]);
});

test("a snapshot in the midst of a stream retires what the stream told before", () => {
  const { clock, follower, conversation } = begun();
  say(conversation, "list", list("b"));
  clock.advance(3000);
  say(conversation, "heartbeat", { elapsed: 2900 });
  assert.equal(follower.staleness(), 3000, "not in the midst of it");
  say(conversation, "snapshot", { elapsed: 3000, keys: { keys: [k1] }, lists: ["b"] }, "p2");
  assert.equal(follower.lists.get("a"), null);
  assert.equal(follower.staleness(), 3);
  say(conversation, "snapshot", { elapsed: 3000, keys: { keys: [] }, lists: [] }, "p3");
  assert.equal(follower.lists.get("b"), null);
  assert.equal(follower.keys.get("k1"), null);
});

test("what was looked up while a snapshot was on its way may be newer or over: everything is asked for again", () => {
  const { clock, follower } = begun();
  clock.advance(1000);
  const again = follower.ask();
  follower.openList({ name: "since", capacity: 64, bytes: bitmap(64) });
  say(again, "hello", HELLO);
  say(again, "list", list("b"));
  const end = { elapsed: 0, keys: { keys: [k1] }, lists: ["b"] };
  assert.throws(() => say(again, "snapshot", end, "p2"), ProtocolError);
  assert.equal(follower.lists.get("a"), null, "that is certain");
  assert.ok(follower.lists.get("since"));
  assert.equal(follower.staleness(), 1000);
  const third = follower.ask();
  say(third, "hello", HELLO);
  say(third, "list", list("b"));
  say(third, "snapshot", end, "p3");
  assert.equal(follower.lists.get("since"), null);
  assert.equal(follower.staleness(), 0);
});

test("another incarnation: nothing is fresh before a snapshot, even from a position", () => {
  const { clock, follower } = begun();
  clock.advance(1000);
  const again = follower.ask();
  say(again, "hello", { ...HELLO, incarnation: "j" });
  say(again, "entries", { elapsed: 0 }, "p2");
  say(again, "heartbeat", { elapsed: 0 });
  assert.equal(follower.staleness(), 1000);
  assert.equal(follower.position, null, "nor does the next request go on from there");
  say(again, "snapshot", { elapsed: 0, incarnation: "j", keys: { keys: [k1] }, lists: [] }, "p3");
  assert.equal(follower.staleness(), 0);
  const third = follower.ask();
  say(third, "hello", { ...HELLO, incarnation: "j" });
  clock.advance(10);
  say(third, "heartbeat", { elapsed: 10 });
  assert.equal(follower.staleness().toFixed(2), "0.01");
});

test("what is retired or over stays so", () => {
  const { follower, conversation } = begun();
  say(conversation, "entries", { elapsed: 1, retired_lists: ["a"], retired_keys: ["k1", "k2"] }, "p2");
  say(conversation, "list", list("a"));
  say(conversation, "snapshot", { elapsed: 2, keys: { keys: [k1, k2] }, lists: ["a"] }, "p3");
  assert.equal(follower.lists.get("a"), null);
  assert.equal(follower.keys.get("k1"), null);
  assert.equal(follower.keys.get("k2"), null);
  const other = begun();
  say(other.conversation, "list", list("a", []));
  assert.ok(other.follower.lists.get("a")?.isOver(1), "a bit is never cleared");
});

test("entries with keys add what is new and retire what is missing, but for what others brought meanwhile", () => {
  const { follower, conversation } = begun();
  say(conversation, "entries", { elapsed: 1, keys: { keys: [k1, k2] } }, "p2");
  assert.ok(follower.keys.get("k2"));
  say(conversation, "entries", { elapsed: 2, keys: { keys: [k2] } }, "p3");
  assert.equal(follower.keys.get("k1"), null);
  const k3 = Signer.es256("k3").jwk;
  const poll = follower.ask();
  poll.receiveAnswer(JSON.stringify({ elapsed: 0, position: "p5", ...HELLO, keys: { keys: [k2, k3] } }));
  say(conversation, "entries", { elapsed: 3, keys: { keys: [k2] } }, "p4");
  assert.ok(follower.keys.get("k3"), "the stream lay in a buffer");
});

test("the shared secret's key is in no set, and retired by name alone", () => {
  const key = secretKey("a secret of thirty-two bytes....");
  const { follower } = setup({ secretKey: key });
  const conversation = follower.ask();
  say(conversation, "hello", HELLO);
  say(conversation, "snapshot", { elapsed: 0, keys: { keys: [] }, lists: [] }, "p1");
  say(conversation, "entries", { elapsed: 0, keys: { keys: [k1] } }, "p2");
  assert.ok(follower.keys.get(key.id));
  say(conversation, "entries", { elapsed: 0, retired_keys: [key.id] }, "p3");
  assert.equal(follower.keys.get(key.id), null);
});

test("a guard that begins after a shared secret was retired is told so by the snapshot", () => {
  const begins = () => {
    const key = secretKey("a secret of thirty-two bytes....");
    return { ...setup({ secretKey: key }), key, snapshot: { keys: { keys: [] }, retired_keys: [key.id], lists: [] } };
  };
  const byStream = begins();
  const conversation = byStream.follower.ask();
  say(conversation, "hello", HELLO);
  say(conversation, "snapshot", { elapsed: 0, ...byStream.snapshot }, "p1");
  const byPolling = begins();
  const answer = { ...HELLO, elapsed: 0, position: "p1", snapshot: byPolling.snapshot };
  byPolling.follower.ask().receiveAnswer(JSON.stringify(answer));
  for (const { follower, heard, key } of [byStream, byPolling]) {
    assert.equal(follower.keys.get(key.id), null);
    assert.deepEqual(heard, [{ kind: "key", key: key.id }]);
  }
});

test("polling: a snapshot, then entries", () => {
  const { clock, follower } = setup();
  const first = follower.ask();
  clock.advance(50);
  const common = { issuer: ISSUER, audience: AUDIENCE, report: 60_000, incarnation: "i" };
  const snapshot = { keys: { keys: [k1] }, lists: [list("a", [4])] };
  first.receiveAnswer(JSON.stringify({ ...common, elapsed: 10, position: "p1", snapshot }));
  assert.equal(follower.staleness().toFixed(2), "40.01");
  assert.equal(follower.greeting?.report, 60_000);
  assert.ok(follower.lists.get("a")?.isOver(4));
  const second = follower.ask();
  second.receiveAnswer(JSON.stringify({ ...common, elapsed: 0, position: "p2", ended: { a: [5] } }));
  assert.ok(follower.lists.get("a")?.isOver(5));
  assert.equal(follower.position, "p2");
  follower.forgetPosition();
  clock.advance(100);
  const without = follower.ask();
  without.receiveAnswer(JSON.stringify({ ...common, elapsed: 0, position: "p3" }));
  assert.equal(follower.staleness(), 100, "entries where a snapshot was needed");
});

test("an answer to polling that is for another audience applies nothing, and the first one stays", () => {
  const { clock, follower } = begun();
  clock.advance(1000);
  const audience = "https://other.example.org";
  const answer = { elapsed: 0, position: "p2", issuer: ISSUER, audience, incarnation: "i", ended: { a: [5] } };
  assert.throws(() => follower.ask().receiveAnswer(JSON.stringify(answer)), ProtocolError);
  assert.equal(follower.audience, AUDIENCE);
  assert.equal(follower.staleness(), 1000);
  assert.ok(!follower.lists.get("a")?.isOver(5));
});

test("events and members that nobody knows are passed over, comments too", () => {
  const { follower, conversation } = begun();
  conversation.receive(Buffer.from(": a comment\n\nevent: later\ndata: not JSON\n\nretry: 5\n\ndata: x\n\n"));
  say(conversation, "heartbeat", { elapsed: 1, more: [] });
  assert.equal(follower.position, "p1");
  say(conversation, "goodbye", { retry: 300 });
  assert.equal(conversation.goodbye, 300);
});

test("what breaks the protocol is an error, and makes nothing fresh", () => {
  const broken: [string, string][] = [
    ["no hello", text("heartbeat", { elapsed: 1 })],
    ["hello twice", text("hello", HELLO) + text("hello", HELLO)],
    ["another issuer", text("hello", { ...HELLO, issuer: "https://attacker.example" })],
    ["another audience", text("hello", { ...HELLO, audience: "https://other.example.org" })],
    ["no audience", text("hello", { ...HELLO, audience: undefined })],
    ["not JSON", `${text("hello", HELLO)}event: heartbeat\ndata: {\n\n`],
    ...[{}, { elapsed: -1 }, { elapsed: "1" }, { elapsed: null }].map((data): [string, string] => [
      `heartbeat ${JSON.stringify(data)}`,
      text("hello", HELLO) + text("heartbeat", data),
    ]),
    ...["", "a b", "ñ", "a".repeat(129)].map((id): [string, string] => [
      `position ${id}`,
      text("hello", HELLO) + text("snapshot", { elapsed: 0, keys: { keys: [] }, lists: [] }, id),
    ]),
    ["no position", text("hello", HELLO) + text("entries", { elapsed: 0 })],
    ...[
      { name: 1 },
      { name: "" },
      { capacity: 0 },
      { capacity: -1 },
      { capacity: 2 ** 25 },
      { capacity: 72 },
      { capacity: 56 },
      { lst: "x" },
      { lst: 1 },
      { lst: "" },
    ].map((change): [string, string] => [
      `list ${JSON.stringify(change)}`,
      text("hello", HELLO) + text("list", { ...list("b"), ...change }),
    ]),
    ...[
      { ended: [] },
      { ended: { a: 1 } },
      { ended: { a: [-1] } },
      { ended: { a: [0.5] } },
      { ended: { a: [2 ** 32] } },
      { retired_lists: {} },
      { retired_keys: [1] },
      { keys: [] },
    ].map((data): [string, string] => [
      `entries ${JSON.stringify(data)}`,
      text("hello", HELLO) + text("entries", { elapsed: 0, ...data }, "p2"),
    ]),
    [
      "a snapshot that names a known list without its bits",
      text("hello", HELLO) + text("snapshot", { elapsed: 0, keys: { keys: [k1] }, lists: ["a"] }, "p2"),
    ],
  ];
  for (const [about, bytes] of broken) {
    const { clock, follower } = begun();
    clock.advance(1000);
    const again = follower.ask();
    assert.throws(() => again.receive(Buffer.from(bytes)), ProtocolError, about);
    assert.equal(follower.staleness(), 1000, about);
    assert.equal(follower.position, "p1", about);
  }
});

test("a stream is read whatever pieces it comes in", () => {
  const bytes = Buffer.from('event: a\ndata: "ñ😀"\nid: 1\n\n: c\r\nevent:b\r\ndata:x\r\ndata: y\r\n\r\n');
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new EventReader();
    const events = [];
    for (let at = 0; at < bytes.length; at += size) events.push(...reader.read(bytes.subarray(at, at + size)));
    assert.deepEqual(events, [
      { type: "a", data: '"ñ😀"', id: "1" },
      { type: "b", data: "x\ny", id: null },
    ]);
  }
});

test("an event that is cut off is none, and one that is too long or not UTF-8 is an error", () => {
  assert.deepEqual([...new EventReader().read(Buffer.from("event: a\ndata: x\n"))], []);
  const reads = (piece: string, times: number) => () => {
    const reader = new EventReader(1000);
    for (let time = 0; time < times; time++) [...reader.read(Buffer.from(piece))];
  };
  assert.doesNotThrow(reads("data: 12345678\n\n", 1000));
  assert.throws(reads("data: 12345678\n", 1000), ProtocolError);
  assert.throws(reads("no line ends ", 1000), ProtocolError);
  assert.throws(() => [...new EventReader().read(Buffer.of(0xff, 0x0a))], ProtocolError);
});
