import { cleanup, render, screen, waitFor } from '@testing-library/svelte';

export { cleanup, render, screen, waitFor };

export function fire(element: Element, type: string): void {
  element.dispatchEvent(new Event(type, { bubbles: true, cancelable: true }));
}
export function type(element: HTMLElement, text: string): void {
  (element as HTMLInputElement).value = text;
  fire(element, 'input');
}
/** What a reader reads: no runs of space. */
export const textOf = (element: Element): string => (element.textContent ?? '').replace(/[\s\u00a0]+/g, ' ').trim();
