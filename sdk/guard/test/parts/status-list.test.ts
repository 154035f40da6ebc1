import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { getListFromStatusListJWT, getStatusListFromJWT, StatusList } from "@sd-jwt/jwt-status-list";
import { List } from "../../src/lists.js";
import { decodeList } from "../../src/status-list.js";
import { bitmap, claimsAt, ISSUER, lst, NOW, Signer } from "../support/signer.js";

/** draft-ietf-oauth-status-list: the example of the compressed byte array, and the test vector for one bit. */
const VECTORS = [
  { size: 16, set: [0, 3, 4, 5, 7, 8, 9, 13, 15], lst: "eNrbuRgAAhcBXQ" },
  {
    size: 1_048_576,
    set: [0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345],
    lst: "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAAA7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAAACAZC8L2AEb",
  },
];

test("the specification's vectors are read, bit by bit", () => {
  for (const { size, set, lst: packed } of VECTORS) {
    const bytes = decodeList(packed, size / 8);
    assert.equal(bytes?.length, size / 8);
    const list = new List("a", size);
    assert.deepEqual(list.merge(bytes ?? Buffer.of()), set);
    for (let index = 0; index < size; index++) assert.equal(list.isOver(index), set.includes(index));
    assert.ok(list.isOver(size), "beyond the list");
  }
});

test("somebody else's library reads the vectors and our lists as we do", () => {
  for (const { size, set, lst: packed } of VECTORS) {
    const theirs = StatusList.decompressStatusList(packed, 1);
    for (const index of [...set, 1, 2, 6, size - 2]) assert.equal(theirs.getStatus(index), Number(set.includes(index)));
  }
  const [capacity, ended] = [131_072, [0, 7, 8, 65_535, 131_071]];
  const packed = lst(bitmap(capacity, ended));
  const theirs = StatusList.decompressStatusList(packed, 1);
  const ours = decodeList(packed, capacity / 8);
  assert.deepEqual(
    theirs.statusList.flatMap((status, index) => (status === 1 ? [index] : [])),
    ended,
  );
  assert.deepEqual(new List("a", capacity).merge(ours ?? Buffer.of()), ended);
});

test("we read lists that somebody else's library writes", () => {
  const statuses = Array.from({ length: 1000 }, (_, index) => Number(index % 7 === 0));
  const bytes = decodeList(new StatusList(statuses, 1).compressStatusList(), 125);
  const list = new List("a", 1000);
  list.merge(bytes ?? Buffer.of());
  for (const [index, status] of statuses.entries()) assert.equal(list.isOver(index), status === 1);
});

test("somebody else's library finds the session's place in our token, and its bit in our Status List Token", () => {
  const signer = Signer.es256("k");
  const token = signer.token(claimsAt("bbbbbbbbbbbbbbbbbbbbbb", 9));
  assert.deepEqual(getStatusListFromJWT(token), { idx: 9, uri: `${ISSUER}/status-lists/bbbbbbbbbbbbbbbbbbbbbb` });
  const now = Math.floor(NOW / 1000);
  const listToken = signer.token(
    {
      sub: `${ISSUER}/status-lists/bbbbbbbbbbbbbbbbbbbbbb`,
      iat: now,
      exp: now + 3600,
      ttl: 60,
      status_list: { bits: 1, lst: lst(bitmap(16, [9])) },
    },
    { alg: "ES256", typ: "statuslist+jwt", kid: "k" },
  );
  const list = getListFromStatusListJWT(listToken);
  assert.deepEqual(
    [8, 9, 10].map((index) => list.getStatus(index)),
    [0, 1, 0],
  );
});

test("what is broken or too large is refused", () => {
  assert.ok(decodeList("eNrbuRgAAhcBXQ", 2));
  for (const bad of [
    "",
    "eNrbuRgAAhcBXQ==",
    "eNrbuRgAAhcBXR",
    "eNrbuRgAAhcBX",
    "eNrbuRgAAhc",
    "eNrbuRgAAhcCXQ",
    "AAAA",
    "eNrbuRgAAhcBXQ\n",
  ]) {
    assert.equal(decodeList(bad, 1024), null, bad);
  }
  assert.equal(decodeList("eNrbuRgAAhcBXQ", 1), null);
  assert.equal(decodeList(lst(Buffer.alloc(16 * 1024 * 1024)), 1024), null, "a bomb");
  const trailing = Buffer.concat([deflateSync(Buffer.of(0xb9, 0xa3)), Buffer.from("more")]).toString("base64url");
  assert.equal(decodeList(trailing, 1024), null, "something after it");
});
