import assert from "node:assert/strict";
import { test } from "node:test";
import { Fraction, strictObject } from "../../src/strict-json.js";

const read = (text: string) => strictObject(Buffer.from(text));
const nested = (depth: number) => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;

test("what is plain is read", () => {
  const object = read(' {"a":1,"b":[true,null,"ñ\\u00e9\\ud83d\\ude00\\n"],"c":{"__proto__":-2}} \n');
  assert.equal(object?.get("a"), 1);
  assert.deepEqual(object?.get("b"), [true, null, "ñé😀\n"]);
  assert.deepEqual(object?.get("c"), new Map([["__proto__", -2]]));
});

test("numbers that are not written as integers are told apart", () => {
  const object = read('{"a":1.0,"b":1e0,"c":-0,"d":-7,"e":12345678901234567890}');
  for (const name of ["a", "b", "c"]) assert.ok(object?.get(name) instanceof Fraction, name);
  assert.equal(object?.get("d"), -7);
  assert.equal(typeof object?.get("e"), "number");
});

test("a member named twice is refused at any depth and in any spelling", () => {
  for (const text of [
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"a":null}',
    '{"a":1,"\\u0061":2}',
    '{"x":[{"y":[{"a":1,"a":2}]}]}',
    '{"":1,"":2}',
    '{"__proto__":1,"__proto__":1}',
  ]) {
    assert.equal(read(text), null, text);
  }
  assert.ok(read('{"a":{"a":1},"A":{"a":1}}'), "the same name in different objects is fine");
});

test("depth is bounded", () => {
  assert.ok(read(nested(32)));
  assert.equal(read(nested(33)), null);
  assert.equal(read(`{"a":${"[".repeat(100_000)}`), null);
});

test("what is not one strict object is refused", () => {
  for (const text of [
    "",
    " ",
    "[]",
    "null",
    '"a"',
    "1",
    "{}{}",
    "{}x",
    '{"a":1,}',
    "{a:1}",
    "{'a':1}",
    '{"a":NaN}',
    '{"a":01}',
    '{"a":1e999}',
    '{"a":.5}',
    '{"a":1.}',
    '{"a":+1}',
    '{"a":-}',
    '{"a":[1,]}',
    '{"a"}',
    '{"a":}',
    '{"a":"b',
    '{"a":"\t"}',
    '{"a":"\\x"}',
    '{"a":"\\u12g4"}',
    '{"a":tru}',
    '{"a":1}\0',
    "\ufeff{}",
    '{"a":"\\ud800"}',
    '{"a":"\\udc00"}',
    '{"a":"\\ud800\\u0041"}',
    '{"\\udfff":1}',
    '{"a":"\\u0000"}',
    '{"\\u0000":1}',
    "{}//",
    "{ /**/ }",
  ]) {
    assert.equal(read(text), null, text);
  }
  assert.equal(strictObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), null, "not UTF-8");
  assert.equal(strictObject(Buffer.from('{"a":"\xed\xa0\x80"}', "latin1")), null, "an encoded surrogate");
});
