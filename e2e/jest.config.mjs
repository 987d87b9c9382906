import { projectPreset } from '../jest.preset.mjs';

// Real processes share two cores and some tests measure memory: one file at a time. A test that fails may leave a connection
// open, and a run that never ends tells nobody why.
export default projectPreset('e2e', { testTimeout: 180_000, maxWorkers: 1, forceExit: true });
