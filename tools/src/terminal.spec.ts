import { expect, it } from '@jest/globals';
import { recordingTerminal } from '../testing/fake-machine.ts';
import { ProvisionError } from './provision-error.ts';
import { formatFailure, reportFailure } from './terminal.ts';

const failure = {
  code: 'DOCKER_MISSING',
  what: 'the Docker Engine is missing',
  why: 'there is no DOCKER_HOST and no /var/run/docker.sock',
  getIt: ['sudo apt-get install -y docker.io', 'DOCKER_HOST=tcp://host:2375 npm start'],
  log: ['E: locked'],
} as const;

it('shows what, why, each cure, what to repeat, and the log', () => {
  expect(formatFailure('Tiny Forge did not start', failure, 'npm start')).toBe(
    [
      '',
      'Tiny Forge did not start: the Docker Engine is missing.',
      '  why        there is no DOCKER_HOST and no /var/run/docker.sock',
      '  do         sudo apt-get install -y docker.io',
      '  or         DOCKER_HOST=tcp://host:2375 npm start',
      '  then       npm start',
      '  log        last lines:',
      '    E: locked',
    ].join('\n'),
  );
});

it('shows an expected failure without a stack and lets any other pass', () => {
  const terminal = recordingTerminal();
  reportFailure('It did not start', new ProvisionError(failure), 'npm start', terminal);
  expect(terminal.text()).not.toMatch(/\bat .*:\d+/);
  const ours = new TypeError('a bug');
  expect(() => reportFailure('It did not start', ours, 'npm start', terminal)).toThrow(ours);
});

it('aligns what it says', () => {
  const terminal = recordingTerminal();
  terminal.say('docker', '20.10');
  terminal.say('', 'more');
  expect(terminal.text()).toBe('  docker     20.10\n             more\n');
});
