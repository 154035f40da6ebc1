/** Writes the types of the API, as docs/openapi.json has it, to its output: `npm run generate` in this folder. */
import { readFileSync } from "node:fs";

const { components } = JSON.parse(readFileSync(new URL("../../../docs/openapi.json", import.meta.url), "utf8"));
/** Whose types the client uses; what they refer to comes along. */
const WANTED = [
  "Login",
  "Register",
  "SignedIn",
  "Waiting",
  "User",
  "OneUser",
  "Profile",
  "Password",
  "Sessions",
  "Failure",
];

const name = (ref) => ref.slice(ref.lastIndexOf("/") + 1);
const nameOf = (of) => (of === "i64" ? "number" : of);
const doc = (schema, indent) =>
  schema.description ? `${indent}/** ${schema.description.replaceAll(/\s+/g, " ").trim()} */\n` : "";

function type(schema, indent) {
  if (schema.$ref) return nameOf(name(schema.$ref));
  if (schema.enum) return schema.enum.map((it) => JSON.stringify(it)).join(" | ");
  if (schema.allOf) return schema.allOf.map((it) => group(type(it, indent))).join(" & ");
  // A part that may be null has its members or has not.
  if (schema.oneOf) {
    const some = schema.oneOf.filter((it) => it.type !== "null");
    return some.length < schema.oneOf.length
      ? `Partial<${some.map((it) => type(it, indent)).join(" | ")}>`
      : some.map((it) => group(type(it, indent))).join(" | ");
  }
  const types = [schema.type].flat();
  return types.map((it) => plain(it, schema, indent)).join(" | ");
}

const group = (text) => (text.includes(" | ") ? `(${text})` : text);

function plain(kind, schema, indent) {
  if (kind === "integer") return "number";
  if (kind === "array") return `${group(type(schema.items, indent))}[]`;
  if (kind === "object") return object(schema, indent);
  if (["string", "boolean", "number", "null"].includes(kind)) return kind;
  throw new Error(`a schema of a kind that is not known: ${JSON.stringify(schema)}`);
}

function object(schema, indent) {
  const members = Object.entries(schema.properties ?? {}).map(([key, of]) => {
    const mark = schema.required?.includes(key) ? "" : "?";
    return `${doc(of, `${indent}  `)}${indent}  ${key}${mark}: ${type(of, `${indent}  `)};\n`;
  });
  return `{\n${members.join("")}${indent}}`;
}

const found = new Set(WANTED);
for (const it of found) {
  if (!components.schemas[it]) throw new Error(`docs/openapi.json has no ${it}`);
  for (const [, ref] of JSON.stringify(components.schemas[it]).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
    if (ref !== "i64") found.add(ref);
  }
}
let text = "// Written by tools/types.js from docs/openapi.json: npm run generate\n";
for (const it of [...found].toSorted()) {
  text += `\n${doc(components.schemas[it], "")}export type ${it} = ${type(components.schemas[it], "")};\n`;
}
process.stdout.write(text);
