import type { ErrorCode } from '@tiny-forge/contracts/domain';
import type { ErrorSentences } from './values.ts';

const kinds: Readonly<Record<string, string>> = {
  deploy: 'A deploy',
  stop: 'A stop',
  start: 'A start',
  rollback: 'A rollback',
  promote: 'A promotion',
  snapshot: 'A snapshot',
  import: 'An import',
  restore: 'A restore',
  'undo-restore': 'An undo of a restore',
  recover: 'A recovery',
  delete: 'A deletion',
};
const parts: Readonly<Record<string, string>> = {
  database: 'The database',
  docker: 'Docker',
  temporal: 'Temporal',
  workers: 'The workers',
  recovery: 'Recovery',
};

/** One sentence for each code of the contract: what failed. */
export const errorsEn: Readonly<Record<ErrorCode, ErrorSentences>> = {
  MALFORMED_BODY: (v) => `The request could not be read: ${v.name('why')}.`,
  BODY_TOO_LARGE: (v) => `The request is larger than ${v.bytes('limitBytes')}.`,
  UNSUPPORTED_MEDIA_TYPE: (v) => `The content type ${v.name('contentType')} is not accepted here.`,
  VALIDATION_FAILED: (v) =>
    v.number('count') === 1
      ? `One field is wrong: ${v.name('fields')}.`
      : `Some fields are wrong: ${v.name('fields')}.`,
  UNAUTHENTICATED: () => 'You are not signed in.',
  BAD_CREDENTIALS: () => 'User name or password is wrong.',
  CSRF: () => 'This page is out of date; load it again.',
  FORBIDDEN: (v) => `This needs the permission ${v.name('permission')}.`,
  NOT_FOUND: (v) => (v.has('what') ? `Not found: ${v.name('what')}.` : 'There is nothing at this address.'),
  METHOD_NOT_ALLOWED: () => 'There is nothing at this address.',
  MISDIRECTED: (v) => `The server does not go by the name ${v.name('host')}.`,
  CONFIRM_REQUIRED: (v) => `The confirmation ${v.name('header')} is missing.`,
  CONFIRM_MISMATCH: () => 'The confirmation names something else than this page. Look at the plan again.',
  PLAN_CHANGED: (v) =>
    v.has('changed')
      ? `The plan changed: ${v.raw('changed')}. Confirm again.`
      : v.has('what')
        ? `The plan changed: ${v.name('what')}. Confirm again.`
        : 'The plan changed. Confirm again.',
  REVISION_MISMATCH: () => 'Someone changed this app meanwhile. Load it again and repeat your change.',
  THROTTLED: (v) => `Too many attempts. The next one is taken in ${v.seconds('retryAfterSeconds')}.`,
  LANE_FULL: (v) => `${v.count('limit')} operations already wait for this app.`,
  IDEMPOTENCY_MISMATCH: () => 'This request was already sent with other content. Open the dialog again.',
  STARTING: () => 'Tiny Forge is starting: recovery of interrupted restores comes first.',
  SERVICE_UNAVAILABLE: (v) =>
    v.has('since')
      ? `${parts[v.raw('part')] ?? v.name('part')} silent since ${v.time('since')}; nothing began.`
      : `${parts[v.raw('part')] ?? v.name('part')} does not answer; nothing began.`,
  SUBMIT_EXPIRED: () => 'The operation was not accepted in time and will not run.',
  LANE_STUCK: () => 'The queue of this app still holds an operation that has ended.',
  INTERNAL: (v) => `Something unexpected happened. Report ${v.name('reportId')} in the server log says what.`,

  RANGE_NOT_SATISFIABLE: (v) => `The file has only ${v.bytes('size')}.`,
  ENTRY_NOT_A_FILE: (v) => `Not a file: ${v.name('entry')}. Links are not followed.`,
  ENTRY_NOT_A_FOLDER: (v) => `Not a folder: ${v.name('entry')}. Links are not followed.`,
  TOO_MANY_TRANSFERS: (v) => `${v.count('limit')} transfers of snapshot data are under way already.`,
  UPLOAD_TOO_LARGE: (v) => `The upload needs ${v.bytes('need')}; the disk allows ${v.bytes('free')}.`,
  UPLOAD_INCOMPLETE: () => 'The upload did not arrive whole.',
  UPLOAD_LOST: () => 'The uploaded file is not on this host any more.',
  IMPORT_NAMES_NO_VOLUME: (v) => `The archive does not say which of the ${v.count('count')} volumes it is.`,

  NAME_TAKEN: (v) => `An app ${v.name('name')} exists already in ${v.name('project')} / ${v.name('stage')}.`,
  OPERATION_IN_PROGRESS: (v) => `${kinds[v.raw('kind')] ?? 'An operation'} is already running.`,
  WORKLOAD_HELD: () => 'This app is held: one of its operations needs you first.',
  VOLUME_IN_USE: (v) => `The folder ${v.name('path')} is used by ${v.name('user')}.`,
  VOLUME_WOULD_MOVE: (v) => `Changing ${v.name('field')} would move the existing folder ${v.name('path')}.`,
  PAST_DECISION: () => 'The swap is under way; this can no longer be stopped. It can be undone afterwards.',
  NOT_WAITING: () => 'The operation does not wait for a decision any more.',
  NOT_REPLAYABLE: () => 'Only an operation that ended without success can be run again.',
  NOT_UNDOABLE: () => 'Only a restore that succeeded can be undone, and only until its safety snapshot goes.',
  OLD_TREE_KEPT: (v) => `There is no safety snapshot to bring back: what was replaced lies at ${v.name('paths')}.`,
  SNAPSHOT_PINNED: () => 'The snapshot is needed by an operation that can still be undone.',
  SNAPSHOT_NOT_READY: (v) => `The snapshot is not ready (${v.name('state')}).`,
  OPERATION_OPEN: (v) => `${v.name('field')} cannot be changed while an operation is open.`,

  RESTORE_BLOCKED: () => 'The restore is blocked: see what stands in the way.',
  VOLUME_NOT_IN_CONFIG: (v) => `The app no longer has ${v.name('target')}.`,
  VOLUME_CHANGED: (v) =>
    `The volume ${v.name('target')} was ${v.name('was')} when captured and is ${v.name('is')} now.`,
  VOLUME_MISSING: (v) => `The folder ${v.name('path')} does not exist.`,
  VOLUME_NOT_CAPTURABLE: (v) => `Volume ${v.count('index')} holds links its policy cannot keep: ${v.name('paths')}.`,
  VOLUME_OUTSIDE_ROOTS: (v) => `${v.name('path')} is not below an allowed folder (${v.name('roots')}).`,
  VOLUME_PATH_UNSAFE: (v) => `${v.name('path')} is not a plain, absolute path: ${v.name('why')}.`,
  VOLUME_OVERLAP: (v) => `${v.name('path')} equals, contains or lies inside ${v.name('other')}.`,
  VOLUME_FORBIDDEN: (v) => `${v.name('path')} equals, contains or lies inside ${v.name('what')}.`,
  VOLUME_IS_MOUNT_POINT: (v) =>
    `${v.name('mount')} is mounted at or below ${v.name('path')}, and this cannot be swapped.`,
  UNKNOWN_SCOPE: (v) => `The volume scope ${v.name('scope')} is not known; known are ${v.name('known')}.`,
  UNKNOWN_SOURCE_TYPE: (v) => `The source type ${v.name('type')} is not known; known are ${v.name('known')}.`,
  UNKNOWN_HOST: (v) => `The host ${v.name('host')} is not known.`,
  FS_IDENTITY: (v) =>
    `The file system of ${v.name('path')} records no birth times, so folders cannot be told apart after a crash.`,
  RENAME_REFUSED: (v) => `A test file could not be renamed in ${v.name('path')}: ${v.name('why')}.`,
  READ_ONLY_MOUNT: (v) => `${v.name('path')} is on ${v.name('mount')}, which is mounted read-only.`,
  DIRECTORY_IMMUTABLE: (v) => `${v.name('path')} has the flag ${v.name('flag')} and cannot be renamed.`,
  FS_UNSUITABLE: (v) =>
    `${v.name('path')} is on ${v.name('fileSystem')}, where a directory of a lower layer cannot be renamed.`,
  SELINUX_LABEL: (v) =>
    `${v.name('path')} is labelled ${v.name('label')}; a new directory would be labelled ${v.name('parentLabel')}, and the app could not read it.`,
  CAPABILITY_MISSING: (v) => `The server cannot restore owners and modes without ${v.name('capabilities')}.`,
  USER_NAMESPACE: (v) =>
    `The server runs in a user namespace with ${v.count('ids')} user ids, and not every owner is among them.`,
  DIRECTORY_FOREIGN_USER: (v) => `${v.name('user')} has ${v.name('path')} mounted.`,
  SAFETY_NOT_SUPPORTED: () =>
    'The old folders can be kept instead of a safety snapshot only before the swap. This step waits for something else.',
  KEEPS_OLD_TREE: (v) =>
    `There will be no safety snapshot: the replaced directories themselves are kept, for ${v.count('days')} day(s).`,
  VOLUME_SWAPPED_INSIDE: (v) =>
    `${v.name('path')} is a mount point and cannot be renamed. What lies in it is moved, entry by entry, while the app is stopped; until the restore ends the app sees folders named .restore-… in it.`,
  QUIESCE_NONE: () => 'The snapshot was taken while the app ran, without pausing it: expect what a crash would leave.',
  IMAGE_DIFFERS: (v) => `The snapshot was taken with image ${v.name('was')}; the app runs ${v.name('is')}.`,
  VOLUME_NOT_TOUCHED: (v) => `The volume ${v.name('target')} is not in this snapshot and is not touched.`,

  INSUFFICIENT_SPACE: (v) => `${v.name('mount')} needs ${v.bytes('need')}, has ${v.bytes('free')}.`,
  INSUFFICIENT_INODES: (v) => `${v.name('mount')} needs ${v.count('need')} inodes, has ${v.count('free')}.`,
  ARCHIVE_DAMAGED: (v) => `Snapshot damaged at ${v.name('entry')}.`,
  ARCHIVE_TAMPERED: () => 'Snapshot altered after capture; do not trust it.',
  ARCHIVE_MISSING: () => 'The archive file of this snapshot is missing.',
  IO_ERROR: (v) => `${v.name('call')} of ${v.name('path')} failed: ${v.name('why')}.`,
  STOP_TIMEOUT: (v) => `${v.name('container')} did not stop in ${v.seconds('seconds')}.`,
  PAUSE_TOO_LONG: (v) => `Capturing took longer than the pause limit of ${v.seconds('seconds')}; the app goes on.`,
  LIVE_DATA_UNREADABLE: (v) =>
    `Today's data cannot be copied: ${v.name('path')}: ${v.name('why')}. The app was not stopped.`,
  SAFETY_SNAPSHOT_FAILED: (v) => `Today's data cannot be copied: ${v.name('why')}.`,
  IMAGE_MISSING: (v) => `Image ${v.name(v.has('digest') ? 'digest' : 'image')} is not here nor in the registry.`,
  APP_UNHEALTHY: (v) => `${v.name('container')} not healthy in ${v.seconds('seconds')}: ${v.name('answer')}.`,
  APP_EXITED: (v) => `${v.name('container')} ended with code ${v.name('exitCode')} before it was healthy.`,
  DEPLOY_FAILED: (v) => `Docker refused: ${v.name('why')}.`,
  PORT_TAKEN: (v) => `Port ${v.name('port')} of the host is taken.`,
  CONTAINER_APPEARED: (v) => `${v.name('container')} uses ${v.name('path')}, which is being replaced.`,
  DATA_CHANGED: (v) => `${v.name('path')} is not the folder that was checked.`,
  TX_STATE: (v) => `The journal forbids the step ${v.name('step')}; it is undone.`,
  TX_ROLLED_BACK: () => 'The change is already being rolled back.',
  TX_OPEN: () => 'An earlier restore of this app is still open.',
  TX_CORRUPT: (v) => `The journal ${v.name('path')} is corrupt at byte ${v.count('offset')}.`,
  ROLLBACK_FAILED: (v) => `${v.name('target')} not put back: ${v.name('why')}.`,
  UNDO_FAILED: (v) => `Going back failed in ${v.name('step')}: ${v.name('why')}.`,
  WRONG_HOST: (v) => `This host is ${v.name('host')}; the work is for ${v.name('expected')}.`,
  WORKLOAD_GONE: () => 'The app was deleted.',
  DOCKER_AWAY: () => 'Docker does not answer.',
  DOCKER_NOT_ON_THIS_HOST: (v) =>
    v.has('dockerHost')
      ? `The Docker Engine at ${v.name('dockerHost')} does not see the files of this host.`
      : 'The Docker Engine does not see the files of this host.',
  HOST_OFFLINE: (v) => `Host ${v.name('host')} is silent: none of its workers took the step.`,
  LOST_BY_TEMPORAL: () => 'Temporal no longer knows this operation; it had touched nothing.',
  RECOVERED: () => 'The operation was interrupted; a recovery ended it.',
  ABORTED: (v) => (v.has('who') ? `Stopped by ${v.name('who')}.` : 'Stopped by a person.'),
  WAIT_ENDED: (v) => `Nobody decided within ${v.seconds('seconds')}.`,
  CANCELLED: () => 'The step was cancelled.',

  SETTING_UNKNOWN: (v) => `The setting ${v.name('name')} is not known.`,
  SETTING_INVALID: (v) => `The setting ${v.name('name')} is wrong: ${v.name('allowed')}.`,
  DATA_DIR_IN_USE: (v) => `The data folder ${v.name('path')} is used by process ${v.name('pid')}.`,
  DATA_DIR_UNUSABLE: (v) => `The data folder ${v.name('path')} cannot be used: ${v.name('why')}.`,
};
