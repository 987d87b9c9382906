import http from 'node:http';
import net from 'node:net';

export interface ProbeAnswer {
  readonly ok: boolean;
  /** What was heard, for people: bounded, never a body. */
  readonly answer: string;
}

/** Where a probe is sent. */
export interface ProbeAddress {
  readonly host: string;
  readonly port: number;
}

/** How long a connection must stay open: Docker's own proxy accepts for an app that does not listen, then closes. */
const PROXY_DOUBT_MS = 150;

/** Healthy: any answer from 200 to 399; redirects are not followed, bodies not read. */
export function probeHttp(
  at: ProbeAddress,
  path: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const request = http.get({
      host: at.host,
      port: at.port,
      path: encodeURI(path).replace(/%25([0-9a-f]{2})/gi, '%$1'),
      agent: false,
      headers: { 'user-agent': 'tiny-forge-health', connection: 'close' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      response.on('error', () => {});
      response.destroy();
      resolve({ ok: status >= 200 && status < 400, answer: `HTTP ${status}` });
    });
    request.on('error', (error) => resolve({ ok: false, answer: refusal(error) }));
  });
}

/** Healthy: a connection is accepted and stays open for a moment, or the other side speaks first. */
export function probeTcp(at: ProbeAddress, timeoutMs: number, signal: AbortSignal): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: at.host, port: at.port });
    let doubt: NodeJS.Timeout | undefined;
    const limit = setTimeout(() => settle({ ok: false, answer: 'no answer in time' }), timeoutMs);
    const onAbort = (): void => settle({ ok: false, answer: 'cancelled' });
    const settle = (answer: ProbeAnswer): void => {
      clearTimeout(limit);
      clearTimeout(doubt);
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(answer);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const accepted: ProbeAnswer = { ok: true, answer: 'connection accepted' };
    socket.on('connect', () => (doubt = setTimeout(() => settle(accepted), PROXY_DOUBT_MS)));
    socket.on('data', () => settle(accepted));
    socket.on('close', () => settle({ ok: false, answer: 'connection closed at once' }));
    socket.on('error', (error) => settle({ ok: false, answer: refusal(error) }));
  });
}

function refusal(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ABORT_ERR' || error.name === 'TimeoutError') return 'no answer in time';
  return code ?? 'no HTTP answer';
}
