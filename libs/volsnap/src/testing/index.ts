export { CountingFsPort } from './counting-fs-port.ts';
export { FailingFsPort, type FsFault } from './failing-fs-port.ts';
export { killingFsPort } from './killing-fs-port.ts';
export { loggingFsPort } from './logging-fs-port.ts';
