import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type {} from '@fastify/cookie';
import type { FastifyRequest } from 'fastify';
import type { State } from '../state/index.ts';
import type { Principal } from './principal.ts';

export const SESSION_COOKIE = 'tf_session';
export const TOKEN_PREFIX = 'tf_';

/** What is stored of a cookie or token: the secret itself has 256 random bits, so a plain hash is enough. */
export const secretHash = (secret: string): string => createHash('sha256').update(secret).digest('hex');
export const newSecret = (): string => randomBytes(32).toString('base64url');

const MAX_SECRET = 256;
/** A token's last use is written at most this often. */
const USED_EVERY_MS = 60_000;

/** Who asks, by bearer token or session cookie; a request with an `Authorization` header is judged by that alone. */
export async function authenticate(request: FastifyRequest, state: State): Promise<Principal | null> {
  const header = request.headers.authorization;
  if (header !== undefined) {
    const token = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(header)?.[1];
    return token === undefined ? null : byToken(token, state);
  }
  const cookie = request.cookies[SESSION_COOKIE];
  if (cookie === undefined || cookie === '' || cookie.length > MAX_SECRET) return null;
  const hash = secretHash(cookie);
  const session = await state.sessions.find(hash);
  if (!session) return null;
  return {
    kind: 'session',
    key: `user:${session.user.id}`,
    userId: session.user.id,
    name: session.user.name,
    userName: session.user.name,
    permissions: session.user.permissions,
    csrfToken: session.csrfToken,
    sessionHash: hash,
    expiresAt: session.expiresAt,
  };
}

async function byToken(secret: string, state: State): Promise<Principal | null> {
  const found = await state.tokens.find(secretHash(secret));
  if (!found) return null;
  const { token, user } = found;
  if (token.lastUsedAt === null || Date.now() - Date.parse(token.lastUsedAt) > USED_EVERY_MS) {
    await state.tokens.markUsed(token.id);
  }
  return {
    kind: 'token',
    key: `token:${token.id}`,
    userId: user.id,
    name: `${user.name}/${token.name}`,
    userName: user.name,
    permissions: token.permissions,
    csrfToken: null,
    sessionHash: null,
    expiresAt: null,
  };
}

export function csrfMatches(principal: Principal, header: string | string[] | undefined): boolean {
  if (principal.csrfToken === null) return true;
  if (typeof header !== 'string') return false;
  const given = Buffer.from(header);
  const wanted = Buffer.from(principal.csrfToken);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
