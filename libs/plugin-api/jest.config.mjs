import { projectPreset } from '../../jest.preset.mjs';

export default projectPreset('plugin-api');
