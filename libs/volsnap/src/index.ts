export type * from './restore-engine.ts';
