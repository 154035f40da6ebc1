const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Whether a text of the alphabet is base64url as only one writer would write it: no length and no bits to spare. */
export function isWhole(text: string): boolean {
  const rest = text.length % 4;
  if (rest === 0) return true;
  if (rest === 1) return false;
  const last = ALPHABET.indexOf(text.charAt(text.length - 1));
  return (last & (rest === 2 ? 0b1111 : 0b11)) === 0;
}

/** The bytes, or `null` if the text is not base64url without padding and without stray bits (RFC 7515, section 2). */
export function fromBase64url(text: string): Buffer | null {
  return /^[\w-]*$/.test(text) && isWhole(text) ? Buffer.from(text, "base64url") : null;
}
