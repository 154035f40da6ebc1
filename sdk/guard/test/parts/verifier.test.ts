import assert from "node:assert/strict";
import { test } from "node:test";
import { Follower } from "../../src/follower.js";
import { readJwks, secretKey } from "../../src/keys.js";
import { type Unlisted, type Verdict, Verifier } from "../../src/verifier.js";
import { FakeClock } from "../support/clock.js";
import { AUDIENCE, bitmap, claimsAt, ISSUER, type Members, Signer } from "../support/signer.js";

const signer = Signer.es256("k1");
const SECRET = "a secret of thirty-two bytes....";

function setup(maxStaleness = 5000) {
  const clock = new FakeClock();
  const secret = secretKey(SECRET);
  const follower = new Follower({ issuer: ISSUER, clock, maxStaleness, audience: AUDIENCE, secretKey: secret });
  for (const key of readJwks({ keys: [signer.jwk] })?.usable ?? []) follower.keys.add(key);
  follower.lists.open("list", 64, bitmap(64, [5]));
  follower.applied(clock.elapsed(), 0, null);
  const verifier = new Verifier({ issuer: ISSUER, follower, cacheSize: 10 });
  return { clock, follower, verifier, secret, shared: Signer.hs256(secret.id, SECRET) };
}

async function outcome(verifier: Verifier, token: string): Promise<(Verdict | Unlisted)["outcome"]> {
  return (await verifier.check(token)).outcome;
}

const good = signer.token(claimsAt("list", 3));
const withClaim = (more: Members) => signer.token(claimsAt("list", 3, more));

test("a good token is accepted, and says whose it is", async () => {
  const { verifier } = setup();
  const first = await verifier.check(good);
  const second = await verifier.check(good);
  assert.deepEqual(first, {
    outcome: "accepted",
    session: {
      id: "sid-list-3",
      userId: 7,
      email: "ana@example.org",
      name: "Ana Núñez",
      roleId: 2,
      expiresAt: (claimsAt("list", 3).exp as number) * 1000,
      key: "k1",
      list: "list",
      index: 3,
    },
  });
  assert.ok(first.outcome === "accepted" && second.outcome === "accepted");
  assert.equal(first.session, second.session);
  assert.ok(Object.isFrozen(first.session), "handlers share it");
  assert.equal(verifier.cacheHits, 1);
});

test("what is accepted in more than one form", async () => {
  const { verifier, shared } = setup();
  const tokens = {
    "typ in capitals and with application/": signer.token(
      claimsAt("list", 3),
      signer.header({ typ: "Application/AT+JWT" }),
    ),
    "an audience in an array": withClaim({ aud: [AUDIENCE] }),
    "nbf now": withClaim({ nbf: claimsAt("list", 3).iat }),
    "iat a minute ahead": withClaim({ iat: (claimsAt("list", 3).iat as number) + 60 }),
    "claims and header members that nobody knows": signer.token(
      claimsAt("list", 3, { x: 1.5 }),
      signer.header({ x: 1 }),
    ),
    "the shared secret": shared.token(claimsAt("list", 3)),
  };
  for (const [about, token] of Object.entries(tokens)) assert.equal(await outcome(verifier, token), "accepted", about);
});

test("a session that is over is refused, from the cache too, and however stale the guard is", async () => {
  const { clock, follower, verifier } = setup();
  assert.equal(await outcome(verifier, signer.token(claimsAt("list", 5))), "refused");
  assert.equal(await outcome(verifier, good), "accepted");
  clock.advance(5000);
  assert.equal(await outcome(verifier, good), "unavailable");
  follower.end("list", 3);
  assert.equal(await outcome(verifier, good), "refused");
});

test("a token expires to the second, from the cache too", async () => {
  const { clock, follower, verifier } = setup();
  const token = withClaim({ exp: (claimsAt("list", 3).iat as number) + 10 });
  assert.equal(await outcome(verifier, token), "accepted");
  clock.advance(9999);
  follower.applied(clock.elapsed(), 0, null);
  assert.equal(await outcome(verifier, token), "accepted");
  clock.advance(1);
  assert.equal(await outcome(verifier, token), "refused");
  assert.equal(verifier.cached, 0);
});

test("a retired key and a retired list are refused, from the cache too", async () => {
  for (const retire of [(f: Follower) => f.retireKey("k1"), (f: Follower) => f.retireList("list")]) {
    const { follower, verifier } = setup();
    assert.equal(await outcome(verifier, good), "accepted");
    retire(follower);
    assert.equal(await outcome(verifier, good), "refused");
    assert.equal(await outcome(verifier, signer.token(claimsAt("list", 4))), "refused");
  }
});

test("what is retired, ended or gone stale while the signature is verified counts", async () => {
  const during: [string, (s: ReturnType<typeof setup>) => void, string][] = [
    ["nothing", () => undefined, "accepted"],
    ["the key", ({ follower }) => follower.retireKey("k1"), "refused"],
    ["the list", ({ follower }) => follower.retireList("list"), "refused"],
    ["the session", ({ follower }) => follower.end("list", 3), "refused"],
    ["time", ({ clock }) => clock.advance(5000), "unavailable"],
    [
      "freshness, lost and won back",
      ({ clock, follower }) => {
        clock.advance(60_000);
        follower.applied(clock.elapsed(), 0, null);
      },
      "unavailable",
    ],
  ];
  for (const [about, change, expected] of during) {
    const all = setup();
    const checked = all.verifier.check(good);
    assert.ok(checked instanceof Promise);
    change(all);
    assert.equal((await checked).outcome, expected, about);
  }
});

test("an unknown key is refused by whoever is current, and unavailable otherwise", async () => {
  const { clock, verifier } = setup();
  const token = Signer.es256("k2").token(claimsAt("list", 3));
  assert.equal(await outcome(verifier, token), "refused");
  clock.advance(5000);
  assert.equal(await outcome(verifier, token), "unavailable");
});

test("an unknown list is told only for a good token, and judged once it is open", async () => {
  const { follower, verifier } = setup();
  const token = signer.token(claimsAt("new", 1));
  const unlisted = await verifier.check(token);
  assert.equal(unlisted.outcome, "unknown_list");
  assert.equal(await outcome(verifier, `${token.slice(0, -10)}AAAAAAAAAA`), "refused");
  follower.end("new", 2);
  follower.lists.open("new", 64, bitmap(64));
  assert.equal(verifier.checkAgain(unlisted as Unlisted).outcome, "accepted");
  assert.equal(await outcome(verifier, token), "accepted");
  assert.equal(await outcome(verifier, signer.token(claimsAt("new", 2))), "refused", "told before the list was");
});

test("what is longer than a token may be is refused without work, however stale the guard is", async () => {
  const { clock, verifier } = setup();
  const long = `${good}${"A".repeat(8 * 1024)}`;
  assert.deepEqual(verifier.check(long), { outcome: "refused" }, "at once");
  clock.advance(60_000);
  assert.equal(await outcome(verifier, long), "refused");
  const nobody = new Follower({ issuer: ISSUER, clock, maxStaleness: 5000 });
  assert.equal(await outcome(new Verifier({ issuer: ISSUER, follower: nobody, cacheSize: 10 }), long), "refused");
});

test("nothing is accepted before the server said which audience", async () => {
  const clock = new FakeClock();
  const follower = new Follower({ issuer: ISSUER, clock, maxStaleness: 5000 });
  for (const key of readJwks({ keys: [signer.jwk] })?.usable ?? []) follower.keys.add(key);
  follower.lists.open("list", 64, bitmap(64));
  follower.applied(clock.elapsed(), 0, null);
  const verifier = new Verifier({ issuer: ISSUER, follower, cacheSize: 10 });
  assert.equal(await outcome(verifier, good), "unavailable");
  follower.greet({ issuer: ISSUER, audience: AUDIENCE, incarnation: null, heartbeat: null, report: null });
  assert.equal(await outcome(verifier, good), "accepted");
});

test("the cache holds no more than it may", async () => {
  const { verifier } = setup();
  for (let index = 6; index < 40; index++) {
    assert.equal(await outcome(verifier, signer.token(claimsAt("list", index))), "accepted");
  }
  assert.equal(verifier.cached, 10);
});

/** Wrong values for each claim, all properly signed. */
function wrongClaims(): [string, unknown][] {
  const own = claimsAt("list", 3);
  const uri = `${ISSUER}/status-lists/list`;
  const notText = (value: unknown) => [undefined, null, true, 7, -1.5, [], [[value]], {}, { 0: value }];
  const notNumber = (value: unknown) => [
    undefined,
    null,
    true,
    "",
    "12",
    String(value),
    [value],
    {},
    0.5,
    -1,
    2 ** 53,
    1e300,
  ];
  const of = (name: string, values: unknown[]) => values.map((value): [string, unknown] => [name, value]);
  const status = (place: unknown) => ({ status_list: place });
  return [
    ...of("iss", [...notText(ISSUER), "", `${ISSUER}/`, "https://attacker.example", [ISSUER]]),
    ...of("aud", [...notText(AUDIENCE), "", "x", `${AUDIENCE} `, [AUDIENCE, AUDIENCE], [AUDIENCE, "x"], ["x"]]),
    ...of("sub", [...notText("7"), "", "07", "7 ", 8, "8"]),
    ...of("jti", [...notText("a"), ""]),
    ...of("sid", [...notText("a"), "", "A".repeat(65), "ñ".repeat(33)]),
    ...of("email", notText("a")),
    ...of("name", notText("a")),
    ...of("user_id", [...notNumber(7), 0, 8]),
    ...of("role_id", [...notNumber(2), 0]),
    ...of("iat", [...notNumber(own.iat), 4_102_444_800, (own.iat as number) + 61]),
    ...of("exp", [...notNumber(own.exp), 0, 1, (own.iat as number) - 1]),
    ...of("nbf", [...notNumber(0).slice(1), 4_102_444_800]),
    ...of("status", [...notText({}), "", [own.status]]),
    ...of("status", [...notText({}), "", [0, ""]].map(status)),
    ...of(
      "status",
      [...notNumber(3), 2 ** 32].map((idx) => status({ idx, uri })),
    ),
    ...of(
      "status",
      [
        ...notText(uri),
        "",
        "list",
        "/status-lists/list",
        "https://attacker.example/status-lists/list",
        `${ISSUER}.attacker.example/status-lists/list`,
        `${ISSUER}/status-lists/`,
        `${ISSUER}/status-lists/x/../list`,
        `${ISSUER}//status-lists/list`,
        `${uri}/`,
        `${uri}?x`,
        `${uri}#x`,
        `${uri} `,
        `${uri}\n`,
        `${ISSUER}/status-lists/${"a".repeat(65)}`,
      ].map((address) => status({ idx: 3, uri: address })),
    ),
  ];
}

test("a claim of the wrong type or value is refused though signed", async () => {
  const { verifier } = setup();
  const all = wrongClaims();
  assert.ok(all.length > 150);
  for (const [name, value] of all) {
    assert.equal(await outcome(verifier, withClaim({ [name]: value })), "refused", `${name}: ${JSON.stringify(value)}`);
  }
});

test("payloads and headers that are not strict JSON are refused though signed", async () => {
  const { verifier } = setup();
  const claims = JSON.stringify(claimsAt("list", 3));
  const header = JSON.stringify(signer.header());
  const more = (text: string, members: string) => text.replace("{", `{${members},`);
  const attacks: Record<string, string> = {};
  for (const name of Object.keys(claimsAt("list", 3))) {
    attacks[`${name} twice`] = signer.signText(header, more(claims, `"${name}":null`));
  }
  for (const name of ["alg", "typ", "kid"]) {
    attacks[`${name} twice`] = signer.signText(more(header, `"${name}":"x"`), claims);
    attacks[`no ${name}`] = signer.signText(JSON.stringify({ ...signer.header(), [name]: undefined }), claims);
    for (const value of [null, 1, [], {}, "x", ""]) {
      attacks[`${name}: ${JSON.stringify(value)}`] = signer.signText(
        JSON.stringify(signer.header({ [name]: value })),
        claims,
      );
    }
  }
  for (const name of ["crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c"]) {
    for (const value of [null, true, [], "x"]) {
      attacks[`${name}: ${value}`] = signer.signText(JSON.stringify(signer.header({ [name]: value })), claims);
    }
  }
  for (const alg of ["none", "es256", "ES384", "ES256K", "RS256", "HS256", "HS384", "EdDSA", "Ed25519", "PS256"]) {
    attacks[`alg ${alg}`] = signer.signText(JSON.stringify(signer.header({ alg })), claims);
  }
  for (const typ of ["JWT", "statuslist+jwt", "at+jwt ", "application/x+at+jwt"]) {
    attacks[`typ ${typ}`] = signer.signText(JSON.stringify(signer.header({ typ })), claims);
  }
  attacks["idx twice"] = signer.signText(header, claims.replace('"idx":', '"idx":0,"idx":'));
  attacks["idx as 3.0"] = signer.signText(header, claims.replace('"idx":3', '"idx":3.0'));
  attacks["exp as 1e10"] = signer.signText(header, claims.replace(/"exp":\d+/, '"exp":1e10'));
  attacks.deep = signer.signText(header, more(claims, `"x":${"[".repeat(64)}${"]".repeat(64)}`));
  attacks["lone surrogate"] = signer.signText(header, more(claims, '"x":"\\ud800"'));
  attacks.NUL = signer.signText(header, more(claims, '"x":"\\u0000"'));
  attacks["byte order mark"] = signer.signText(header, `\ufeff${claims}`);
  attacks["byte order mark before the header"] = signer.signText(`\ufeff${header}`, claims);
  attacks["something after it"] = signer.signText(header, `${claims}x`);
  attacks["in an array"] = signer.signText(header, `[${claims}]`);
  attacks.empty = signer.signText(header, "");
  attacks["8 KiB of filling"] = signer.signText(header, more(claims, `"x":"${"A".repeat(8192)}"`));
  attacks["a header of 8 KiB"] = signer.signText(more(header, `"x":"${"A".repeat(8192)}"`), claims);
  for (const [about, token] of Object.entries(attacks)) assert.equal(await outcome(verifier, token), "refused", about);
});

test("what is not strict base64url in three parts is refused", async () => {
  const { verifier } = setup();
  const [header = "", payload = "", signature = ""] = good.split(".");
  const stray = (part: string) => part.slice(0, -1) + String.fromCharCode(part.charCodeAt(part.length - 1) + 1);
  const attacks = [
    "",
    ".",
    "..",
    "...",
    header,
    `${header}.${payload}`,
    `${header}.${payload}.`,
    `${header}..${signature}`,
    `.${payload}.${signature}`,
    `${good}.`,
    `${good}.${signature}`,
    `.${good}`,
    ` ${good}`,
    `${good} `,
    `${good}\n`,
    `${good}\0`,
    `"${good}"`,
    `Bearer ${good}`,
    `${good}=`,
    `${good}==`,
    good.toUpperCase(),
    good.replaceAll(".", ":"),
    good.replaceAll(".", "\uff0e"),
    `${good}A`,
    stray(good),
    `${header}.${payload}.${signature.slice(1)}`,
    signer.signParts(`${header}=`, payload),
    signer.signParts(header, `${payload}=`),
    signer.signParts(`${header} `, payload),
    signer.signParts(header, `${payload}\n`),
    signer.signParts(payload, header),
    "A".repeat(1_000_000),
    ".".repeat(100_000),
    good.replace("e", "\uff45"),
  ];
  // Filling of each length, so that some have bits to spare.
  for (const filling of ["a", "ab", "abc"]) {
    const respelt = Buffer.from(JSON.stringify(claimsAt("list", 3, { filling }))).toString("base64url");
    if (respelt.length % 4 >= 2) attacks.push(signer.signParts(header, stray(respelt)));
  }
  for (const token of attacks) assert.equal(await outcome(verifier, token), "refused", token.slice(0, 80));
});

test("signatures that are not the key's are refused", async () => {
  const { verifier, secret, shared } = setup();
  const [header = "", payload = "", signature = ""] = good.split(".");
  const bytes = Buffer.from(signature, "base64url");
  const put = (changed: Buffer) => `${header}.${payload}.${changed.toString("base64url")}`;
  const attacks = [
    put(Buffer.alloc(64)),
    put(Buffer.alloc(64, 0xff)),
    put(Buffer.concat([bytes, Buffer.of(0)])),
    put(bytes.subarray(1)),
  ];
  for (let bit = 0; bit < 512; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    attacks.push(put(flipped));
  }
  const stranger = Signer.es256("k1");
  attacks.push(stranger.token(claimsAt("list", 3)));
  // The public key's text as a secret, and the secret's name with another algorithm.
  attacks.push(Signer.hs256("k1", JSON.stringify(signer.jwk)).token(claimsAt("list", 3)));
  attacks.push(signer.token(claimsAt("list", 3), signer.header({ kid: secret.id })));
  attacks.push(shared.token(claimsAt("list", 3), shared.header({ kid: "k1" })));
  for (const token of attacks) assert.equal(await outcome(verifier, token), "refused");
});

test("keys that are for something else are not used", () => {
  const usable = (jwk: Members) => readJwks({ keys: [jwk] })?.usable.length;
  assert.equal(usable(signer.jwk), 1);
  assert.equal(usable({ ...signer.jwk, key_ops: ["verify"] }), 1);
  for (const change of [
    { kty: "oct" },
    { kty: "RSA" },
    { crv: "P-384" },
    { alg: "ES384" },
    { alg: null },
    { use: "enc" },
    { key_ops: ["sign"] },
    { key_ops: "verify" },
    { x: "AAAA" },
    { x: `${signer.jwk.x}=` },
    { y: undefined },
    { kid: undefined },
    { kid: 1 },
  ]) {
    assert.equal(usable({ ...signer.jwk, ...change }), 0, JSON.stringify(change));
  }
  assert.equal(readJwks({ keys: [signer.jwk, signer.jwk] })?.usable.length, 0, "an ambiguous name");
  for (const none of [null, [], {}, { keys: {} }]) assert.equal(readJwks(none), null);
  assert.throws(() => secretKey("only thirty-one bytes of secret"));
});

test("a point off the curve verifies nothing", async () => {
  const { follower, verifier } = setup();
  const off = { ...signer.jwk, kid: "bad", y: signer.jwk.x };
  for (const key of readJwks({ keys: [off] })?.usable ?? []) follower.keys.add(key);
  assert.ok(follower.keys.get("bad"));
  assert.equal(await outcome(verifier, signer.token(claimsAt("list", 3), signer.header({ kid: "bad" }))), "refused");
});

test("an algorithm belongs to a key", async () => {
  const { follower, verifier, shared } = setup();
  const signers = [
    signer,
    Signer.ed25519("k-Ed25519", "Ed25519"),
    Signer.ed25519("k-EdDSA", "EdDSA"),
    Signer.rs256("k-RS256"),
    shared,
  ];
  for (const key of readJwks({ keys: signers.map(({ jwk }) => jwk) })?.usable ?? []) follower.keys.add(key);
  for (const one of signers) {
    for (const { kid } of signers) {
      for (const { alg } of signers) {
        const token = one.token(claimsAt("list", 3), one.header({ alg, kid }));
        const own = kid === one.kid && alg === one.alg;
        assert.equal(await outcome(verifier, token), own ? "accepted" : "refused", `${one.alg} as ${alg} of ${kid}`);
      }
    }
  }
});

test("every bit of a signature of every algorithm matters", async () => {
  for (const one of [Signer.ed25519("k", "Ed25519"), Signer.ed25519("k", "EdDSA"), Signer.rs256("k")]) {
    const { follower, verifier } = setup();
    for (const key of readJwks({ keys: [one.jwk] })?.usable ?? []) follower.keys.add(key);
    const [header, payload, signature = ""] = one.token(claimsAt("list", 3)).split(".");
    const bytes = Buffer.from(signature, "base64url");
    const checked = (changed: Buffer) => outcome(verifier, `${header}.${payload}.${changed.toString("base64url")}`);
    assert.equal(await checked(bytes), "accepted");
    for (let bit = 0; bit < bytes.length * 8; bit += one.alg === "RS256" ? 7 : 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(await checked(flipped), "refused", `${one.alg}, bit ${bit}`);
    }
    for (const changed of [bytes.subarray(1), Buffer.concat([Buffer.of(0), bytes]), Buffer.concat([bytes, bytes])]) {
      assert.equal(await checked(changed), "refused");
    }
  }
});

test("weak keys, and keys that do not say what for, are not used", () => {
  const usable = (jwk: Members) => readJwks({ keys: [jwk] })?.usable.length;
  const [edwards, rsa] = [Signer.ed25519("k", "EdDSA").jwk, Signer.rs256("k").jwk];
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
  const number = (length: number, first: number, last = 0xff) => {
    const bytes = Buffer.alloc(length, 0xff);
    bytes[length - 1] = last;
    bytes[0] = first;
    return text(bytes);
  };
  for (const jwk of [edwards, rsa, { ...edwards, alg: "Ed25519" }, { ...rsa, n: number(256, 0x80) }]) {
    assert.equal(usable(jwk), 1, JSON.stringify(jwk));
  }
  assert.equal(usable({ ...rsa, n: number(512, 0xff) }), 1);
  const one = Buffer.alloc(32);
  one[0] = 1;
  const aboveThePrime = Buffer.alloc(32, 0xff);
  aboveThePrime[31] = 0x7f;
  for (const change of [
    { alg: undefined },
    { alg: "ES256" },
    { alg: "Ed448" },
    { crv: "Ed448" },
    { crv: "X25519" },
    { x: "AAAA" },
    { x: text(Buffer.alloc(32)) },
    { x: text(one) },
    { x: text(aboveThePrime) },
    { x: "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU" },
    { x: "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA_o" },
  ]) {
    assert.equal(usable({ ...edwards, ...change }), 0, JSON.stringify(change));
  }
  for (const change of [
    { alg: undefined },
    { alg: "PS256" },
    { alg: "RS512" },
    { use: "enc" },
    { e: "AQ" },
    { e: "Aw" },
    { e: "AAEAAQ" },
    { e: undefined },
    { n: "" },
    { n: number(128, 0xff) },
    { n: number(256, 0x7f) },
    { n: number(257, 0) },
    { n: number(384, 0xff, 0xfe) },
    { n: number(513, 1) },
  ]) {
    assert.equal(usable({ ...rsa, ...change }), 0, JSON.stringify(change));
  }
});
