// deployer: plan (pure) -> apply (effects), health gate, one dispatch for every entry point.
export type { ServingInstance } from './apply-deploy.ts';
export { systemClock, type Clock } from './clock.ts';
export {
  Deployer,
  type DeployerPorts,
  type DispatchInput,
  type DispatchResult,
  type RevertInput,
  type StopInput,
} from './deployer.ts';
export { awaitHealthy, type GateInput } from './health-gate.ts';
export {
  planDeploy,
  type DeployAction,
  type DeployCause,
  type DeployPlan,
  type DeployPlanInput,
  type ExistingInstance,
  type PlannedService,
} from './plan-deploy.ts';
