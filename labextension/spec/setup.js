// What browsers have, and jsdom does not.
const { TextDecoder, TextEncoder } = require('util');

Object.assign(globalThis, { TextDecoder, TextEncoder });
globalThis.DragEvent ??= class DragEvent {};
window.matchMedia ??= () => ({
  matches: false,
  addEventListener() {},
  removeEventListener() {},
  addListener() {},
  removeListener() {}
});
// Toolbars watch the size of their buttons; here nothing has a size.
globalThis.ResizeObserver ??= class ResizeObserver {
  observe() {}
  unobserve() {}
  disconnect() {}
};
// JupyterLab's services name these when they are loaded; specs that send requests replace them.
globalThis.fetch ??= () => Promise.reject(new TypeError('There is no network in specs.'));
globalThis.Request ??= class Request {};
globalThis.Headers ??= class Headers extends Map {};
window.requestIdleCallback ??= callback => setTimeout(() => callback({ didTimeout: false, timeRemaining: () => 10 }));
window.cancelIdleCallback ??= clearTimeout;
