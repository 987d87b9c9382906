import { projectPreset } from '../../jest.preset.mjs';

export default projectPreset('scope-host');
