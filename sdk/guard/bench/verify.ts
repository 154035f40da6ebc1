/**
 * How fast the guard verifies, beside jose's `jwtVerify` with the same key, in one run. The contenders take turns in short
 * rounds, and a ratio is the middle one of the rounds' ratios, so that whatever else the machine does meets all alike.
 */
import { importJWK, jwtVerify } from "jose";
import { SystemClock } from "../src/clock.js";
import { Follower } from "../src/follower.js";
import { readJwks } from "../src/keys.js";
import { Verifier } from "../src/verifier.js";
import { AUDIENCE, bitmap, claimsAt, ISSUER, Signer } from "../test/support/signer.js";

const ROUNDS = 61;
const TOKENS = 100;
const CACHED = 5000;

const clock = new SystemClock();
const signer = Signer.es256("k1");
const issued = Math.floor(clock.now() / 1000);
const tokens = Array.from({ length: TOKENS }, (_, index) =>
  signer.token(claimsAt("list", index, { iat: issued, exp: issued + 3600 })),
);
const key = await importJWK(signer.jwk, "ES256");

function verifierOf(cacheSize: number): Verifier {
  const follower = new Follower({ issuer: ISSUER, clock, maxStaleness: 600_000, audience: AUDIENCE });
  for (const one of readJwks({ keys: [signer.jwk] })?.usable ?? []) follower.keys.add(one);
  follower.lists.open("list", 131_072, bitmap(131_072));
  follower.applied(clock.elapsed(), 0, null);
  return new Verifier({ issuer: ISSUER, follower, cacheSize });
}

const [uncached, cached] = [verifierOf(0), verifierOf(TOKENS)];

async function check(verifier: Verifier, token: string): Promise<void> {
  const verdict = await verifier.check(token);
  if (verdict.outcome !== "accepted") throw new Error(`a good token was ${verdict.outcome}`);
}

const contenders: Record<string, { times: number; run: (token: string) => Promise<unknown> }> = {
  bare: {
    times: TOKENS,
    run: (token) => jwtVerify(token, key, { algorithms: ["ES256"], issuer: ISSUER, audience: AUDIENCE, typ: "at+jwt" }),
  },
  uncached: { times: TOKENS, run: (token) => check(uncached, token) },
  // As from a request: a text that nobody has seen before.
  cached: { times: CACHED, run: (token) => check(cached, Buffer.from(token, "latin1").toString("latin1")) },
};

const rates: Record<string, number[]> = { bare: [], uncached: [], cached: [] };
for (let round = -5; round < ROUNDS; round++) {
  const turn = Object.entries(contenders);
  for (const [name, { times, run }] of round % 2 === 0 ? turn : turn.reverse()) {
    const start = performance.now();
    for (let time = 0; time < times; time++) await run(tokens[time % TOKENS] ?? "");
    if (round >= 0) rates[name]?.push((times / (performance.now() - start)) * 1000);
  }
}

const middle = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
const shown = (name: string) => Math.round(middle(rates[name] ?? [])).toLocaleString("en");
console.log(`jose jwtVerify   ${shown("bare")} tokens/s, one after another`);
for (const [name, atLeast] of [
  ["uncached", 0.9],
  ["cached", 1],
] as const) {
  const ratio = middle((rates[name] ?? []).map((rate, round) => rate / (rates.bare?.[round] ?? Number.NaN)));
  const verdict = ratio >= atLeast ? "ok" : "TOO SLOW";
  console.log(
    `guard, ${name.padEnd(9)} ${shown(name)} tokens/s, ${ratio.toFixed(2)} of bare (at least ${atLeast}: ${verdict})`,
  );
  if (!(ratio >= atLeast)) process.exitCode = 1;
}
