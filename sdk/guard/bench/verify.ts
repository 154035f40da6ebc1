/**
 * How fast the guard verifies, beside jose's `jwtVerify` with the same key, in one run. The contenders take turns at
 * every token, and a ratio is the middle one of the rounds' ratios, so that whatever else the machine does meets all alike.
 */
import { importJWK, jwtVerify } from "jose";
import { SystemClock } from "../src/clock.js";
import { Follower } from "../src/follower.js";
import { readJwks } from "../src/keys.js";
import { Verifier } from "../src/verifier.js";
import { AUDIENCE, bitmap, claimsAt, ISSUER, Signer } from "../test/support/signer.js";

const ROUNDS = 61;
const TOKENS = 100;
/** Checks in one turn of the cache: one alone is too short for the clock. */
const CACHED = 20;

const clock = new SystemClock();
/** `node build/bench/verify.js RS256`; ES256 if not said. */
const signers: Record<string, () => Signer> = {
  ES256: () => Signer.es256("k1"),
  Ed25519: () => Signer.ed25519("k1", "Ed25519"),
  EdDSA: () => Signer.ed25519("k1", "EdDSA"),
  RS256: () => Signer.rs256("k1"),
};
const algorithm = process.argv[2] ?? "ES256";
const signer = signers[algorithm]?.();
if (!signer) throw new TypeError(`no such algorithm: ${Object.keys(signers).join(", ")}`);
const jwk = signer.jwk;
const issued = Math.floor(clock.now() / 1000);
const tokens = Array.from({ length: TOKENS }, (_, index) =>
  signer.token(claimsAt("list", index, { iat: issued, exp: issued + 3600 })),
);
const key = await importJWK(jwk, algorithm);

function verifierOf(cacheSize: number): Verifier {
  const follower = new Follower({ issuer: ISSUER, clock, maxStaleness: 600_000, audience: AUDIENCE });
  for (const one of readJwks({ keys: [jwk] })?.usable ?? []) follower.keys.add(one);
  follower.lists.open("list", 131_072, bitmap(131_072));
  follower.applied(clock.elapsed(), 0, null);
  return new Verifier({ issuer: ISSUER, follower, cacheSize });
}

const [uncached, cached] = [verifierOf(0), verifierOf(TOKENS)];

async function check(verifier: Verifier, token: string): Promise<void> {
  const verdict = await verifier.check(token);
  if (verdict.outcome !== "accepted") throw new Error(`a good token was ${verdict.outcome}`);
}

interface Contender {
  readonly times: number;
  readonly run: (token: string) => Promise<unknown>;
}

const contenders = {
  bare: {
    times: 1,
    run: (token: string) =>
      jwtVerify(token, key, { algorithms: [algorithm], issuer: ISSUER, audience: AUDIENCE, typ: "at+jwt" }),
  },
  uncached: { times: 1, run: (token: string) => check(uncached, token) },
  // As from a request: a text that nobody has seen before.
  cached: { times: CACHED, run: (token: string) => check(cached, Buffer.from(token, "latin1").toString("latin1")) },
};

const { cached: fromMemory, ...inTurn } = contenders;
const rates: Record<string, number[]> = { bare: [], uncached: [], cached: [] };
for (let round = -5; round < ROUNDS; round++) {
  const spent: Record<string, number> = { bare: 0, uncached: 0, cached: 0 };
  const measure = async (name: string, { times, run }: Contender, token: string) => {
    const start = performance.now();
    for (let time = 0; time < times; time++) await run(token);
    spent[name] = (spent[name] ?? 0) + (performance.now() - start) / times;
  };
  for (const [number, token] of tokens.entries()) {
    const turn = Object.entries(inTurn);
    for (const [name, contender] of number % 2 === 0 ? turn : turn.reverse()) await measure(name, contender, token);
  }
  for (const token of tokens) await measure("cached", fromMemory, token);
  if (round < 0) continue;
  for (const [name, milliseconds] of Object.entries(spent)) rates[name]?.push((TOKENS / milliseconds) * 1000);
}

const middle = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
const shown = (name: string) => Math.round(middle(rates[name] ?? [])).toLocaleString("en");
console.log(`${algorithm}, jose jwtVerify   ${shown("bare")} tokens/s, one after another`);
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
