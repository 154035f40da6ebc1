import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Conversation } from "../../src/conversation.js";
import { Follower } from "../../src/follower.js";
import { ProtocolError } from "../../src/protocol-error.js";
import { Verifier } from "../../src/verifier.js";
import { FakeClock } from "../support/clock.js";

type Outcome = "accepted" | "refused" | "unavailable" | "unknown_list";

interface Step {
  readonly at: number;
  readonly ask?: true;
  readonly after?: string | null;
  readonly receive?: string;
  readonly lost?: true;
  readonly check?: string;
  readonly outcome?: Outcome;
}

interface Vectors {
  readonly issuer: string;
  readonly audience: string;
  readonly now: number;
  readonly keys: { readonly keys: unknown[] };
  readonly lists: readonly { readonly name: string; readonly capacity: number; readonly lst: string }[];
  readonly tokens: readonly { readonly about: string; readonly token: string; readonly outcome: Outcome }[];
  readonly streams: readonly {
    readonly about: string;
    readonly max_staleness: number;
    readonly steps: readonly Step[];
  }[];
}

const file = new URL("../../../../vectors/guard.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;

function fresh(maxStaleness: number) {
  const clock = new FakeClock(vectors.now);
  const follower = new Follower({ issuer: vectors.issuer, clock, maxStaleness });
  return { clock, follower, verifier: new Verifier({ issuer: vectors.issuer, follower, cacheSize: 100 }) };
}

const outcome = async (verifier: Verifier, token: string) => (await verifier.check(token)).outcome;

test("every token has the outcome that every guard gives it", async () => {
  const { follower, verifier } = fresh(5000);
  const snapshot = { keys: vectors.keys, lists: vectors.lists };
  const whose = { issuer: vectors.issuer, audience: vectors.audience, incarnation: "first" };
  const answer = { elapsed: 0, position: "p", ...whose, snapshot };
  follower.ask().receiveAnswer(JSON.stringify(answer));
  assert.ok(vectors.tokens.length > 500);
  for (const { about, token, outcome: expected } of vectors.tokens) {
    assert.equal(await outcome(verifier, token), expected, about);
    assert.equal(await outcome(verifier, token), expected, `${about}, again`);
  }
});

assert.ok(vectors.streams.length > 40);
for (const { about, max_staleness, steps } of vectors.streams) {
  test(`stream: ${about}`, async () => {
    const { clock, follower, verifier } = fresh(max_staleness);
    let conversation: Conversation | null = null;
    let at = 0;
    for (const [number, step] of steps.entries()) {
      clock.advance(step.at - at);
      at = step.at;
      if (step.ask) {
        conversation = follower.ask();
        if (step.after !== undefined) assert.equal(conversation.position, step.after, `step ${number}`);
      } else if (step.receive !== undefined) {
        try {
          conversation?.receive(Buffer.from(step.receive));
        } catch (error) {
          // As the link does: nothing more of it is read, and everything is asked for again.
          assert.ok(error instanceof ProtocolError);
          follower.forgetPosition();
          conversation = null;
        }
      } else if (step.lost) {
        conversation = null;
      } else {
        assert.equal(await outcome(verifier, step.check ?? ""), step.outcome, `step ${number}`);
      }
    }
  });
}
