import { describe, expect, it } from '@jest/globals';
import { hostCheck, hostOf } from './host-names.ts';

const machine = (): string[] => ['forge-box', '192.168.7.4', 'fe80::1%eth0', '127.0.0.1'];
const accepts = (configured: string, header: string | undefined): boolean =>
  hostCheck(configured, machine).accepts(header);

describe('hostOf', () => {
  it.each([
    ['localhost', 'localhost'],
    ['LOCALHOST:80', 'localhost'],
    ['forge.lan.', 'forge.lan'],
    ['[::1]:4400', '::1'],
    ['[::1]', '::1'],
    ['::1', null],
    ['a b', null],
    ['evil@localhost', null],
    ['localhost:x', null],
    ['', null],
    [undefined, null],
  ])('%s is %s', (header, host) => {
    expect(hostOf(header)).toBe(host);
  });
});

describe('a server', () => {
  it.each([
    ['127.0.0.1', ['127.0.0.1', 'localhost:4400', '[::1]'], ['192.168.7.4', 'forge-box', 'evil.example']],
    ['localhost', ['localhost', '127.0.0.1'], ['forge-box']],
    ['::1', ['[::1]:4400', 'localhost'], ['192.168.7.4']],
    ['192.168.7.4', ['192.168.7.4:4400'], ['localhost', 'forge-box', '10.0.0.1']],
    ['forge.lan', ['forge.lan', 'FORGE.LAN:1', 'forge.lan.'], ['localhost', 'x.forge.lan']],
    [
      '0.0.0.0',
      ['localhost', '127.0.0.1', '192.168.7.4:4400', 'forge-box', '[fe80::1]'],
      ['evil.example', '8.8.8.8', 'forge-box.evil.example'],
    ],
    ['::', ['localhost', '192.168.7.4'], ['evil.example']],
  ])('that listens on %s takes its own names and no others', (configured, own, foreign) => {
    expect(own.filter((header) => !accepts(configured, header))).toEqual([]);
    expect(foreign.filter((header) => accepts(configured, header))).toEqual([]);
  });

  it('knows whether only this machine can reach it', () => {
    const isLoopback = (configured: string): boolean => hostCheck(configured, machine).listensOnLoopbackOnly;
    expect(['127.0.0.1', '127.8.9.1', 'localhost', '::1'].every(isLoopback)).toBe(true);
    expect(['0.0.0.0', '::', '192.168.7.4', 'forge.lan'].some(isLoopback)).toBe(false);
  });
});
