import { projectPreset } from '../jest.preset.mjs';

export default projectPreset('tools');
