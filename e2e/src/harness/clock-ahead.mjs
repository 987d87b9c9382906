// Loaded into the server with --import: its clock is CLOCK_AHEAD_MS ahead, as if so much time had passed.
import process from 'node:process';

const ahead = Number(process.env.CLOCK_AHEAD_MS ?? '0');
const RealDate = Date;
const now = () => RealDate.now() + ahead;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [now()] : args, self),
  apply: () => new RealDate(now()).toString(),
  get: (target, name, self) => (name === 'now' ? now : Reflect.get(target, name, self)),
});
