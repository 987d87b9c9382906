import { networkInterfaces, hostname } from 'node:os';

const LOOPBACK = ['localhost', '127.0.0.1', '::1'];
const ANY = ['0.0.0.0', '::'];

/** The host of a `Host` header, lower-case, without port, brackets and trailing dot; null: not well-formed. */
export function hostOf(header: string | undefined): string | null {
  if (header === undefined) return null;
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?$/.exec(header);
  const host = match?.[1] ?? match?.[2];
  return host === undefined ? null : host.toLowerCase().replace(/\.$/, '');
}

export interface HostCheck {
  /** Whether a request with this `Host` header is meant for this server: no page of a foreign name may speak to it (DNS rebinding). */
  accepts(header: string | undefined): boolean;
  readonly listensOnLoopbackOnly: boolean;
}

/**
 * @param configured TINY_FORGE_HOST
 * @param machine injected for specs; else names and addresses of this machine
 */
export function hostCheck(
  configured: string,
  machine: () => readonly string[] = () => [
    hostname(),
    ...Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((each) => each.address)),
  ],
): HostCheck {
  const own = configured.toLowerCase().replace(/^\[|\]$/g, '');
  const isAny = ANY.includes(own);
  const isLoopback = LOOPBACK.includes(own) || own.startsWith('127.');
  const fixed = new Set(isAny ? LOOPBACK : [own, ...(isLoopback ? LOOPBACK : [])]);
  return {
    listensOnLoopbackOnly: isLoopback,
    accepts: (header) => {
      const host = hostOf(header);
      if (host === null) return false;
      if (fixed.has(host)) return true;
      // Addresses come and go (DHCP, VPN): asked for each request that needs them.
      return isAny && machine().some((name) => name.toLowerCase().split('%')[0] === host);
    },
  };
}
