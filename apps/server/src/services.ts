import { Injectable } from '@nestjs/common';
import { Streams } from './events/streams.ts';
import type { OperationGateway } from './operations/operation-gateway.ts';
import { OperationPresenter } from './operations/operation-presenter.ts';
import { OperationService } from './operations/operation-service.ts';
import { Submissions } from './operations/submission.ts';
import type { Parts } from './parts.ts';
import { RestoreService } from './restore/restore-service.ts';
import { ImportService } from './snapshots/import-service.ts';
import { OpenArchives } from './snapshots/open-archives.ts';
import { SnapshotContents } from './snapshots/snapshot-contents.ts';
import type { ReadinessProbe } from './system/readiness.ts';
import { LiveStatus } from './workloads/live-status.ts';
import { WorkloadPresenter } from './workloads/workload-presenter.ts';
import { WorkloadService } from './workloads/workload-service.ts';

/** What controllers work with, built once from the parts. */
@Injectable()
export class Services {
  readonly bootId: string;
  readonly readiness: ReadinessProbe;
  readonly status: LiveStatus;
  readonly workloads: WorkloadService;
  readonly workloadPresenter: WorkloadPresenter;
  readonly operationPresenter: OperationPresenter;
  readonly submissions: Submissions;
  readonly restores: RestoreService;
  readonly operations: OperationService;
  readonly streams: Streams;
  readonly archives: OpenArchives;
  readonly contents: SnapshotContents;
  readonly imports: ImportService;

  constructor(parts: Parts, gateway: OperationGateway, readiness: ReadinessProbe) {
    this.bootId = parts.newId();
    this.readiness = readiness;
    this.status = new LiveStatus(parts);
    this.workloads = new WorkloadService(parts);
    this.workloadPresenter = new WorkloadPresenter(parts, this.status);
    this.operationPresenter = new OperationPresenter(parts, gateway);
    this.submissions = new Submissions(parts, gateway, readiness, this.status);
    this.restores = new RestoreService(parts, this.submissions);
    this.operations = new OperationService(parts, gateway, this.submissions, this.restores);
    this.archives = new OpenArchives({ key: parts.archiveKey });
    this.contents = new SnapshotContents(parts, this.archives);
    this.imports = new ImportService(parts, this.submissions);
    this.streams = new Streams(parts, this.operationPresenter, this.status, this.bootId);
  }
}
