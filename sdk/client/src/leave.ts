import { pause } from "./http.js";
import type { Ended, Options, Scope } from "./types.js";

/** How long the application's `clear` is waited for. Milliseconds. */
const CLEARING = 2000;

/**
 * The application's part of an end: it clears what it knows of the person, and goes to the login page. `mend` puts back what `clear` took along of
 * ours, and answers whether somebody is signed in again.
 */
export async function leave(w: Scope, options: Options, ended: Ended, mend: () => unknown) {
  try {
    const cleared = options.clear?.(ended);
    mend();
    await Promise.race([cleared, pause(w, CLEARING)]);
  } catch (error) {
    console.error(error);
  }
  if (mend() || ended.reason === "switched") return;
  if (options.navigate) options.navigate(ended);
  else if (options.loginPage) {
    const { href } = w.location;
    const page = new URL(options.loginPage, w.document.baseURI).href;
    if (!href.startsWith(page) || /^[^?#]/.test(href.slice(page.length))) w.location.assign(options.loginPage);
  }
}
