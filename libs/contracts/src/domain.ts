// The zod-free door: everything the workflow sandbox, workers and archive-safe need. Types of schemas are erased.
export { ForgeError, isForgeError, renderDetail, type ErrorParams, type ForgeErrorInit } from './error.ts';
export { ERRORS, ERROR_KINDS, type ErrorCode, type ErrorEntry, type ErrorKind } from './error-catalogue.ts';
export { SETTINGS, parseSettings, type Role, type Setting, type Settings } from './settings.ts';
export * from './words.ts';
export type * from './types.ts';
