export { type BrowserOptions, TestBrowser, TestTab } from "./browser.js";
export { settle, TestClock, TestMachine } from "./clock.js";
export { type ServerOptions, TestServer } from "./server.js";
