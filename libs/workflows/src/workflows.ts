/** Entry of the workflow bundle: every export is a workflow type. */
export { lane } from './lane.workflow.ts';
export { operation } from './operation.workflow.ts';
