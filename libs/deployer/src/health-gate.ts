import { ForgeError, type HealthConfig } from '@tiny-forge/contracts/domain';
import type { ContainerDetail, DockerPort } from '@tiny-forge/docker';
import type { Clock } from './clock.ts';
import { probeHttp, probeTcp, type ProbeAddress, type ProbeAnswer } from './health-probes.ts';

const MAX_PROBE_MS = 10_000;

export interface GateInput {
  readonly docker: DockerPort;
  readonly clock: Clock;
  readonly containerId: string;
  readonly health: HealthConfig;
  readonly signal: AbortSignal;
  /** Restarts the container had before it was started; one more ends the gate. */
  readonly restartsBefore: number;
  readonly onAnswer?: ((answer: string) => void) | undefined;
}

/**
 * Waits until the container is healthy.
 * @throws ForgeError APP_EXITED at once when it ends or restarts, APP_UNHEALTHY with the last answer at the end of `health.timeoutSeconds` or at
 * once when Docker calls it unhealthy, CANCELLED
 */
export async function awaitHealthy(input: GateInput): Promise<void> {
  const { clock, health, signal } = input;
  const deadline = clock.now() + health.timeoutSeconds * 1000;
  let startedAt: number | null = null;
  for (;;) {
    if (signal.aborted) throw new ForgeError({ code: 'CANCELLED', cause: signal.reason });
    const detail = await livingContainer(input, startedAt);
    startedAt ??= detail.startedAt?.getTime() ?? null;
    const left = deadline - clock.now();
    const probe = await probeOnce(input, detail, Math.max(1000, Math.min(MAX_PROBE_MS, left)));
    if (probe.ok) {
      await livingContainer(input, startedAt);
      return;
    }
    input.onAnswer?.(probe.answer);
    if (probe.final === true || clock.now() >= deadline) {
      throw new ForgeError({
        code: 'APP_UNHEALTHY',
        params: { container: detail.name, seconds: health.timeoutSeconds, answer: probe.answer },
      });
    }
    // An interval longer than what is left still gets its last question at the end.
    await clock.sleep(Math.min(health.intervalSeconds * 1000, Math.max(0, deadline - clock.now())), signal);
  }
}

async function livingContainer(input: GateInput, startedAt: number | null): Promise<ContainerDetail> {
  const detail = await input.docker.inspectContainer(input.containerId, input.signal);
  const restarted =
    detail !== null &&
    (detail.state === 'restarting' ||
      detail.restartCount > input.restartsBefore ||
      (startedAt !== null && detail.startedAt?.getTime() !== startedAt));
  if (detail === null || detail.state === 'exited' || detail.state === 'dead' || restarted) {
    throw new ForgeError({
      code: 'APP_EXITED',
      params: {
        container: detail?.name ?? input.containerId.slice(0, 12),
        exitCode: detail?.exitCode ?? null,
        restarted,
      },
    });
  }
  return detail;
}

/** One question. `final`: asking again cannot help. */
export async function probeOnce(
  input: Pick<GateInput, 'docker' | 'clock' | 'health' | 'signal'>,
  detail: ContainerDetail,
  timeoutMs: number,
): Promise<ProbeAnswer & { readonly final?: boolean }> {
  const { docker, clock, health, signal } = input;
  if (detail.state !== 'running') return { ok: false, answer: detail.state };
  switch (health.type) {
    case 'stable': {
      const seconds = Math.floor((clock.now() - (detail.startedAt?.getTime() ?? clock.now())) / 1000);
      return { ok: seconds >= health.stableSeconds, answer: `running for ${seconds} s of ${health.stableSeconds} s` };
    }
    case 'docker':
      if (detail.health === 'none') return { ok: false, answer: 'the image has no health check', final: true };
      return {
        ok: detail.health === 'healthy',
        answer: `Docker says ${detail.health}`,
        final: detail.health === 'unhealthy',
      };
    case 'exec': {
      const result = await docker.exec(detail.id, health.command, timeoutMs, signal);
      // Never the output: it may hold what env holds.
      if (result === 'gone') return { ok: false, answer: 'the container does not run' };
      return { ok: result.exitCode === 0, answer: `exit code ${result.exitCode}` };
    }
    case 'http':
      return firstReached(detail, health.port, (at, limit) => probeHttp(at, health.path, limit, signal), timeoutMs);
    case 'tcp':
      return firstReached(detail, health.port, (at, limit) => probeTcp(at, limit, signal), timeoutMs);
  }
}

/** The container's own address first: behind a published port Docker's proxy accepts for an app that does not listen. */
async function firstReached(
  detail: ContainerDetail,
  port: number,
  probe: (at: ProbeAddress, timeoutMs: number) => Promise<ProbeAnswer>,
  timeoutMs: number,
): Promise<ProbeAnswer> {
  const addresses = probeAddresses(detail, port);
  let last: ProbeAnswer = { ok: false, answer: `port ${port} has no address yet` };
  for (const [index, at] of addresses.entries()) {
    // Where the bridge cannot be reached (rootless, Docker Desktop) the first try only costs time.
    last = await probe(at, index < addresses.length - 1 ? Math.min(timeoutMs, 2000) : timeoutMs);
    if (last.ok || last.answer.startsWith('HTTP ')) return last;
  }
  return last;
}

export function probeAddresses(detail: ContainerDetail, port: number): ProbeAddress[] {
  const published = detail.ports.find(
    (entry) => entry.container === port && entry.protocol === 'tcp' && entry.published,
  );
  const anywhere = published?.hostIp === null || published?.hostIp === '0.0.0.0' || published?.hostIp === '::';
  return [
    ...(detail.ipAddress === null ? [] : [{ host: detail.ipAddress, port }]),
    ...(published?.published
      ? [{ host: anywhere ? '127.0.0.1' : (published.hostIp ?? '127.0.0.1'), port: published.published }]
      : []),
  ];
}
