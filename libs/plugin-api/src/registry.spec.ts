import { describe, expect, test } from '@jest/globals';
import { PluginRegistry } from './registry.ts';
import { fakeSourceType, fakeVolumeScope } from './testing/index.ts';

describe('PluginRegistry', () => {
  const registry = new PluginRegistry([
    fakeVolumeScope('/srv'),
    fakeVolumeScope('/srv', { id: 'other' }),
    fakeSourceType(),
  ]);

  test('lists and finds what was registered', () => {
    expect([registry.scopeIds, registry.sourceTypeIds]).toEqual([['fake', 'other'], ['fake']]);
    expect(registry.scope('other').plugin.id).toBe('other');
    expect(registry.sourceType('fake').instance).toBe(registry.sourceType('fake').instance);
  });

  test('what is unknown is named with what is known', () => {
    expect(() => registry.scope('named')).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_SCOPE', params: { scope: 'named', known: 'fake, other' } }),
    );
    expect(() => registry.sourceType('compose')).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_SOURCE_TYPE', params: { type: 'compose', known: 'fake' } }),
    );
  });

  test('a duplicate id or an unknown API version stops the start', () => {
    expect(() => new PluginRegistry([fakeSourceType(), fakeSourceType()])).toThrow(/two plugins/);
    expect(() => new PluginRegistry([{ ...fakeSourceType(), apiVersion: 2 as never }])).toThrow(/API version 2/);
  });

  test('a scope and a source type may share a word', () => {
    expect(new PluginRegistry([fakeVolumeScope('/srv'), fakeSourceType()]).scopeIds).toEqual(['fake']);
  });
});
