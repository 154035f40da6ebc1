/** The other side said something that the protocol does not know: the connection is given up and begun anew. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}
