import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR } from '@nestjs/core';
import { AuthController } from './auth/auth.controller.ts';
import { PipelineInterceptor } from './http/pipeline.interceptor.ts';
import { ProblemFilter } from './http/problem.filter.ts';
import type { OperationGateway } from './operations/operation-gateway.ts';
import { OperationsController } from './operations/operations.controller.ts';
import { GATEWAY, PARTS, type Parts } from './parts.ts';
import { Services } from './services.ts';
import { ContentsController } from './snapshots/contents.controller.ts';
import { SnapshotsController } from './snapshots/snapshots.controller.ts';
import { Metrics } from './system/metrics.ts';
import type { ReadinessProbe } from './system/readiness.ts';
import { SystemController } from './system/system.controller.ts';
import { WorkloadsController } from './workloads/workloads.controller.ts';

@Module({})
export class AppModule {
  static of(parts: Parts, gateway: OperationGateway, readiness: ReadinessProbe): DynamicModule {
    const services = new Services(parts, gateway, readiness);
    return {
      module: AppModule,
      controllers: [
        AuthController,
        WorkloadsController,
        SnapshotsController,
        ContentsController,
        OperationsController,
        SystemController,
      ],
      providers: [
        { provide: PARTS, useValue: parts },
        { provide: GATEWAY, useValue: gateway },
        { provide: Services, useValue: services },
        { provide: Metrics, useValue: new Metrics(parts, readiness, services.streams) },
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_INTERCEPTOR, useClass: PipelineInterceptor },
      ],
    };
  }
}
