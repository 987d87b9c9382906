import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Permission } from '@tiny-forge/contracts/domain';
import { newSecret, secretHash, SESSION_COOKIE, TOKEN_PREFIX } from '../http/authentication.ts';
import { Handles } from '../http/endpoint.ts';
import { ENDPOINTS } from '../http/endpoints.ts';
import type { Principal } from '../http/principal.ts';
import { RequestError } from '../http/problem.ts';
import { principalOf } from '../http/request.ts';
import { PARTS } from '../parts.ts';
import type { Parts } from '../parts.ts';
import { timestamp } from '../state/index.ts';
import { LoginThrottle } from './login-throttle.ts';
import { verifyPassword } from './passwords.ts';

const SESSION_DAYS = 7;
const SESSION_MS = SESSION_DAYS * 86_400_000;

@Controller()
export class AuthController {
  readonly #parts: Parts;
  readonly #throttle: LoginThrottle;

  constructor(@Inject(PARTS) parts: Parts) {
    this.#parts = parts;
    this.#throttle = new LoginThrottle(() => parts.clock.now().getTime());
  }

  @Handles(ENDPOINTS.login)
  async login(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<unknown> {
    const { username, password } = request.forge.body as { username: string; password: string };
    request.forge.auditDetails = { user: username };
    const wait = this.#throttle.attempt(request.ip, username);
    if (wait > 0) throw new RequestError('THROTTLED', { retryAfterSeconds: wait });
    const { state, clock } = this.#parts;
    const user = await state.users.byName(username);
    if (!(await verifyPassword(password, user?.passwordHash ?? null)) || !user)
      throw new RequestError('BAD_CREDENTIALS');
    this.#throttle.succeeded(request.ip, username);
    const secret = newSecret();
    const csrfToken = newSecret();
    const expiresAt = timestamp(clock, SESSION_MS);
    await state.sessions.purgeExpired();
    await state.sessions.create({ idHash: secretHash(secret), userId: user.id, csrfToken, expiresAt });
    void reply.setCookie(SESSION_COOKIE, secret, { ...cookieOptions(request), maxAge: SESSION_MS / 1000 });
    return { user: { id: user.id, name: user.name, permissions: [...user.permissions] }, csrfToken };
  }

  @Handles(ENDPOINTS.logout)
  async logout(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    const { sessionHash } = principalOf(request);
    if (sessionHash !== null) await this.#parts.state.sessions.delete(sessionHash);
    void reply.clearCookie(SESSION_COOKIE, cookieOptions(request));
  }

  @Handles(ENDPOINTS.me)
  me(@Req() request: FastifyRequest): unknown {
    const { userId, userName, permissions, csrfToken, expiresAt } = principalOf(request);
    return { user: { id: userId, name: userName, permissions: [...permissions] }, csrfToken, expiresAt };
  }

  @Handles(ENDPOINTS.listTokens)
  async listTokens(@Req() request: FastifyRequest): Promise<unknown> {
    const items = await this.#parts.state.tokens.list(managerOf(request).userId);
    return {
      items: items.map(({ id, name, permissions, createdAt, lastUsedAt }) => ({
        id,
        name,
        permissions: [...permissions],
        createdAt,
        lastUsedAt,
      })),
      nextCursor: null,
    };
  }

  @Handles(ENDPOINTS.createToken)
  async createToken(@Req() request: FastifyRequest): Promise<unknown> {
    const principal = managerOf(request);
    const { name, permissions } = request.forge.body as { name: string; permissions: Permission[] };
    const missing = permissions.find((permission) => !principal.permissions.includes(permission));
    if (missing !== undefined) throw new RequestError('FORBIDDEN', { permission: missing });
    const id = this.#parts.newId();
    const token = `${TOKEN_PREFIX}${newSecret()}`;
    request.forge.auditDetails = { tokenId: id, name, permissions: permissions.join(' ') };
    await this.#parts.state.tokens.create({
      id,
      userId: principal.userId,
      name,
      tokenHash: secretHash(token),
      permissions: [...new Set(permissions)],
    });
    return { id, token };
  }

  @Handles(ENDPOINTS.deleteToken)
  async deleteToken(@Req() request: FastifyRequest): Promise<void> {
    const { id } = request.params as { id: string };
    const isDeleted = await this.#parts.state.tokens.delete(id, managerOf(request).userId);
    if (!isDeleted) throw new RequestError('NOT_FOUND', { what: 'The token' });
  }
}

/** Tokens are managed by who signed in, or by a token that may do everything anyway. */
function managerOf(request: FastifyRequest): Principal {
  const principal = principalOf(request);
  if (principal.kind === 'token' && !principal.permissions.includes('system:admin')) {
    throw new RequestError('FORBIDDEN', { permission: 'system:admin' });
  }
  return principal;
}

const cookieOptions = (request: FastifyRequest) => ({
  httpOnly: true,
  sameSite: 'strict' as const,
  path: '/',
  secure: request.protocol === 'https',
});
