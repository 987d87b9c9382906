export { FaultyDockerPort, type DockerCall, type DockerMethod, type Fault } from './faulty-docker-port.ts';
export { testBusybox, testDocker, type TestDocker } from './test-docker.ts';
export { dockerLifecycleContract, type LifecycleBench } from './docker-lifecycle-contract.ts';
export { dockerPortContract } from './docker-port-contract.ts';
export { SimulatedDocker, type SimulatedHost } from './simulated-docker.ts';
