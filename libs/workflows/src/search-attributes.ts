import { defineSearchAttributeKey } from '@temporalio/common';

/** Keyword attributes of both workflow types; a namespace on SQL holds ten. The server ensures them at boot. */
export const searchAttributes = {
  installation: defineSearchAttributeKey('Installation', 'KEYWORD'),
  workloadId: defineSearchAttributeKey('WorkloadId', 'KEYWORD'),
  opKind: defineSearchAttributeKey('OpKind', 'KEYWORD'),
  opState: defineSearchAttributeKey('OpState', 'KEYWORD'),
  opStep: defineSearchAttributeKey('OpStep', 'KEYWORD'),
} as const;
