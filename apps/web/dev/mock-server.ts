import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import type { Operation, Snapshot, Workload } from '@tiny-forge/contracts/domain';
import {
  BOOT,
  STEPS,
  blockers,
  folder,
  iso,
  operation,
  plan,
  snapshot,
  step,
  steps,
  uuid,
  workload,
} from './mock-data.ts';

/**
 * The REST contract from memory, to look at pages without a server. `node dev/mock-server.ts [port]`; any password but `wrong` signs in.
 * Restores walk through their steps in about ten seconds. `POST /mock/{starting|ready|expire|cut|mute}` plays trouble.
 */
const build = path.join(import.meta.dirname, '..', 'build');
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; manifest-src 'self'";

const guestbook = workload(1, 'guestbook');
const photos = workload(2, 'photos', {
  project: 'family',
  lastSnapshot: { id: uuid(201), createdAt: iso(-3_600_000 * 30), state: 'READY' },
});
const wiki = workload(3, 'wiki', { project: 'family', lastSnapshot: null });
const shop = workload(4, 'shop', {
  project: 'work',
  stage: 'dev',
  status: { state: 'absent', instances: [] },
  volumes: [],
});
const mail = workload(5, 'mail', { project: 'work', status: { state: 'stopped', instances: [] } });
const cloud = workload(6, 'cloud', { project: 'family' });
const all = new Map<string, Workload>([guestbook, photos, wiki, shop, mail, cloud].map((w) => [w.id, w]));

const snaps: Snapshot[] = [
  snapshot(101, guestbook.id, { note: 'before the upgrade' }),
  snapshot(102, guestbook.id, {
    kind: 'pre-restore',
    createdAt: iso(-40 * 3_600_000),
    expiresAt: iso(5 * 86_400_000),
    operationId: uuid(14),
    pins: [{ operationId: uuid(14), reason: 'undo' }],
  }),
  snapshot(103, guestbook.id, {
    kind: 'scheduled',
    createdAt: iso(-3 * 86_400_000),
    quiesce: 'none',
    notes: [{ code: 'SOCKET_SKIPPED', params: { path: '0/run/app.sock' } }],
  }),
  snapshot(104, guestbook.id, {
    state: 'FAILED',
    createdAt: iso(-4 * 86_400_000),
    contentBytes: null,
    entries: null,
    bytes: null,
    volumes: [],
  }),
  snapshot(201, photos.id),
];

const ops = new Map<string, Operation>();
const put = (op: Operation) => ops.set(op.id, op);
put(
  operation(10, photos, {
    state: 'NEEDS_OPERATOR',
    steps: steps(5, 'FAILED').map((s, i) => (i === 4 ? { ...s, state: 'UNDOING' } : s)),
    actions: ['recheck'],
    createdAt: iso(-12 * 60_000),
    situation: { app: 'stopped', data: 'unclear', since: iso(-12 * 60_000) },
    downtime: { from: iso(-12 * 60_000), to: null },
    error: {
      code: 'ROLLBACK_FAILED',
      params: { target: '/files', why: 'EBUSY' },
      detail: '/files not put back: EBUSY.',
      state: '',
      next: '',
    },
    operatorGuide: {
      volumes: [
        { target: '/data', livePath: '/srv/data', live: 'old', otherPath: '/srv/.data.restore-7-1.new', other: 'new' },
        { target: '/files', livePath: '/srv/files', live: 'new', otherPath: '/srv/.files.restore-7.old', other: 'old' },
      ],
      commands: [
        { summary: 'What holds it', command: 'findmnt -R /srv/files' },
        {
          summary: 'Put the data of before back',
          command: 'mv -T /srv/files /srv/.files.restore-7-1.new && mv -T /srv/.files.restore-7.old /srv/files',
        },
      ],
    },
  }),
);
put(
  operation(11, cloud, {
    state: 'WAITING',
    steps: steps(5, 'WAITING'),
    actions: ['retry-step', 'abort'],
    waitingUntil: iso(252_000),
    situation: { app: 'unhealthy', data: 'restored', since: iso(-60_000) },
    error: {
      code: 'APP_UNHEALTHY',
      params: { container: 'cloud-1', seconds: 60, answer: 'HTTP 502 from /' },
      detail: '',
      state: '',
      next: '',
    },
  }),
);
const ended = (n: number, w: Workload, over: Partial<Operation>) =>
  put(operation(n, w, { endedAt: iso(-3_600_000), createdAt: iso(-3_700_000), actions: [], ...over }));
ended(12, wiki, {
  state: 'ROLLED_BACK',
  actions: ['replay'],
  steps: steps(5, 'FAILED').map((s, i) => (i === 4 ? { ...s, state: 'UNDONE' } : s)),
  situation: { app: 'running', data: 'current', since: iso(-3_600_000) },
  downtime: { from: iso(-3_663_000), to: iso(-3_600_000) },
  error: {
    code: 'APP_UNHEALTHY',
    params: { container: 'wiki-1', seconds: 60, answer: 'HTTP 502' },
    detail: '',
    state: '',
    next: '',
  },
});
ended(13, wiki, {
  state: 'FAILED',
  actions: ['replay'],
  steps: steps(0, 'FAILED'),
  situation: { app: 'running', data: 'current', since: iso(-9_000_000) },
  error: {
    code: 'INSUFFICIENT_SPACE',
    params: { mount: '/srv', need: 2_576_980_377, free: 1_207_959_552 },
    detail: '',
    state: '',
    next: '',
  },
});
delete (ops.get(uuid(13)) as { downtime?: unknown }).downtime;
ended(14, guestbook, {
  state: 'SUCCEEDED',
  actions: ['undo'],
  steps: steps(7, 'DONE', 3_670_000),
  situation: { app: 'running', data: 'restored', since: iso(-3_600_000) },
  downtime: { from: iso(-3_614_000), to: iso(-3_600_000) },
  undo: { until: iso(7 * 86_400_000), snapshotId: uuid(102) },
});
ended(15, mail, {
  kind: 'stop',
  state: 'SUCCEEDED',
  steps: [step('stopApp', { state: 'DONE', startedAt: iso(-3_700_000), endedAt: iso(-3_690_000), attempts: 1 })],
  situation: { app: 'stopped', data: 'current', since: iso(-3_690_000) },
});
for (const n of [15]) delete (ops.get(uuid(n)) as { downtime?: unknown; snapshotId?: unknown }).downtime;
put(
  operation(16, guestbook, {
    kind: 'snapshot',
    state: 'QUEUED',
    steps: [step('capture')],
    queuedBehind: uuid(17),
    actions: ['abort'],
    situation: { app: 'running', data: 'current', since: iso(-999_999) },
  }),
);
put(
  operation(18, guestbook, {
    kind: 'deploy',
    state: 'CANCELLED',
    endedAt: iso(-5000),
    steps: [step('deploy')],
    actions: ['replay'],
    situation: { app: 'running', data: 'current', since: iso(-999_999) },
  }),
);
if (process.env['MOCK_EMPTY'] === '1') {
  all.clear();
  ops.clear();
}

let starting = process.env['MOCK_STARTING'] === '1';
let expired = false;
let muted = false;
let bootId = BOOT;
let sessionOpen = process.env['MOCK_SIGNED_IN'] === '1';
const streams = new Set<{ res: http.ServerResponse; only?: string }>();

function emit(event: string, data: unknown, id?: string): void {
  if (muted) return;
  for (const stream of streams) {
    if (stream.only !== undefined && event === 'operation' && stream.only !== id) continue;
    stream.res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}
const beat = () => emit('heartbeat', { serverTime: iso(0), bootId });
setInterval(beat, 5000).unref();

function change(id: string, over: Partial<Operation>): void {
  const old = ops.get(id);
  if (old === undefined) return;
  const next = { ...old, ...over, revision: old.revision + 1, serverTime: iso(0) };
  ops.set(id, next);
  emit('operation', next, id);
  const w = all.get(next.workloadId);
  if (w) emit('workload', { id: w.id, status: w.status });
}

let counter = 500;
function runRestore(w: Workload, snap: Snapshot, kind: Operation['kind'] = 'restore'): string {
  const id = uuid(++counter);
  put(
    operation(counter, w, {
      kind,
      snapshotId: snap.id,
      snapshotCreatedAt: snap.createdAt,
      createdAt: iso(0),
      steps: STEPS.map((name) => step(name)),
      situation: { app: 'running', data: 'current', since: iso(-9e6) },
    }),
  );
  delete (ops.get(id) as { downtime?: unknown }).downtime;
  let at = 0;
  let part = 0;
  const begun: string[] = [];
  const tick = () => {
    const op = ops.get(id);
    if (op === undefined || op.state !== 'RUNNING') return;
    begun[at] ??= iso(0);
    part += 0.25;
    const bytes = at === 1 || at === 3;
    if (part > 1 || (!bytes && part > 0.5)) {
      at += 1;
      part = 0;
      begun[at] ??= iso(0);
    }
    const list = STEPS.map((name, index) =>
      step(name, {
        state: index < at ? 'DONE' : index === at ? 'RUNNING' : 'PENDING',
        startedAt: begun[index] ?? null,
        endedAt: index < at ? (begun[index + 1] ?? iso(0)) : null,
        attempts: index <= at ? 1 : 0,
        ...((index === 1 || index === 3) && index <= at
          ? {
              progress: {
                doneBytes: index < at ? 1_181_116_006 : Math.round(1_181_116_006 * part),
                totalBytes: 1_181_116_006,
                doneEntries: 4980,
                totalEntries: 4980,
              },
            }
          : {}),
      }),
    );
    const data = at < 2 ? 'current' : at < 5 ? 'staged' : 'restored';
    const app = at >= 2 && at < 6 ? 'stopped' : 'running';
    const over: Partial<Operation> = {
      steps: list,
      situation: { app, data, since: app === 'stopped' ? (begun[2] ?? iso(0)) : iso(0) },
      actions: at < 4 ? ['abort'] : [],
      ...(begun[2] === undefined ? {} : { downtime: { from: begun[2], to: begun[6] ?? null } }),
    };
    if (at >= STEPS.length)
      Object.assign(over, {
        state: 'SUCCEEDED',
        endedAt: iso(0),
        actions: ['undo'],
        undo: { until: iso(7 * 86_400_000), snapshotId: uuid(102) },
      });
    change(id, over);
    setTimeout(tick, 500);
  };
  setTimeout(tick, 300);
  return id;
}

const problem = (res: http.ServerResponse, status: number, code: string, params: object = {}, more: object = {}) => {
  res.writeHead(status, { 'content-type': 'application/problem+json' });
  res.end(
    JSON.stringify({
      type: 'about:blank',
      title: code,
      status,
      code,
      params,
      detail: code,
      state: '',
      next: '',
      ...more,
    }),
  );
};
const json = (res: http.ServerResponse, value: unknown, status = 200, headers: object = {}) => {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify(value));
};

async function api(
  req: http.IncomingMessage,
  res: http.ServerResponse,
  url: URL,
  body: Record<string, unknown>,
): Promise<void> {
  const route = `${req.method ?? ''} ${url.pathname}`;
  if (starting) return problem(res, 503, 'STARTING');
  if (route === 'POST /api/auth/login') {
    if (body['password'] === 'wrong') return problem(res, 401, 'BAD_CREDENTIALS');
    expired = false;
    sessionOpen = true;
    return json(res, { user: me.user, csrfToken: 't' });
  }
  if (expired || !sessionOpen) return problem(res, 401, 'UNAUTHENTICATED');
  if (route === 'GET /api/auth/me') return json(res, { ...me, csrfToken: 't', expiresAt: iso(8 * 3_600_000) });
  if (route === 'POST /api/auth/logout') {
    sessionOpen = false;
    return json(res, {});
  }
  if (route === 'GET /api/tokens') return json(res, { items: tokenList });
  if (route === 'POST /api/tokens') {
    tokenList.push({
      id: uuid(++counter),
      name: String(body['name']),
      permissions: body['permissions'] as string[],
      createdAt: iso(0),
      lastUsedAt: null,
    });
    return json(res, { id: uuid(counter), token: 'tf_9vJx2m0cQe7pWqLs4r8t' }, 201);
  }
  if (route === 'GET /api/system') return json(res, systemInfo);
  if (url.pathname === '/api/events' || /\/events$/.test(url.pathname)) {
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const only = /operations\/([^/]+)\/events/.exec(url.pathname)?.[1];
    const stream = only === undefined ? { res } : { res, only };
    streams.add(stream);
    req.on('close', () => streams.delete(stream));
    res.write(`event: heartbeat\ndata: ${JSON.stringify({ serverTime: iso(0), bootId })}\n\n`);
    if (only !== undefined)
      res.write(`event: operation\ndata: ${JSON.stringify({ ...ops.get(only), serverTime: iso(0) })}\n\n`);
    return;
  }
  if (route === 'GET /api/workloads') return json(res, { items: [...all.values()], nextCursor: null });
  if (route === 'POST /api/workloads') {
    if (body['name'] === 'taken')
      return problem(res, 409, 'NAME_TAKEN', { name: 'taken', project: 'demo', stage: 'prod' });
    if (body['name'] === 'bad')
      return problem(
        res,
        422,
        'VALIDATION_FAILED',
        { count: 1, fields: 'source.image' },
        { issues: [{ path: 'source.image', message: 'an image reference' }] },
      );
    const made = workload(++counter, String(body['name']), {
      ...(body as object),
      status: { state: 'absent', instances: [] },
      lastSnapshot: null,
    });
    all.set(made.id, made);
    return json(res, made, 201);
  }
  const part = url.pathname.split('/').slice(2);
  if (part[0] === 'workloads' && part[1] !== undefined) {
    const w = all.get(part[1]);
    if (w === undefined) return problem(res, 404, 'NOT_FOUND', { what: 'workload' });
    if (part[2] === undefined && req.method === 'GET') return json(res, w, 200, { etag: `"${String(w.revision)}"` });
    if (part[2] === undefined && req.method === 'PATCH') {
      Object.assign(w, body, { revision: w.revision + 1 });
      return json(res, w);
    }
    if (part[2] === 'logs')
      return json(res, {
        lines: ['2026-11-23T02:14:01Z listening on :8080', 'GET / 200', '\u001b[31merror\u001b[0m \u202egnp.exe'],
      });
    if (part[2] === 'snapshots' && part[3] === undefined) {
      if (req.method === 'POST') {
        const sid = uuid(++counter);
        const made = snapshot(counter, w.id, {
          createdAt: iso(0),
          note: (body['note'] as string | undefined) ?? null,
          state: 'CREATING',
          contentBytes: null,
          entries: null,
        });
        snaps.unshift(made);
        const opId = uuid(++counter);
        put(
          operation(counter, w, {
            kind: 'snapshot',
            snapshotId: sid,
            steps: [step('capture', { state: 'RUNNING', startedAt: iso(0), attempts: 1 })],
            createdAt: iso(0),
            situation: { app: 'running', data: 'current', since: iso(-9e6) },
            actions: [],
          }),
        );
        delete (ops.get(opId) as { downtime?: unknown }).downtime;
        setTimeout(() => {
          Object.assign(made, { state: 'READY', contentBytes: 1_181_116_006, entries: 4980 });
          change(opId, {
            state: 'SUCCEEDED',
            endedAt: iso(0),
            steps: [step('capture', { state: 'DONE', startedAt: iso(-2000), endedAt: iso(0), attempts: 1 })],
          });
        }, 2000);
        emit('operation', ops.get(opId), opId);
        return json(res, { operationId: opId, snapshotId: sid }, 202);
      }
      return json(res, { items: snaps.filter((s) => s.workloadId === w.id), nextCursor: null });
    }
    if (part[2] === 'snapshots') {
      if (part[3] === 'import') return json(res, { operationId: runRestore(w, snaps[0] as Snapshot, 'import') }, 202);
      const snap = snaps.find((s) => s.id === part[3]);
      if (snap === undefined) return problem(res, 404, 'NOT_FOUND', { what: 'snapshot' });
      if (part[4] === undefined) return json(res, snap);
      if (part[4] === 'entries') return json(res, folder(url.searchParams.get('path') ?? ''));
      if (part[4] === 'plan') {
        await new Promise((resolve) => setTimeout(resolve, 300));
        const keeps = url.searchParams.get('safety') === 'keep-old-tree';
        const warnings = [{ code: 'KEEPS_OLD_TREE', params: { days: 7 }, message: '', next: '' }];
        const more = keeps ? { planHash: 'd'.repeat(64), warnings } : {};
        return json(res, plan(snap, { ...more, ...(snap.id === uuid(103) ? { blockers } : {}) }));
      }
      if (part[4] === 'restore') return json(res, { operationId: runRestore(w, snap) }, 202);
    }
    if (part[2] === 'deploy' || part[2] === 'stop' || part[2] === 'start' || req.method === 'DELETE') {
      const busy = [...ops.values()].find((o) => o.workloadId === w.id && o.state === 'NEEDS_OPERATOR');
      if (busy) return problem(res, 409, 'WORKLOAD_HELD', { operationId: busy.id }, { operationId: busy.id });
      return json(res, { operationId: runRestore(w, snaps[0] as Snapshot, 'deploy') }, 202);
    }
  }
  if (part[0] === 'operations') {
    if (part[1] === undefined) {
      const states = url.searchParams.get('state')?.split(',');
      const items = [...ops.values()]
        .filter(
          (o) =>
            (states === undefined || states.includes(o.state)) &&
            (url.searchParams.get('workloadId') ?? o.workloadId) === o.workloadId &&
            (url.searchParams.get('kind') ?? o.kind) === o.kind,
        )
        .sort((a, b) => b.createdAt.localeCompare(a.createdAt));
      return json(res, { items: items.map((o) => ({ ...o, serverTime: iso(0) })), nextCursor: null });
    }
    const op = ops.get(part[1]);
    if (op === undefined) return problem(res, 404, 'NOT_FOUND', { what: 'operation' });
    if (part[2] === undefined) return json(res, { ...op, serverTime: iso(0) });
    if (part[2] === 'abort') {
      change(op.id, {
        state: 'ROLLED_BACK',
        endedAt: iso(0),
        actions: ['replay'],
        situation: { app: 'running', data: 'current', since: iso(0) },
        error: { code: 'ABORTED', params: { who: 'admin' }, detail: '', state: '', next: '' },
      });
      return json(res, {}, 202);
    }
    if (part[2] === 'retry-step') {
      change(op.id, { state: 'RUNNING', actions: ['abort'] });
      return json(res, {}, 202);
    }
    if (part[2] === 'recheck')
      return problem(res, 409, 'WORKLOAD_HELD', { operationId: op.id }, { operationId: op.id });
    if (part[2] === 'undo' || part[2] === 'replay')
      return json(
        res,
        {
          operationId: runRestore(
            all.get(op.workloadId) as Workload,
            snaps[0] as Snapshot,
            part[2] === 'undo' ? 'undo-restore' : op.kind,
          ),
        },
        202,
      );
  }
  return problem(res, 404, 'NOT_FOUND', { what: url.pathname });
}

const me = {
  user: {
    id: uuid(9),
    name: 'admin',
    permissions: [
      'workloads:read',
      'workloads:write',
      'workloads:deploy',
      'snapshots:read',
      'snapshots:data',
      'snapshots:write',
      'snapshots:restore',
      'operations:read',
      'operations:control',
      'system:admin',
    ],
  },
};
const tokenList: { id: string; name: string; permissions: string[]; createdAt: string; lastUsedAt: string | null }[] = [
  { id: uuid(91), name: 'nightly', permissions: ['snapshots:write'], createdAt: iso(-9e8), lastUsedAt: iso(-4e7) },
];
const partNames = ['database', 'docker', 'temporal', 'workers', 'recovery'] as const;
const systemInfo = {
  status: 'degraded',
  parts: partNames.map((name) => ({
    name,
    status: name === 'docker' ? 'away' : 'ok',
    since: name === 'docker' ? iso(-240_000) : null,
    detail: null,
    code: name === 'docker' ? 'DOCKER_AWAY' : null,
  })),
  versions: { 'tiny-forge': '0.1.0', node: '24.21.0', docker: null, temporal: '1.31.0', sqlite: '3.53.4' },
  temporalUiUrl: 'http://127.0.0.1:8233',
  sourceTypes: ['image'],
  volumeScopes: ['absolute', 'stage', 'project'],
  allowedRoots: ['/srv'],
  hosts: [
    {
      id: uuid(8),
      name: 'local',
      disks: [{ mountPoint: '/', totalBytes: 64e9, freeBytes: 19.3e9, totalInodes: 4e6, freeInodes: 3.1e6 }],
    },
  ],
};

/** An upload is no JSON. */
function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

const server = http.createServer((req, res) => {
  const url = new URL(req.url ?? '/', 'http://mock');
  res.setHeader('content-security-policy', CSP);
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => {
    const text = Buffer.concat(chunks).toString();
    const body = text === '' ? {} : parsed(text);
    if (url.pathname.startsWith('/mock/')) {
      const what = url.pathname.slice(6);
      if (what === 'starting') starting = true;
      if (what === 'ready') {
        starting = false;
        bootId = `${bootId}+`;
      }
      if (what === 'expire') expired = true;
      if (what === 'mute') muted = !muted;
      if (what === 'cut' || what === 'starting' || what === 'expire') for (const { res: r } of streams) r.destroy();
      return json(res, {});
    }
    if (url.pathname === '/readyz')
      return json(
        res,
        {
          status: starting ? 'starting' : 'ok',
          parts: partNames.map((name) => ({ name, status: starting && name === 'recovery' ? 'starting' : 'ok' })),
        },
        starting ? 503 : 200,
      );
    if (url.pathname.startsWith('/api/')) return void api(req, res, url, body);
    const file = path.join(build, path.normalize(url.pathname));
    const found =
      file.startsWith(build) && fs.existsSync(file) && fs.statSync(file).isFile()
        ? file
        : path.join(build, 'index.html');
    res.writeHead(200, {
      'content-type': TYPES[path.extname(found)] ?? 'application/octet-stream',
      'cache-control': 'no-cache',
    });
    return void fs.createReadStream(found).pipe(res);
  });
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  const address = server.address();
  console.log(`http://127.0.0.1:${String(typeof address === 'object' && address !== null ? address.port : '')}`);
});
