export type { ErrorView, OperationInput, OperationView, StepView } from './operation-types.ts';
