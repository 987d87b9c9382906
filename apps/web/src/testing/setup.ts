import { TextDecoder, TextEncoder } from 'node:util';

/** What jsdom lacks and pages use. */
Object.assign(globalThis, { TextDecoder, TextEncoder });
if (typeof HTMLDialogElement !== 'undefined') {
  HTMLDialogElement.prototype.showModal = function showModal() {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close() {
    this.open = false;
    this.dispatchEvent(new Event('close'));
  };
}
window.matchMedia = (query: string) =>
  ({
    matches: false,
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }) as unknown as MediaQueryList;
globalThis.requestAnimationFrame = (callback) => setTimeout(() => callback(0), 0) as unknown as number;
if (typeof AbortSignal.timeout !== 'function' || typeof AbortSignal.any !== 'function') {
  AbortSignal.timeout = () => new AbortController().signal;
  AbortSignal.any = (signals) => [...signals][0] ?? new AbortController().signal;
}
