import { connectDocker } from '@tiny-forge/docker';
import { probeDocker } from '../src/recovery/probe-docker.ts';

const required = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

const dockerHost = required('DOCKER_HOST');
try {
  await probeDocker({
    docker: connectDocker({ dockerHost }),
    dataDir: required('PROBE_DATA'),
    installation: required('PROBE_INSTALLATION'),
    dockerHost,
    busybox: process.env['BUSYBOX_PATH'] || undefined,
    signal: AbortSignal.timeout(60_000),
  });
  console.log('SAME_FILES');
} catch (error) {
  const { code, params } = error as { code?: string; params?: { dockerHost?: string } };
  console.log(code, params?.dockerHost, error);
}
process.exit(0);
