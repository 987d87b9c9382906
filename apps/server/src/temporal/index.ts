// temporal: the running side of the server; REST sees only OperationGateway.
export {
  createOperationsRuntime,
  type OperationsRuntime,
  type OperationsRuntimeOptions,
} from './operations-runtime.ts';
