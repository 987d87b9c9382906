import type { Format } from './format.ts';
import { name } from './visible.ts';

export type RawParams = Readonly<Record<string, unknown>>;

/** Reads the `params` of an error as a sentence needs them: names made visible, bytes, seconds and times in the reader's form. */
export class Values {
  readonly #params: RawParams;
  readonly f: Format;
  readonly now: number;

  constructor(params: RawParams, format: Format, now: number) {
    this.#params = params;
    this.f = format;
    this.now = now;
  }

  has(key: string): boolean {
    const value = this.#params[key];
    return value !== undefined && value !== null && value !== '';
  }

  name(key: string): string {
    return name(this.#params[key]);
  }

  raw(key: string): string {
    const value = this.#params[key];
    return typeof value === 'string' ? value : '';
  }

  number(key: string): number {
    const value = Number(this.#params[key]);
    return Number.isFinite(value) ? value : 0;
  }

  count(key: string): string {
    return this.#numeric(key, (value) => this.f.number(value));
  }

  bytes(key: string): string {
    return this.#numeric(key, (value) => this.f.bytes(value));
  }

  seconds(key: string): string {
    return this.#numeric(key, (value) => this.f.bound(value * 1000));
  }

  time(key: string): string {
    const value = this.#params[key];
    const at = typeof value === 'string' || typeof value === 'number' ? new Date(value).getTime() : Number.NaN;
    return Number.isNaN(at) ? this.name(key) : this.f.soon(at, this.now);
  }

  #numeric(key: string, form: (value: number) => string): string {
    const value = this.#params[key];
    const amount = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    return typeof amount === 'number' && Number.isFinite(amount) ? form(amount) : this.name(key);
  }
}

export type ErrorSentences = (v: Values) => string;
