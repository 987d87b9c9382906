/** Numbers, sizes, times as the reader's language writes them; no-break spaces inside every value. Base 1024, 24 hours. */

export type Language = 'en' | 'ru';
export const LOCALES: Readonly<Record<Language, string>> = { en: 'en-GB', ru: 'ru' };

export interface Units {
  readonly bytes: readonly [string, string, string, string, string, string];
  readonly second: string;
  readonly minute: string;
  readonly hour: string;
  readonly day: string;
  readonly ago: (span: string) => string;
  readonly ahead: (span: string) => string;
  readonly justNow: string;
}

const NBSP = '\u00a0';
const glue = (text: string): string => text.replace(/[ \u202f]/g, NBSP);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** As it is called today. */
export function nameOfZone(locale: string, zone: string): string {
  const parts = new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName: 'long' }).formatToParts();
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? zone;
}

export class Format {
  readonly language: Language;
  /** IANA name; `UTC` or the browser's. */
  readonly zone: string;
  readonly #units: Units;
  readonly #locale: string;
  readonly #dates = new Map<string, Intl.DateTimeFormat>();

  constructor(language: Language, zone: string, units: Units) {
    this.language = language;
    this.zone = zone;
    this.#units = units;
    this.#locale = LOCALES[language];
  }

  /** The zone in the reader's language: `Central European Standard Time` (in summer: `Summer Time`); `UTC`. */
  get zoneName(): string {
    return this.zone === 'UTC' ? 'UTC' : nameOfZone(this.#locale, this.zone);
  }

  number(value: number, options: Intl.NumberFormatOptions = {}): string {
    return glue(new Intl.NumberFormat(this.#locale, options).format(value));
  }

  /** `share` of 0 to 1; never 100% before it is whole. */
  percent(share: number): string {
    const whole = Math.min(100, Math.max(0, Math.floor(share * 100)));
    return glue(new Intl.NumberFormat(this.#locale, { style: 'percent' }).format(whole / 100));
  }

  bytes(count: number): string {
    let value = Math.max(0, count);
    let unit = 0;
    while (value >= 1024 && unit < this.#units.bytes.length - 1) {
      value /= 1024;
      unit += 1;
    }
    const digits = value >= 999.5 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
    return `${this.number(value, unit === 0 ? { maximumFractionDigits: 0 } : digits)}${NBSP}${this.#units.bytes[unit] ?? ''}`;
  }

  /** A measured or running span in ms: `0.9 s`, `41.2 s`, `3 min 05 s`, `2 h 07 min`, `3 d 4 h`. */
  duration(ms: number, precision: 'tenths' | 'seconds' = 'seconds'): string {
    const u = this.#units;
    const span = Math.max(0, precision === 'tenths' ? Math.round(ms / 100) * 100 : ms);
    if (span < MINUTE) {
      const seconds = precision === 'tenths' ? span / SECOND : Math.floor(span / SECOND);
      return `${this.number(seconds, { minimumFractionDigits: 0, maximumFractionDigits: 1 })}${NBSP}${u.second}`;
    }
    if (span < HOUR)
      return this.#pair(Math.floor(span / MINUTE), u.minute, Math.floor((span % MINUTE) / SECOND), u.second);
    if (span < DAY) return this.#pair(Math.floor(span / HOUR), u.hour, Math.floor((span % HOUR) / MINUTE), u.minute);
    const hours = Math.floor((span % DAY) / HOUR);
    const days = `${this.number(Math.floor(span / DAY))}${NBSP}${u.day}`;
    return hours === 0 ? days : `${days}${NBSP}${String(hours)}${NBSP}${u.hour}`;
  }

  /** A bound: exact, but without an empty second unit: `45 s`, `75 s`, `2 min`, `2 min 30 s`. */
  bound(ms: number): string {
    if (ms < 100 * SECOND) return this.span(ms);
    return ms % MINUTE === 0 && ms < HOUR ? this.span(ms) : this.duration(ms);
  }

  #pair(big: number, bigUnit: string, small: number, smallUnit: string): string {
    return `${String(big)}${NBSP}${bigUnit}${NBSP}${String(small).padStart(2, '0')}${NBSP}${smallUnit}`;
  }

  /** One unit only, for "about" and "ago": `40 s`, `12 min`, `23 h`, `3 d`; seconds up to 99. */
  span(ms: number): string {
    const u = this.#units;
    const size = Math.max(0, ms);
    const [value, unit] =
      size < 100 * SECOND
        ? [Math.max(1, Math.round(size / SECOND)), u.second]
        : size < HOUR
          ? [Math.floor(size / MINUTE), u.minute]
          : size < 2 * DAY
            ? [Math.floor(size / HOUR), u.hour]
            : [Math.floor(size / DAY), u.day];
    return `${this.number(value)}${NBSP}${unit}`;
  }

  /** `4:12` for a countdown. */
  countdown(ms: number): string {
    const seconds = Math.max(0, Math.ceil(ms / SECOND));
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor((seconds % 3600) / 60);
    const tail = String(seconds % 60).padStart(2, '0');
    return hours > 0 ? `${String(hours)}:${String(minutes).padStart(2, '0')}:${tail}` : `${String(minutes)}:${tail}`;
  }

  /** `23 Nov, 02:14`; with the year when it is not the one of `now`. */
  moment(at: number, now: number): string {
    const sameYear = this.#part(at, { year: 'numeric' }) === this.#part(now, { year: 'numeric' });
    return glue(
      this.#date({
        day: 'numeric',
        month: 'short',
        hour: '2-digit',
        minute: '2-digit',
        ...(sameYear ? {} : { year: 'numeric' }),
      }).format(at),
    );
  }

  /** `02:14:31` */
  clock(at: number): string {
    return this.#date({ hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(at);
  }

  /** `02:14` on the day of `now`, else with the day. */
  soon(at: number, now: number): string {
    const day = { year: 'numeric', month: '2-digit', day: '2-digit' } as const;
    if (this.#part(at, day) !== this.#part(now, day)) return this.moment(at, now);
    return this.#date({ hour: '2-digit', minute: '2-digit' }).format(at);
  }

  /** `28 Nov` */
  day(at: number): string {
    return glue(this.#date({ day: 'numeric', month: 'short' }).format(at));
  }

  /** `12 min ago`, `in 4 min`, `just now` */
  relative(at: number, now: number): string {
    const away = now - at;
    if (Math.abs(away) < 5 * SECOND) return glue(this.#units.justNow);
    const span = this.span(Math.abs(away));
    return glue(away > 0 ? this.#units.ago(span) : this.#units.ahead(span));
  }

  /** `12 min ago · 23 Nov, 02:14` */
  full(at: number, now: number): string {
    return `${this.relative(at, now)} · ${this.moment(at, now)}`;
  }

  #part(at: number, options: Intl.DateTimeFormatOptions): string {
    return this.#date(options).format(at);
  }

  #date(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
    const key = JSON.stringify(options);
    let made = this.#dates.get(key);
    if (made === undefined) {
      made = new Intl.DateTimeFormat(this.#locale, { ...options, timeZone: this.zone, hourCycle: 'h23' });
      this.#dates.set(key, made);
    }
    return made;
  }
}
