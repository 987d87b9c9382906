import type { Plugin } from '@tiny-forge/plugin-api';
import { fakeSourceType, fakeVolumeScope } from '@tiny-forge/plugin-api/testing';

/** For houses inside Jest; a child process needs no plugin and could not load these. */
export const fakePlugins = (volumes: string): readonly Plugin[] => [fakeVolumeScope(volumes), fakeSourceType()];
