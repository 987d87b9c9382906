import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { workflowIds } from '@tiny-forge/contracts/domain';
import { checkout, childEnvironment, nodeBinary } from './harness/environment.ts';
import { ApiClient, send } from './harness/http-client.ts';
import { PASSWORD, Stack } from './harness/stack.ts';
import { NAMESPACE } from './harness/temporal-server.ts';
import { TestWorkload } from './harness/test-workload.ts';
import { eventually } from './harness/waiting.ts';

const recorded = (name: string): string =>
  path.join(checkout, 'libs', 'workflows', 'histories', '0.1.0', `${name}.json`);

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** As `npm run` starts it, with the settings of the stack. */
function command(stack: Stack, script: string, args: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(nodeBinary, [path.join('tools', `${script}.mjs`), ...args], {
      cwd: checkout,
      env: childEnvironment({
        TINY_FORGE_DATA: stack.dataDir,
        TEMPORAL_ADDRESS: stack.temporal.address,
        TEMPORAL_NAMESPACE: NAMESPACE,
      }),
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
}

describe('commands for the worst day', () => {
  let stack: Stack;
  let operationId: string;

  beforeAll(async () => {
    stack = await Stack.start();
    const { app, snapshotId } = await TestWorkload.withSnapshot(stack);
    operationId = (await app.done(await app.restore(snapshotId), 'SUCCEEDED')).id;
    // The row ends in the workflow's last activity; its last task follows, and a history is whole only then.
    const workflow = workflowIds.operation(stack.installation, operationId);
    await eventually('Temporal calls it closed', async () => (await stack.temporal.statusOf(workflow)) === 'COMPLETED');
  });
  afterAll(() => stack.destroy());

  describe('npm run replay', () => {
    it('of an operation that Temporal has: deterministic', async () => {
      const { code, stdout } = await command(stack, 'replay', [operationId]);
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^deterministic: \d+ events/) });
    });

    it('of a history in which a step has another name: exit 1, and the step is named', async () => {
      const file = path.join(stack.folder, 'renamed.json');
      const history = fs.readFileSync(recorded('restore-success'), 'utf8');
      expect(history).toContain('"activityType":{"name":"swap"}');
      fs.writeFileSync(
        file,
        history.replace('"activityType":{"name":"swap"}', '"activityType":{"name":"swapOfYesterday"}'),
      );
      expect((await command(stack, 'replay', [recorded('restore-success')])).code).toBe(0);
      const { code, stdout } = await command(stack, 'replay', [file]);
      expect(code).toBe(1);
      expect(stdout).toMatch(/^not deterministic: workflow operation differs at step swapOfYesterday \(event \d+\)/);
    });

    it.each([
      ['no such operation', '00000000-0000-4000-8000-000000000000'],
      ['a file that holds no history', path.join(checkout, 'package.json')],
    ])('%s: exit 2 with the reason on stderr', async (_what, argument) => {
      const { code, stdout, stderr } = await command(stack, 'replay', [argument]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/no such operation|not a Temporal history/);
    });

    it('of an operation that Temporal forgot: from what was stored when it ended', async () => {
      await stack.temporal.kill();
      await stack.temporal.deleteDatabase();
      await stack.temporal.up();
      const { code, stdout } = await command(stack, 'replay', [operationId]);
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^deterministic/) });
    });
  });

  it('npm run admin:reset-password: the new password is taken, the old one and its sessions are not', async () => {
    const session = await ApiClient.login(stack.port, 'admin', PASSWORD);
    const next = 'a wholly different battery';
    const { code, stdout } = await command(stack, 'reset-password', ['--stdin'], `${next}\n`);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'password of admin set\n' });
    expect((await session.get('/api/auth/me')).status).toBe(401);
    const login = (password: string): Promise<{ status: number }> =>
      send(stack.port, {
        method: 'POST',
        path: '/api/auth/login',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username: 'admin', password }),
      });
    expect((await login(PASSWORD)).status).toBe(401);
    expect((await login(next)).status).toBe(200);

    const made = await command(stack, 'reset-password', []);
    const printed = /^new password of admin: (\S+)$/m.exec(made.stdout)?.[1] ?? '';
    expect((await login(printed)).status).toBe(200);
    const unknown = await command(stack, 'reset-password', ['nobody']);
    expect({ code: unknown.code, stderr: unknown.stderr }).toEqual({ code: 2, stderr: 'no user nobody\n' });
  });
});
