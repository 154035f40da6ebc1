import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import type { Guard } from "../../src/guard.js";
import { admitUpgrade, closeOnEnd, SESSION_OVER, TRY_AGAIN_LATER } from "../../src/ws.js";
import { pass, setup } from "../support/setup.js";
import { until } from "../support/until.js";

/** A server whose sockets echo, and those sockets. */
async function echo(guard: Guard, context: TestContext) {
  const http = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  const heard: string[] = [];
  http.on("upgrade", async (request, socket, head) => {
    const session = await admitUpgrade(guard, request, socket);
    if (!session) return;
    sockets.handleUpgrade(request, socket, head, (ws) => {
      closeOnEnd(guard, ws, session);
      ws.on("message", (text) => {
        heard.push(String(text));
        ws.send(String(text));
      });
    });
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  context.after(() => {
    for (const ws of sockets.clients) ws.terminate();
    http.close();
  });
  const address = `ws://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const open = async (token: string) => {
    const ws = new WebSocket(address, { headers: { authorization: `Bearer ${token}` } });
    await once(ws, "open");
    return ws;
  };
  return { address, open, heard, sockets };
}

const closing = async (ws: WebSocket) => {
  const [code, reason] = await once(ws, "close");
  return [code, String(reason)];
};

test("a socket closes with 4401 when its session ends, and others stay", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect();
  const { open } = await echo(guard, context);
  const [first, second] = [await open(server.token(1)), await open(server.token(2))];
  first.send("hello");
  assert.equal(String((await once(first, "message"))[0]), "hello");
  server.end(1);
  assert.deepEqual(await closing(first), [SESSION_OVER, "session ended"]);
  second.send("still here");
  assert.equal(String((await once(second, "message"))[0]), "still here");
  second.close();
  await once(second, "close");
  await until("nobody watches", () => guard.metrics().watchers === 0);
});

test("what comes over a socket is a use of its session", async (context) => {
  const { clock, server, connect } = await setup(context);
  server.greeting = { report: 60_000 };
  const guard = await connect({ credentials: { name: "a", secret: "b" }, maxStaleness: 600_000 });
  const { open } = await echo(guard, context);
  const [silent, speaking] = [await open(server.token(1)), await open(server.token(2))];
  const reports = () => server.requests.filter(({ url }) => url === "/api/guards/activity");
  await pass(clock, "their opening was told", () => guard.metrics().activityReports === 1, 200);
  speaking.send("hello");
  await once(speaking, "message");
  await guard.close();
  silent.terminate();
  const [opened, later, ...more] = reports().map(({ body }) => JSON.parse(body).uses.list as [number, number][]);
  assert.deepEqual(opened?.map(([index]) => index).sort(), [1, 2]);
  assert.deepEqual([later?.map(([index]) => index), more], [[2], []]);
});

test("expiry and staleness close it too", async (context) => {
  const { clock, server, connect } = await setup(context);
  const guard = await connect();
  const { open } = await echo(guard, context);
  const expiring = await open(server.token(1, "list", { exp: Math.floor(clock.now() / 1000) + 2 }));
  const other = await open(server.token(2));
  const expired = closing(expiring);
  clock.advance(2000);
  assert.deepEqual(await expired, [SESSION_OVER, "session expired"]);
  server.events = "hang";
  server.entries = "hang";
  const stale = closing(other);
  await pass(clock, "it is stale", () => guard.staleness() >= 5000);
  assert.deepEqual(await stale, [TRY_AGAIN_LATER, "session cannot be checked"]);
});

test("from the ending on no message of it is delivered, and a peer that does not answer is cut off", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect();
  const { open, heard, sockets } = await echo(guard, context);
  const ws = await open(server.token(1));
  // A peer that goes on as if nothing had been said.
  const raw = (ws as unknown as { _socket: Socket })._socket;
  ws.pause();
  const [theirs] = sockets.clients;
  assert.ok(theirs);
  const gone = once(theirs, "close");
  server.end(1);
  await until("it was told", () => theirs.readyState === WebSocket.CLOSING);
  ws.send("too late");
  await gone;
  assert.deepEqual(heard, []);
  raw.destroy();
});

test("a request to upgrade without a live session is answered", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect();
  const { address } = await echo(guard, context);
  for (const [headers, challenge] of [
    [{}, "Bearer"],
    [{ authorization: "Bearer nonsense" }, 'Bearer error="invalid_token"'],
  ] as const) {
    const ws = new WebSocket(address, { headers });
    const [, answer] = await once(ws, "unexpected-response");
    assert.equal(answer.statusCode, 401);
    assert.equal(answer.headers["www-authenticate"], challenge);
    let body = "";
    for await (const piece of answer) body += piece;
    assert.deepEqual(JSON.parse(body), {
      success: false,
      message: "Token no proporcionado o inválido",
      code: "UNAUTHORIZED",
    });
  }
  assert.equal(server.count("/api/guards/lists/"), 0);
});
