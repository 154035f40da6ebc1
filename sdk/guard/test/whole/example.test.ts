import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setup } from "../support/setup.js";
import { until } from "../support/until.js";

test("the Express example runs, protects, and stops when told", async (context) => {
  const { server } = await setup(context);
  const child = spawn(process.execPath, ["server.js"], {
    cwd: new URL("../../../../examples/express/", import.meta.url),
    env: { ...process.env, CERROJO_ISSUER: server.issuer, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  context.after(() => child.kill("SIGKILL"));
  const [line] = await once(createInterface(child.stdout), "line");
  const address = String(line).replace("listening on ", "");
  const seconds = Math.floor(Date.now() / 1000);
  const token = server.token(1, "list", { iat: seconds, exp: seconds + 3600 });
  const ask = (path: string) => fetch(address + path, { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await fetch(`${address}/orders`)).status, 401);
  assert.deepEqual(await (await ask("/orders")).json(), { of: "Ana Núñez", orders: [] });
  server.end(1);
  await until("it is refused", async () => (await ask("/orders")).status === 401);
  assert.match(await (await fetch(`${address}/metrics`)).text(), /^cerrojo_guard_endings_total 1$/m);
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
});
