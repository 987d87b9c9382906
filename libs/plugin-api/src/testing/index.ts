export { fakeSourceType, fakeVolumeScope } from './fakes.ts';
