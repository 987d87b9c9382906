export { fakeSourceType, fakeVolumeScope } from './fakes.ts';
export { faultySourceType, faultyVolumeScope, type PluginFault } from './faulty-plugins.ts';
export { sourceTypeContract, type SourceTypeContractOptions } from './source-type-contract.ts';
export { volumeScopeContract, type VolumeScopeContractOptions } from './volume-scope-contract.ts';
