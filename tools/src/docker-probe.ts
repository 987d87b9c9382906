import http from 'node:http';
import https from 'node:https';

/** What a Docker Engine says of itself, or why it does not. */
export type DockerAnswer =
  | { readonly answers: true; readonly version: string; readonly apiVersion: string; readonly os: string }
  | { readonly answers: false; readonly reason: DockerSilence; readonly detail: string };

export type DockerSilence = 'absent' | 'refused' | 'forbidden' | 'unsupported' | 'other';

const silences: Readonly<Record<string, DockerSilence>> = {
  ENOENT: 'absent',
  ENOTSOCK: 'absent',
  ENOTFOUND: 'absent',
  ECONNREFUSED: 'refused',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
};

/** @param dockerHost `unix:///path`, `tcp://host:port`, `http(s)://host:port` */
export function askDocker(dockerHost: string, timeoutMs = 5_000): Promise<DockerAnswer> {
  const options = requestOptions(dockerHost);
  if (options === null) {
    const detail = 'only unix://, tcp:// and http(s):// addresses are understood';
    return Promise.resolve({ answers: false, reason: 'unsupported', detail });
  }
  return new Promise((resolve) => {
    const silent = (reason: DockerSilence, detail: string): void => resolve({ answers: false, reason, detail });
    const request = (options.protocol === 'https:' ? https : http).request(
      { ...options, path: '/version', timeout: timeoutMs },
      (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body = (body + chunk.toString()).slice(0, 100_000)));
        response.on('end', () => {
          const answer = parseVersion(body);
          if (answer === null) silent('other', `it answers ${response.statusCode}, but not as a Docker Engine`);
          else resolve(answer);
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer in ${timeoutMs / 1000} s`)));
    request.on('error', (error: NodeJS.ErrnoException) =>
      silent(silences[error.code ?? ''] ?? 'other', error.code ?? error.message),
    );
    request.end();
  });
}

function requestOptions(dockerHost: string): http.RequestOptions | null {
  if (dockerHost.startsWith('unix://')) return { socketPath: dockerHost.slice('unix://'.length) };
  try {
    const { protocol, hostname, port } = new URL(dockerHost);
    if (!['tcp:', 'http:', 'https:'].includes(protocol)) return null;
    const secure = protocol === 'https:' || process.env['DOCKER_TLS_VERIFY'] === '1';
    return {
      protocol: secure ? 'https:' : 'http:',
      host: hostname,
      port: port === '' ? (secure ? 2376 : 2375) : Number(port),
    };
  } catch {
    return null;
  }
}

function parseVersion(body: string): DockerAnswer | null {
  try {
    const { Version, ApiVersion, Os } = JSON.parse(body) as Record<string, unknown>;
    if (typeof Version !== 'string' || typeof ApiVersion !== 'string') return null;
    return { answers: true, version: Version, apiVersion: ApiVersion, os: typeof Os === 'string' ? Os : 'unknown' };
  } catch {
    return null;
  }
}
