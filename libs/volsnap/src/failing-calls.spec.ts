import { describe, expect, it } from '@jest/globals';
import { FaultyDockerPort, type DockerMethod } from '@tiny-forge/docker/testing';
import { ForgeError } from '@tiny-forge/contracts/domain';
import { interceptFsPort, type FsCallName } from './ports/fs-port.ts';
import { explore } from './testing/crash/explore.ts';
import { CrashWorld } from './testing/crash/crash-world.ts';
import { SHAPES } from './testing/crash/shapes.ts';
import { engineOn, realEngine } from './testing/crash/simulated-engine.ts';
import { goForward } from './testing/crash/walks.ts';
import { isProof, oneIn } from './testing/proof.ts';
import { proofNote } from './testing/proof-note.ts';

const MINUTES = 60_000;
const stride = oneIn(11, 6);
const shapes = { outer: SHAPES['2 volumes on 2 file systems'], inner: SHAPES['a mount point'] };

/** What each call may answer, by its manual page, as far as a host in trouble gives it. */
const ERRORS: Readonly<Partial<Record<FsCallName, readonly string[]>>> = {
  stat: ['EIO', 'EACCES'],
  readDirectory: ['EIO', 'EMFILE'],
  readFile: ['EIO', 'EMFILE'],
  space: ['EIO'],
  fileSystemNames: ['EIO'],
  mountInfo: ['EMFILE'],
  mkdir: ['ENOSPC', 'EDQUOT', 'EROFS', 'EPERM'],
  rename: ['EBUSY', 'EXDEV', 'EPERM', 'EROFS', 'ENOSPC', 'EIO'],
  unlink: ['EBUSY', 'EPERM', 'EIO'],
  rmdir: ['EBUSY', 'EPERM', 'EIO'],
  chmod: ['EPERM', 'EROFS'],
  chown: ['EPERM', 'EROFS', 'EDQUOT'],
  touch: ['EPERM', 'EROFS'],
  link: ['EMLINK', 'EPERM', 'ENOSPC'],
  create: ['EMFILE', 'ENOSPC', 'EIO'],
  open: ['EMFILE', 'EIO'],
  write: ['ENOSPC', 'EDQUOT', 'EIO', 'EINTR'],
  sync: ['EIO', 'ENOSPC', 'EDQUOT'],
  close: ['EIO'],
  syncDirectory: ['EIO', 'EMFILE'],
  syncFileSystem: ['EIO', 'ENOSPC'],
};

describe('one call of a restore fails once, in every way it can: the restore ends, all old or all new', () => {
  it.each([
    ['outer', 'before'],
    ['outer', 'after'],
    ['inner', 'before'],
    ['inner', 'after'],
  ] as const)(
    '%s swap, %s its effect',
    async (kind, how) => {
      let faults = 0;
      for (let at = 1; ; at += stride) {
        let name: FsCallName | null = null;
        for (let n = 0; n < (name === null ? 1 : (ERRORS[name as FsCallName]?.length ?? 0)); n++) {
          let code = '';
          const fault = (world: CrashWorld) => {
            let count = 0;
            return interceptFsPort(world.fs, async (call, proceed) => {
              if (++count !== at) return proceed();
              name = call.name;
              code = ERRORS[call.name]?.[n] ?? '';
              if (code === '') return proceed();
              faults++;
              if (how === 'after') await proceed();
              throw Object.assign(new Error(`injected into ${call.name}`), { code });
            });
          };
          const { failures } = await explore(shapes[kind], { depth: 0, fault });
          expect({ at, name, code, failures }).toEqual({ at, name, code, failures: [] });
        }
        if (name === null) break;
      }
      expect(faults).toBeGreaterThan(50);
      proofNote(`${kind} swap, ${faults} failing calls, ${how} their effect: the restore ends, all old or all new`);
    },
    15 * MINUTES,
  );
});

describe('the Engine fails, hangs or loses a container at one call of a restore', () => {
  const away = () => new ForgeError({ code: 'DOCKER_AWAY', params: { why: 'injected' } });
  const slow = () => new ForgeError({ code: 'STOP_TIMEOUT', params: { container: 'app', seconds: 1 } });
  const methods: readonly DockerMethod[] = ['stopContainer', 'startContainer'];

  it.each([
    ['away before the call', { how: 'before', error: away }],
    ['away after the call: it happened', { how: 'after', error: away }],
    ['a container that does not stop or start', { how: 'before', error: slow, methods }],
  ] as const)(
    '%s: the restore ends, all old or all new',
    async (name, fault) => {
      let faults = 0;
      for (let at = 1; ; at++) {
        const ports: FaultyDockerPort[] = [];
        const { failures } = await explore(SHAPES['1 volume'], {
          depth: isProof ? 1 : 0,
          dockerFault: (world) => {
            const faulty = new FaultyDockerPort(world.docker, { ...fault, at });
            ports.push(faulty);
            return faulty.port;
          },
        });
        expect({ at, failures }).toEqual({ at, failures: [] });
        if (!ports.some((port) => port.faulted)) break;
        faults++;
      }
      expect(faults).toBeGreaterThan(0);
      proofNote(`Engine, ${name}: ${faults} calls`);
    },
    15 * MINUTES,
  );

  it(
    'a container that vanishes before a call: what ran before is deployed again, or the new one runs',
    async () => {
      let vanished = 0;
      for (let at = 1; ; at++) {
        let hit = false;
        const { failures } = await explore(SHAPES['1 volume'], {
          depth: isProof ? 1 : 0,
          dockerFault: (world) => {
            let count = 0;
            return new Proxy(world.docker, {
              get: (target, property) => {
                const method: unknown = Reflect.get(target, property, target);
                if (typeof method !== 'function') return method;
                return async (...args: unknown[]) => {
                  if (++count === at) {
                    hit = true;
                    const app = target.all().find((one) => one.name === 'app');
                    if (app) await target.removeContainer(app.id, { force: true });
                  }
                  return Reflect.apply(method, target, args) as unknown;
                };
              },
            });
          },
        });
        // Gone before anything was recorded of it, there is nothing to bring back.
        const unexpected = failures.filter((one) => !one.includes('0 containers run instead of 1'));
        expect({ at, unexpected }).toEqual({ at, unexpected: [] });
        if (!hit) break;
        vanished++;
      }
      expect(vanished).toBeGreaterThan(10);
      proofNote(`Engine, the container vanishes: before ${vanished} calls`);
    },
    15 * MINUTES,
  );

  it('one that hangs ends with the signal of the step, and the next try goes on', async () => {
    for (const method of ['stopContainer', 'setRestartPolicy', 'listContainers', 'inspectContainer'] as const) {
      const { world, plan } = await CrashWorld.build(SHAPES['1 volume']);
      const quiet = engineOn(world, { fs: world.fs, docker: world.docker, make: realEngine });
      await quiet.extract(plan, { signal: new AbortController().signal, onProgress: () => undefined });
      const hanging = new FaultyDockerPort(world.docker, { at: 1, how: 'hang', methods: [method] });
      const engine = engineOn(world, { fs: world.fs, docker: hanging.port, make: realEngine });
      const stuck = engine.stop(plan, { signal: AbortSignal.timeout(50), onProgress: () => undefined });
      await expect(stuck).rejects.toMatchObject({ code: 'CANCELLED' });
      expect(hanging.faulted).toBe(true);
      await goForward(engine, world, plan, 'forward');
      expect(world.side()).toBe('new');
      expect(world.violations).toEqual([]);
    }
  });
});
