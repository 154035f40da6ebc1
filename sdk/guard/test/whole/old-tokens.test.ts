import assert from "node:assert/strict";
import { test } from "node:test";
import { Guard } from "../../src/guard.js";
import { pass, setup } from "../support/setup.js";
import { claimsAt, type Members, Signer } from "../support/signer.js";
import { until } from "../support/until.js";

const credentials = { name: "orders", secret: "s" };
const secret = "a secret of the old application";
const oldTokens = { secret };
const old = Signer.hs256("", secret);
const oldToken = (claims: Members = { user_id: 7 }, header: Members = { alg: "HS256", typ: "JWT" }) =>
  old.token(claims, header);

test("another application's token is asked about once, and its session followed like any other", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect({ credentials, oldTokens });
  const token = oldToken();
  server.oldTokens.set(token, {
    active: true,
    ...claimsAt("list", 9, { jti: undefined, iat: undefined }, server.issuer),
  });
  const sessions = await Promise.all([guard.verify(token), guard.verify(token)]);
  assert.deepEqual([sessions[0]?.userId, sessions[0]?.index], [7, 9]);
  const ended: string[] = [];
  if (sessions[0]) guard.watch(sessions[0], (reason) => ended.push(reason));
  assert.equal((await guard.check(token)).outcome, "accepted");
  assert.equal(guard.metrics().oldTokensAsked, 1);
  assert.equal(server.requests.at(-1)?.authorization?.startsWith("Basic "), true);

  server.end(9);
  server.oldTokens.clear();
  await until("it was heard", () => guard.metrics().endings === 1);
  for (let time = 0; time < 3; time++) assert.equal((await guard.check(token)).outcome, "refused");
  assert.deepEqual(ended, ["ended"]);
  assert.equal(guard.metrics().oldTokensAsked, 1, "what is over is known from memory");
  server.introspection = { status: 503 };
  assert.equal((await guard.check(token)).outcome, "refused", "and needs nobody who answers");
});

test("one that the server knows nothing of is not asked about again and again", async (context) => {
  const { server, connect, clock } = await setup(context);
  const guard = await connect({ credentials, oldTokens });
  for (let time = 0; time < 3; time++) assert.equal((await guard.check(oldToken())).outcome, "refused");
  assert.equal(guard.metrics().oldTokensAsked, 1);
  server.oldTokens.set(oldToken(), { active: true, ...claimsAt("list", 9, {}, server.issuer) });
  await pass(clock, "it is asked about anew", async () => (await guard.check(oldToken())).outcome === "accepted", 1000);
});

test("a session that ended before the answer came is refused, whatever the answer says", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect({ credentials, oldTokens });
  const token = oldToken();
  server.oldTokens.set(token, { active: true, ...claimsAt("list", 9, {}, server.issuer) });
  server.end(9);
  await until("it was heard", () => guard.metrics().endings === 1);
  assert.equal((await guard.check(token)).outcome, "refused");
});

test("a list that is not known is looked up", async (context) => {
  const { server, connect } = await setup(context);
  const guard = await connect({ credentials, oldTokens });
  server.newLists.set("fresh", new Set([2]));
  const [live, over] = [oldToken({ a: 1 }), oldToken({ a: 2 })];
  server.oldTokens.set(live, { active: true, ...claimsAt("fresh", 1, {}, server.issuer) });
  server.oldTokens.set(over, { active: true, ...claimsAt("fresh", 2, {}, server.issuer) });
  assert.equal((await guard.check(live)).outcome, "accepted");
  assert.equal((await guard.check(live)).outcome, "accepted");
  assert.equal((await guard.check(over)).outcome, "refused");
  assert.equal(guard.metrics().oldTokensAsked, 2);
  assert.equal(server.count("/api/guards/lists/"), 1);
});

test("where the server cannot be asked, or answers what it should not, nothing is accepted", async (context) => {
  const { server, connect, problems } = await setup(context);
  const guard = await connect({ credentials, oldTokens });
  const good = { active: true, ...claimsAt("list", 9, {}, server.issuer) };
  const answers: Members[] = [
    { ...good, iss: "https://elsewhere.example" },
    { ...good, aud: "another" },
    { ...good, exp: undefined },
    { ...good, sub: "8" },
    { ...good, status: undefined },
    { ...good, active: "true" },
    {},
  ];
  for (const [place, answer] of answers.entries()) {
    const token = oldToken({ place });
    server.oldTokens.set(token, answer);
    assert.equal((await guard.check(token)).outcome, "unavailable", JSON.stringify(answer));
    assert.equal(problems.length, place + 1);
  }
  for (const status of [401, 404, 500, 503]) {
    server.introspection = { status };
    assert.equal((await guard.check(oldToken({ status }))).outcome, "unavailable", String(status));
  }
});

test("the server is asked about nothing else", async (context) => {
  const { server, connect } = await setup(context);
  const asks = await connect({ credentials, oldTokens });
  const does_not = await connect({ credentials });
  for (const token of [
    "a.b.c",
    "",
    oldToken({}, { alg: "none", typ: "JWT" }),
    oldToken({}, { alg: "RS256" }),
    oldToken({}, { alg: "HS256", typ: "at+jwt", kid: "k" }),
    Signer.hs256("", "another secret").token({ user_id: 7 }, { alg: "HS256", typ: "JWT" }),
    `${oldToken().slice(0, -2)}AA`,
    Signer.es256("k9").token(claimsAt("list", 1, {}, server.issuer)),
    `${oldToken()}.x`,
    oldToken({ much: "x".repeat(9000) }),
  ]) {
    assert.equal((await asks.check(token)).outcome, "refused", token.slice(0, 80));
  }
  server.oldTokens.set(oldToken(), { active: true, ...claimsAt("list", 9, {}, server.issuer) });
  assert.equal((await does_not.check(oldToken())).outcome, "refused");
  assert.equal(server.count("/api/auth/introspect"), 0);
  await assert.rejects(Guard.connect(server.issuer, { oldTokens }), /credentials/);
});
