/**
 * The guard beside the server itself: the binary that the variable CERROJO_BINARY names. These tests run in real time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectError, type Fetch } from "@cerrojo/guard";
import { getListFromStatusListJWT, getStatusListFromJWT } from "@sd-jwt/jwt-status-list";
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { Installation } from "./support/installation.js";
import { Signer } from "./support/signer.js";
import { until } from "./support/until.js";

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

test("a guard that begins after the secret was retired believes nothing that it signs", async (context) => {
  const secret = "a secret of more than thirty-two bytes";
  const here = await Installation.start(context, { CERROJO_TOKEN__ALGORITHM: "HS256", CERROJO_TOKEN__SECRET: secret });
  const { email, token } = await here.register();
  const kid = decodeProtectedHeader(token).kid ?? "";
  await here.stop();
  await here.serve({ CERROJO_TOKEN__ALGORITHM: "ES256" });
  const forged = Signer.hs256(kid, secret).token(decodeJwt(await here.login(email)));
  assert.equal((await (await here.guard({ hs256Secret: secret })).check(forged)).outcome, "accepted");
  here.run("key", "retire", kid, "--yes");
  assert.equal((await (await here.guard({ hs256Secret: secret })).check(forged)).outcome, "refused");
});

test("the algorithm changes under a guard that goes on", async (context) => {
  const secret = "a secret of more than thirty-two bytes";
  const here = await Installation.start(context, { CERROJO_TOKEN__SECRET: secret });
  const guard = await here.guard({ hs256Secret: secret });
  const { email, token } = await here.register();
  await guard.verify(token);
  const tokens = [token];
  for (const algorithm of ["Ed25519", "RS256", "HS256"]) {
    await here.stop();
    await here.serve({ CERROJO_TOKEN__ALGORITHM: algorithm });
    await until(`tokens are signed with ${algorithm}`, async () => {
      const next = await here.login(email);
      tokens.push(next);
      await until("the guard is current again", async () => (await guard.check(next)).outcome !== "unavailable");
      assert.equal((await guard.check(next)).outcome, "accepted", "at no time");
      return decodeProtectedHeader(next).alg === algorithm;
    });
    for (const one of tokens) assert.equal((await guard.check(one)).outcome, "accepted");
    // Somebody else's library, with what is published.
    const keys = createRemoteJWKSet(new URL(`${here.address}/.well-known/jwks.json`));
    if (algorithm !== "HS256") await jwtVerify(tokens.at(-1) ?? "", keys, { algorithms: [algorithm] });
  }
  for (const one of [tokens[0], tokens.at(-1)]) await here.logout(one ?? "", guard);
});
