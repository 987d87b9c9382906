import { applyDecorators, Delete, Get, HttpCode, Patch, Post } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { z } from 'zod';
import type { Permission } from '@tiny-forge/contracts/domain';
import type { OperationRecord, SnapshotRecord, WorkloadRecord } from '../state/index.ts';
import type { Principal } from './principal.ts';

/** What the address names, loaded before the body is read. */
export interface Resources {
  readonly workload?: WorkloadRecord;
  readonly snapshot?: SnapshotRecord;
  readonly operation?: OperationRecord;
}

export interface Confirmation {
  readonly header: string;
  readonly expected: string;
}

export interface Answer {
  readonly status: number;
  readonly description: string;
  /** Absent: no body. */
  readonly schema?: z.ZodType;
  /** Other than JSON. */
  readonly contentType?: string;
}

/** One address of the API as data: routing, refusals in their order, and the OpenAPI document all read it. */
export interface Endpoint {
  /** `operationId` in OpenAPI and verb in the audit. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: `/api/${string}`;
  readonly summary: string;
  readonly tag: string;
  /** `open`: without credentials; `signed-in`: any permission. */
  readonly access: 'open' | 'signed-in' | Permission;
  /** For whom the address does not exist: who lacks both this and `access` gets 404 instead of 403. */
  readonly readAccess?: Permission;
  /** What `:id` (and `:sid`) name. */
  readonly resource?: 'workload' | 'snapshot' | 'operation';
  readonly body?: z.ZodType;
  readonly query?: z.ZodType;
  /** The body is read by the handler as it comes, whatever its size. */
  readonly streamed?: true;
  /** The header that must repeat an id; null: not needed for this request. */
  readonly confirm?: (request: { readonly resources: Resources; readonly query: unknown }) => Confirmation | null;
  /** Takes an `Idempotency-Key`. */
  readonly idempotent: boolean;
  readonly answers: readonly Answer[];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    endpoint?: Endpoint;
  }
  interface FastifyRequest {
    forge: RequestFacts;
  }
}

/** What the pipeline has found out about a request so far. */
export interface RequestFacts {
  principal: Principal | null;
  resources: Resources;
  /** The address names nothing, but an idempotent answer may be stored for it. */
  missing: Error | null;
  body: unknown;
  query: unknown;
  /** Record of the audit made inside a transaction; concluded with the answer. */
  auditId: number | null;
  auditDetails: Record<string, string | number | boolean | null>;
  /** Set while this request runs under an Idempotency-Key. */
  idempotency: {
    readonly principal: string;
    readonly method: string;
    readonly path: string;
    readonly key: string;
  } | null;
  /** Code of the refusal, for the audit. */
  outcome: string | null;
}

const METHODS = { GET: Get, POST: Post, PATCH: Patch, DELETE: Delete };

/** Makes a controller's method the handler of an endpoint. Its first answer below 300 is the status of success. */
export function Handles(endpoint: Endpoint): MethodDecorator {
  return applyDecorators(
    METHODS[endpoint.method](endpoint.path),
    HttpCode(endpoint.answers[0]?.status ?? 200),
    RouteConfig({ endpoint }),
  );
}
