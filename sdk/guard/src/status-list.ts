import { inflateSync } from "node:zlib";
import { fromBase64url } from "./base64url.js";

/**
 * The bitmap of an `lst` (draft-ietf-oauth-status-list, section 4.1: ZLIB, base64url), unpacked to at most `maxBytes`,
 * however small it came. `null`: it is none, or larger.
 */
export function decodeList(lst: string, maxBytes: number): Uint8Array | null {
  const packed = fromBase64url(lst);
  if (!packed?.length) return null;
  try {
    // One byte more, since none at all may not be asked for.
    const options = { info: true, maxOutputLength: maxBytes + 1 };
    const { buffer, engine } = inflateSync(packed, options) as unknown as Unpacked;
    return buffer.length <= maxBytes && engine.bytesWritten === packed.length ? buffer : null;
  } catch {
    return null;
  }
}

/** What zlib answers with `info`, which its types do not know: `bytesWritten` is what it took of its input. */
interface Unpacked {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}
