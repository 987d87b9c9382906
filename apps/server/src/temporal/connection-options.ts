import { readFile } from 'node:fs/promises';
import type { Settings } from '@tiny-forge/contracts/domain';

export interface TemporalConnectionOptions {
  readonly address: string;
  readonly tls?: boolean | { serverRootCACertificate?: Buffer; clientCertPair?: { crt: Buffer; key: Buffer } };
  readonly apiKey?: string;
}

/** What client and workers connect with. Reads the TLS files named in the settings. */
export async function connectionOptions(settings: Settings['temporal']): Promise<TemporalConnectionOptions> {
  const address = settings.address ?? '127.0.0.1:7233';
  if (!settings.tls) return { address };
  const tls: { serverRootCACertificate?: Buffer; clientCertPair?: { crt: Buffer; key: Buffer } } = {};
  if (settings.tlsCaFile !== null) tls.serverRootCACertificate = await readFile(settings.tlsCaFile);
  if (settings.tlsCertFile !== null && settings.tlsKeyFile !== null) {
    tls.clientCertPair = { crt: await readFile(settings.tlsCertFile), key: await readFile(settings.tlsKeyFile) };
  }
  return { address, tls, ...(settings.apiKey === null ? {} : { apiKey: settings.apiKey }) };
}
