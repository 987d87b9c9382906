import type { Plugin } from '@tiny-forge/plugin-api';
import { fakeSourceType, fakeVolumeScope } from '@tiny-forge/plugin-api/testing/fakes';

export const fakePlugins = (volumes: string): readonly Plugin[] => [fakeVolumeScope(volumes), fakeSourceType()];
