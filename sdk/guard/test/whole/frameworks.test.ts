import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { Guard } from "@cerrojo/guard";
import { protect as protectExpress } from "@cerrojo/guard/express";
import { protect as protectFastify } from "@cerrojo/guard/fastify";
import { protect as protectHono } from "@cerrojo/guard/hono";
import { serve } from "@hono/node-server";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import type { FakeClock } from "../support/clock.js";
import { pass, setup } from "../support/setup.js";

type Options = { locale?: "es" | "en" };
type Start = (guard: Guard, context: TestContext, options?: Options) => Promise<string>;

const frameworks: Record<string, Start> = {
  express: async (guard, context, options) => {
    const app = express();
    app.get("/open", (_req, res) => {
      res.json("open");
    });
    app.use(protectExpress(guard, options));
    app.get("/me", (req, res) => {
      res.json({ user: req.auth?.userId });
    });
    const server = app.listen(0, "127.0.0.1");
    context.after(() => server.close());
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
  fastify: async (guard, context, options) => {
    const app = Fastify();
    context.after(() => app.close());
    app.get("/open", () => JSON.stringify("open"));
    app.register(async (inner) => {
      inner.register(protectFastify(guard, options));
      inner.get("/me", (request) => ({ user: request.auth?.userId }));
    });
    return app.listen({ port: 0, host: "127.0.0.1" });
  },
  hono: async (guard, context, options) => {
    const app = new Hono();
    app.get("/open", (c) => c.json("open"));
    app.use("/me", protectHono(guard, options));
    app.get("/me", (c) => c.json({ user: c.get("auth").userId }));
    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
    context.after(() => server.close());
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
};

const UNAUTHORIZED = { success: false, message: "Token no proporcionado o inválido", code: "UNAUTHORIZED" };

async function ask(address: string, authorization?: string) {
  const answer = await fetch(`${address}/me`, authorization === undefined ? {} : { headers: { authorization } });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

/** With each of these as a header of its own, which `fetch` would join. */
async function askWith(address: string, values: string[]): Promise<IncomingMessage> {
  const headers = ["host", new URL(address).host, ...values.flatMap((value) => ["authorization", value])];
  const request = get(`${address}/me`, { headers });
  const [answer] = (await once(request, "response")) as [IncomingMessage];
  answer.resume();
  return answer;
}

async function makeStale(clock: FakeClock, guard: Guard): Promise<void> {
  await pass(clock, "it is stale", () => guard.staleness() >= 5000);
}

for (const [name, start] of Object.entries(frameworks)) {
  test(`${name}: live sessions alone get through, and the answers are the contract's`, async (context) => {
    const { clock, server, connect } = await setup(context);
    const guard = (await connect()) as unknown as Guard;
    const address = await start(guard, context);
    assert.equal((await fetch(`${address}/open`)).status, 200, "what stands before is not protected");

    const token = server.token(1);
    const good = await ask(address, `Bearer ${token}`);
    assert.deepEqual([good.status, good.body], [200, { user: 7 }]);
    assert.equal((await ask(address, `bearer  ${token}`)).status, 200);

    for (const authorization of [undefined, "", "Bearer", "Bearer ", `Basic ${token}`, token, `Bearer${token}`]) {
      const none = await ask(address, authorization);
      assert.deepEqual([none.status, none.body], [401, UNAUTHORIZED], authorization);
      assert.equal(none.headers.get("www-authenticate"), "Bearer", authorization);
    }
    server.end(1);
    await pass(clock, "it is known", () => guard.metrics().endings === 1);
    for (const bad of [token, "nonsense", `${token} x`, `${server.token(2)}, Bearer ${server.token(2)}`]) {
      const refused = await ask(address, `Bearer ${bad}`);
      assert.deepEqual([refused.status, refused.body], [401, UNAUTHORIZED]);
      assert.equal(refused.headers.get("www-authenticate"), 'Bearer error="invalid_token"');
      assert.equal(refused.headers.get("cache-control"), "no-store");
    }

    server.events = "hang";
    server.entries = "hang";
    await makeStale(clock, guard);
    const unavailable = await ask(address, `Bearer ${server.token(2)}`);
    assert.deepEqual(
      [unavailable.status, unavailable.body],
      [
        503,
        {
          success: false,
          message: "Servicio no disponible temporalmente. Por favor, intente de nuevo.",
          code: "UNAVAILABLE",
        },
      ],
    );
    assert.equal(unavailable.headers.get("retry-after"), "1");
    assert.equal((await ask(address, `Bearer ${token}`)).status, 401, "what is known to be over");
  });

  test(`${name}: what is more or longer than a token is invalid, as it is to the server`, async (context) => {
    const { server, connect } = await setup(context);
    const address = await start((await connect()) as unknown as Guard, context);
    const good = `Bearer ${server.token(1)}`;
    for (const values of [
      [good.replace(".", ". ")],
      [good.replace(".", ".\t")],
      [`${good}${"A".repeat(8 * 1024)}`],
      [good, good],
      [good, "Basic YTpi"],
    ]) {
      const { statusCode, headers } = await askWith(address, values);
      assert.equal(statusCode, 401, values.join(" and "));
      assert.equal(headers["www-authenticate"], 'Bearer error="invalid_token"', values.join(" and "));
    }
    assert.equal((await askWith(address, [good])).statusCode, 200);
  });

  test(`${name}: in English`, async (context) => {
    const { connect } = await setup(context);
    const address = await start((await connect()) as unknown as Guard, context, { locale: "en" });
    assert.deepEqual((await ask(address)).body, {
      success: false,
      message: "Token missing or invalid",
      code: "UNAUTHORIZED",
    });
  });
}

test("fastify: requests that are made up for a test", async (context) => {
  const { server, connect } = await setup(context);
  const app = Fastify();
  app.register(protectFastify((await connect()) as unknown as Guard));
  app.get("/me", (request) => ({ user: request.auth?.userId }));
  const headers = { authorization: `Bearer ${server.token(1)}` };
  assert.deepEqual((await app.inject({ url: "/me", headers })).json(), { user: 7 });
  assert.equal((await app.inject({ url: "/me" })).statusCode, 401);
});
