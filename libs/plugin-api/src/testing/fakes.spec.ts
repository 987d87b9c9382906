import { fakeVolumeScope, faultyVolumeScope, volumeScopeContract, type VolumeScopeContractOptions } from './index.ts';

const options: VolumeScopeContractOptions = {
  good: () => ['one', 'two'],
  bad: () => ['..', '.', '', 'a/b', '/etc', 'UPPER'],
  perWorkload: false,
};

volumeScopeContract((root) => fakeVolumeScope(root), options);
volumeScopeContract(
  (root) => faultyVolumeScope(fakeVolumeScope(root), { at: Infinity, error: () => new Error('never') }),
  options,
);
