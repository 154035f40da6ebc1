import assert from "node:assert/strict";
import { test } from "node:test";
import { bearerToken } from "../../src/protect.js";

test("the token of a header is what stands after Bearer", () => {
  for (const header of ["Bearer a.b.c", "bearer   a.b.c", "BEARER a.b.c  "]) assert.equal(bearerToken(header), "a.b.c");
  for (const header of [null, undefined, "", "Bearer", "Bearer ", "Bearer    ", "Basic YTpi", "Bearera.b.c", "a.b.c"]) {
    assert.equal(bearerToken(header), null, String(header));
  }
});

test("only what the server takes for space is taken off, and what stands between is not", () => {
  assert.equal(bearerToken("Bearer \t a.b.c\t"), "a.b.c");
  for (const token of ["\u00a0a.b.c", "a. b.c", "a.b.c d", "a, Bearer b"])
    assert.equal(bearerToken(`Bearer ${token}`), token);
  assert.equal(bearerToken(`Bearer a${" ".repeat(200_000)}`), "a");
});
