import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const hash = promisify(argon2);

/** OWASP's first choice for argon2id: 19 MiB, 2 passes, 1 lane. */
const MEMORY_KIB = 19_456;
const PASSES = 2;
const LANES = 1;
const TAG_BYTES = 32;
/** Each verification holds its memory for some 30 ms: a flood of logins must not become a flood of memory. */
const AT_ONCE = 2;

let free = AT_ONCE;
const waiting: (() => void)[] = [];

async function limited<T>(work: () => Promise<T>): Promise<T> {
  if (free > 0) free -= 1;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  }
}

async function derive(password: string, salt: Buffer, memory: number, passes: number, lanes: number): Promise<Buffer> {
  const message = Buffer.from(password.normalize('NFKC'));
  return limited(() =>
    hash('argon2id', { message, nonce: salt, parallelism: lanes, tagLength: TAG_BYTES, memory, passes }),
  );
}

/** @returns PHC string format */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const tag = await derive(password, salt, MEMORY_KIB, PASSES, LANES);
  const text = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
  return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${text(salt)}$${text(tag)}`;
}

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** @param stored null: no such user; takes as long as a wrong password */
export async function verifyPassword(password: string, stored: string | null): Promise<boolean> {
  const match = PHC.exec(stored ?? '');
  if (!match) {
    await derive(password, randomBytes(16), MEMORY_KIB, PASSES, LANES);
    return false;
  }
  const [, memory, passes, lanes, salt = '', tag = ''] = match;
  const wanted = Buffer.from(tag, 'base64');
  const found = await derive(password, Buffer.from(salt, 'base64'), Number(memory), Number(passes), Number(lanes));
  return found.length === wanted.length && timingSafeEqual(found, wanted);
}

const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';

/** 100 bits that a person can copy from a terminal. */
export function generatePassword(): string {
  const letters = Array.from({ length: 20 }, () => {
    for (;;) {
      const byte = randomBytes(1)[0] ?? 0;
      // Bytes above the last whole multiple would favour the first letters.
      if (byte < 256 - (256 % ALPHABET.length)) return ALPHABET[byte % ALPHABET.length];
    }
  });
  return [0, 5, 10, 15].map((at) => letters.slice(at, at + 5).join('')).join('-');
}
