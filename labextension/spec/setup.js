// What browsers have, and jsdom does not.
const { TextDecoder, TextEncoder } = require('util');

Object.assign(globalThis, { TextDecoder, TextEncoder });
globalThis.DragEvent ??= class DragEvent {};
window.matchMedia ??= () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
