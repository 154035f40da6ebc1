import type { Answer } from "./http.js";
import type { Scope } from "./types.js";

/**
 * What tabs of one browser say to each other, about the session `id`: what the stream says (`session`, `ended`, `profile`), that a session has
 * `started`, that a tab does `lead`: it holds the stream, and that one is in `doubt` how things stand.
 */
export interface Message {
  readonly id: string;
  readonly type: string;
  readonly data?: Answer | undefined;
}

/**
 * The other tabs. Where there is no BroadcastChannel, beginnings, ends and activity get through by the storage's events, and each tab has a stream of
 * its own.
 */
export function tabs(w: Scope, name: string, hear: (message: Message) => void) {
  let channel = w.BroadcastChannel && new w.BroadcastChannel(name);
  if (channel) channel.onmessage = ({ data }: MessageEvent) => hear(data);
  return {
    post: (message: Message) => channel?.postMessage(message),
    close() {
      channel?.close();
      channel = undefined;
    },
  };
}
