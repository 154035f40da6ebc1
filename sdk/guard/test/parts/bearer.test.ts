import assert from "node:assert/strict";
import { test } from "node:test";
import { bearerToken } from "../../src/protect.js";

test("the token of a header is what stands after Bearer", () => {
  for (const header of ["Bearer a.b.c", "bearer   a.b.c", "BEARER a.b.c  "]) assert.equal(bearerToken(header), "a.b.c");
  for (const header of [null, undefined, "", "Bearer", "Bearer ", "Bearer    ", "Basic YTpi", "Bearera.b.c", "a.b.c"]) {
    assert.equal(bearerToken(header), null, String(header));
  }
});

test("a header longer than any token is not looked at", () => {
  assert.equal(bearerToken(`Bearer a${" ".repeat(20_000)}`), null);
  assert.equal(bearerToken(`Bearer ${"a".repeat(20_000)}`), null);
});
