import { FaultyDockerPort, dockerPortContract } from './testing/index.ts';

dockerPortContract('DockerodePort', (bench) => bench.docker);
dockerPortContract('FaultyDockerPort without a fault', (bench) => new FaultyDockerPort(bench.docker).port);
