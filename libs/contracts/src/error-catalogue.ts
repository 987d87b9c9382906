/** Closed set of kinds. Each has one HTTP status (apps/server) and one way into Temporal (retryable or not). */
export const ERROR_KINDS = [
  'malformed', // 400
  'unauthenticated', // 401
  'forbidden', // 403
  'not-found', // 404
  'conflict', // 409
  'precondition', // 412
  'too-large', // 413
  'unsupported', // 415
  'unsatisfiable', // 416
  'misdirected', // 421
  'invalid', // 422
  'blocked', // 422
  'precondition-required', // 428
  'throttled', // 429
  'unavailable', // 503
  'exhausted', // in an operation: out of space, inodes, descriptors
  'damaged', // in an operation: an archive that is not what was written
  'tampered', // in an operation: an archive altered after capture
  'timeout', // in an operation
  'state', // in an operation: the journal forbids this step
  'cancelled',
  'internal', // 500
] as const;
export type ErrorKind = (typeof ERROR_KINDS)[number];

export interface ErrorEntry {
  readonly kind: ErrorKind;
  readonly retryable?: boolean;
  /** Short English title, no parameters. */
  readonly title: string;
  /** English sentence; `{name}` is a parameter. */
  readonly detail: string;
  /** What the reader does next, English. */
  readonly next: string;
}

const retry = true;

const catalogue = {
  // requests
  MALFORMED_BODY: {
    kind: 'malformed',
    title: 'The body is not JSON',
    detail: 'The request body cannot be parsed: {why}.',
    next: 'Send a JSON object.',
  },
  BODY_TOO_LARGE: {
    kind: 'too-large',
    title: 'The body is too large',
    detail: 'The request body is larger than {limitBytes} bytes.',
    next: 'Send a smaller body.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    kind: 'unsupported',
    title: 'Unsupported content type',
    detail: 'The content type {contentType} is not accepted here.',
    next: 'Send application/json.',
  },
  VALIDATION_FAILED: {
    kind: 'invalid',
    title: 'Some fields are wrong',
    detail: '{count} field(s) of the request are wrong: {fields}.',
    next: 'Correct the fields named in issues.',
  },
  UNAUTHENTICATED: {
    kind: 'unauthenticated',
    title: 'Not signed in',
    detail: 'The request carries no valid session or token.',
    next: 'Sign in, or send a token.',
  },
  BAD_CREDENTIALS: {
    kind: 'unauthenticated',
    title: 'User name or password is wrong',
    detail: 'User name or password is wrong.',
    next: 'Try again, or run `npm run admin:reset-password` on the host.',
  },
  CSRF: {
    kind: 'forbidden',
    title: 'CSRF token missing or wrong',
    detail: 'A change made with the session cookie needs the header X-CSRF-Token of this session.',
    next: 'Send X-CSRF-Token as answered by GET /api/auth/me.',
  },
  FORBIDDEN: {
    kind: 'forbidden',
    title: 'Not permitted',
    detail: 'This needs the permission {permission}.',
    next: 'Use an account or token with that permission.',
  },
  NOT_FOUND: { kind: 'not-found', title: 'Not found', detail: '{what} does not exist.', next: 'Check the address.' },
  METHOD_NOT_ALLOWED: {
    kind: 'not-found',
    title: 'Not found',
    detail: '{what} does not exist.',
    next: 'Check the address and the method.',
  },
  MISDIRECTED: {
    kind: 'misdirected',
    title: 'Unknown host name',
    detail: 'The Host header {host} is no name of this server.',
    next: 'Use an address the server listens on.',
  },
  CONFIRM_REQUIRED: {
    kind: 'precondition-required',
    title: 'Confirmation header missing',
    detail: 'This needs the header {header} with the id of what is meant.',
    next: 'Send the header {header}.',
  },
  CONFIRM_MISMATCH: {
    kind: 'precondition',
    title: 'Confirmation header does not match',
    detail: 'The header {header} names another id than the address.',
    next: 'Open the plan again and confirm what it shows.',
  },
  PLAN_CHANGED: {
    kind: 'precondition',
    title: 'The plan changed',
    detail: 'The plan changed since it was confirmed: {what}.',
    next: 'Look at the new plan and confirm again.',
  },
  REVISION_MISMATCH: {
    kind: 'precondition',
    title: 'Changed meanwhile',
    detail: 'The workload is at revision {revision}, the request expected {expected}.',
    next: 'Load it again and repeat the change.',
  },
  THROTTLED: {
    kind: 'throttled',
    title: 'Too many attempts',
    detail: 'Too many attempts; the next one is taken in {retryAfterSeconds} s.',
    next: 'Wait, then try again.',
  },
  LANE_FULL: {
    kind: 'throttled',
    title: 'Too many operations wait',
    detail: '{limit} operations already wait for this workload.',
    next: 'Wait until some of them have ended.',
  },
  IDEMPOTENCY_MISMATCH: {
    kind: 'invalid',
    title: 'Idempotency-Key was used for another request',
    detail: 'The Idempotency-Key was used before with another body.',
    next: 'Use a new key for a new request.',
  },
  STARTING: {
    kind: 'unavailable',
    retryable: retry,
    title: 'Starting',
    detail: 'The server is starting: recovery of interrupted restores comes first.',
    next: 'Wait a few seconds.',
  },
  SERVICE_UNAVAILABLE: {
    kind: 'unavailable',
    retryable: retry,
    title: 'A part is away',
    detail: '{part} does not answer; nothing began.',
    next: 'Look at /readyz, bring {part} back, then try again.',
  },
  SUBMIT_EXPIRED: {
    kind: 'unavailable',
    retryable: retry,
    title: 'Not accepted in time',
    detail: 'The operation was not accepted before its deadline and will not run.',
    next: 'Submit it again.',
  },
  LANE_STUCK: {
    kind: 'unavailable',
    retryable: retry,
    title: 'The lane does not let go',
    detail: 'The lane of this workload still names operation {operationId}, which has ended.',
    next: 'Look at the lane in the Temporal UI; try again in a minute.',
  },
  INTERNAL: {
    kind: 'internal',
    title: 'Unexpected error',
    detail: 'An unexpected error happened; its report id is {reportId}.',
    next: 'Look into the server log for the report id.',
  },

  // snapshot data
  RANGE_NOT_SATISFIABLE: {
    kind: 'unsatisfiable',
    title: 'No such range',
    detail: 'The range does not lie inside the {size} bytes of the file.',
    next: 'Ask for a range inside the file, or for all of it.',
  },
  ENTRY_NOT_A_FILE: {
    kind: 'invalid',
    title: 'Not a file',
    detail: '{entry} is a {type}, not a file; links are not followed.',
    next: 'Ask for a file.',
  },
  ENTRY_NOT_A_FOLDER: {
    kind: 'invalid',
    title: 'Not a folder',
    detail: '{entry} is a {type}, not a folder; links are not followed.',
    next: 'Ask for a folder.',
  },
  TOO_MANY_TRANSFERS: {
    kind: 'throttled',
    title: 'Too many transfers',
    detail: '{limit} transfers of snapshot data are under way already.',
    next: 'Wait until one of them has ended.',
  },
  UPLOAD_TOO_LARGE: {
    kind: 'too-large',
    title: 'The upload is larger than the disk allows',
    detail: 'The upload needs {need} bytes; {free} may be taken, the rest of the disk is kept free.',
    next: 'Free space on the file system of the data folder, then upload again.',
  },
  UPLOAD_INCOMPLETE: {
    kind: 'malformed',
    title: 'The upload did not arrive whole',
    detail: 'The upload did not arrive whole: {why}.',
    next: 'Upload it again.',
  },
  UPLOAD_LOST: {
    kind: 'state',
    title: 'The uploaded file is gone',
    detail: 'The uploaded file is not on this host any more.',
    next: 'Upload it again.',
  },
  IMPORT_NAMES_NO_VOLUME: {
    kind: 'invalid',
    title: 'The archive names no volume',
    detail: 'The archive is one tree without a manifest, and the workload has {count} volumes it could be.',
    next: 'Upload it again and say with target which volume it is.',
  },

  // conflicts
  NAME_TAKEN: {
    kind: 'conflict',
    title: 'Name taken',
    detail: 'A workload {name} exists already in {project} / {stage}.',
    next: 'Choose another name.',
  },
  OPERATION_IN_PROGRESS: {
    kind: 'conflict',
    title: 'An operation is in progress',
    detail: 'Operation {operationId} ({kind}) is queued or running for this workload.',
    next: 'Wait for it, or open it.',
  },
  WORKLOAD_HELD: {
    kind: 'conflict',
    title: 'The workload is held',
    detail: 'Operation {operationId} needs an operator; the workload is held until it is cleared.',
    next: 'Open the operation, run its commands, then check again.',
  },
  VOLUME_IN_USE: {
    kind: 'conflict',
    title: 'A volume is in use',
    detail: 'The directory {path} is used by {user}.',
    next: 'Stop what uses it, then try again.',
  },
  VOLUME_WOULD_MOVE: {
    kind: 'conflict',
    title: 'A volume would move',
    detail: 'Changing {field} would move the existing directory {path}.',
    next: 'Remove the volume from the list, or make a new workload.',
  },
  PAST_DECISION: {
    kind: 'conflict',
    title: 'Past the decision',
    detail: 'The swap is under way; the operation cannot be aborted now.',
    next: 'Wait until it ends; it can be undone then.',
  },
  NOT_WAITING: {
    kind: 'conflict',
    title: 'Not waiting',
    detail: 'The operation does not wait for a decision.',
    next: 'Load its state again.',
  },
  NOT_REPLAYABLE: {
    kind: 'conflict',
    title: 'Not replayable',
    detail: 'Only operations that ended without success can be run again.',
    next: 'Start a new operation.',
  },
  NOT_UNDOABLE: {
    kind: 'conflict',
    title: 'Cannot be undone',
    detail: 'Only a restore that succeeded can be undone, and only until its safety snapshot goes.',
    next: 'Restore another snapshot.',
  },
  OLD_TREE_KEPT: {
    kind: 'conflict',
    title: 'To be put back by hand',
    detail: 'This restore took no safety snapshot: what it replaced lies at {paths} until {until}.',
    next: 'Stop the app, put the directories back in place by hand as docs/operating.md says, start the app.',
  },
  SNAPSHOT_PINNED: {
    kind: 'conflict',
    title: 'The snapshot is needed',
    detail: 'The snapshot is needed by operation {operationId}.',
    next: 'Wait until that operation can no longer be undone.',
  },
  SNAPSHOT_NOT_READY: {
    kind: 'conflict',
    title: 'The snapshot is not ready',
    detail: 'The snapshot {snapshotId} is {state}.',
    next: 'Choose a snapshot that is READY.',
  },
  OPERATION_OPEN: {
    kind: 'conflict',
    title: 'An operation is open',
    detail: 'The change of {field} is refused while operation {operationId} is open.',
    next: 'Wait until it ends.',
  },

  // restore blockers and configuration
  RESTORE_BLOCKED: {
    kind: 'blocked',
    title: 'The restore is blocked',
    detail: '{count} check(s) failed: {codes}.',
    next: 'Follow the next step of each blocker.',
  },
  VOLUME_NOT_IN_CONFIG: {
    kind: 'blocked',
    title: 'The workload no longer has this volume',
    detail: 'The workload no longer has a volume at {target}.',
    next: 'Add the volume again, or choose another snapshot.',
  },
  VOLUME_CHANGED: {
    kind: 'blocked',
    title: 'The volume changed',
    detail: 'The volume at {target} was {was} when captured and is {is} now.',
    next: 'Change the volume back, or choose another snapshot.',
  },
  VOLUME_MISSING: {
    kind: 'blocked',
    title: 'The directory is missing',
    detail: 'The directory {path} does not exist.',
    next: 'Create {path} on the host.',
  },
  VOLUME_NOT_CAPTURABLE: {
    kind: 'blocked',
    title: 'The volume holds what its link policy forbids',
    detail: 'Volume {index} holds entries that its link policy cannot keep: {paths}.',
    next: 'Raise links of the volume, or remove these entries.',
  },
  VOLUME_OUTSIDE_ROOTS: {
    kind: 'invalid',
    title: 'Outside the allowed roots',
    detail: '{path} is not below an allowed root ({roots}).',
    next: 'Add a root to TINY_FORGE_ALLOWED_ROOTS and restart, or choose another path.',
  },
  VOLUME_PATH_UNSAFE: {
    kind: 'invalid',
    title: 'Not a safe path',
    detail: '{path} is not a canonical path: {why}.',
    next: 'Give the canonical absolute path, without symlinks, `.` or `..`.',
  },
  VOLUME_OVERLAP: {
    kind: 'invalid',
    title: 'Volumes overlap',
    detail: '{path} equals, contains or lies inside {other}.',
    next: 'Choose directories that do not contain each other.',
  },
  VOLUME_FORBIDDEN: {
    kind: 'invalid',
    title: 'Forbidden directory',
    detail: '{path} equals, contains or lies inside {what}.',
    next: 'Choose another directory.',
  },
  VOLUME_IS_MOUNT_POINT: {
    kind: 'blocked',
    title: 'The directory is a mount point',
    detail: '{mount} is mounted at or below {path}, and this cannot be swapped.',
    next: 'Use a folder inside the mounted file system.',
  },
  UNKNOWN_SCOPE: {
    kind: 'invalid',
    title: 'Unknown volume scope',
    detail: 'The volume scope {scope} is not known; known are {known}.',
    next: 'Use a known scope.',
  },
  UNKNOWN_SOURCE_TYPE: {
    kind: 'invalid',
    title: 'Unknown source type',
    detail: 'The source type {type} is not known; known are {known}.',
    next: 'Use a known source type.',
  },
  UNKNOWN_HOST: { kind: 'invalid', title: 'Unknown host', detail: 'The host {host} is not known.', next: 'Use local.' },
  FS_IDENTITY: {
    kind: 'blocked',
    title: 'No stable identity',
    detail: 'The file system of {path} gives no birth time, so its trees cannot be recognised after a crash.',
    next: 'Put the volume on ext4, xfs or btrfs.',
  },
  RENAME_REFUSED: {
    kind: 'blocked',
    title: 'Renames are refused',
    detail: 'A probe could not be renamed in {path}: {why}.',
    next: 'Check mounts, permissions and immutable flags of {path}.',
  },
  READ_ONLY_MOUNT: {
    kind: 'blocked',
    title: 'Mounted read-only',
    detail: '{path} is on the mount {mount}, which is read-only.',
    next: 'Mount {mount} writable, then try again.',
  },
  DIRECTORY_IMMUTABLE: {
    kind: 'blocked',
    title: 'The directory is locked by a flag',
    detail: '{path} has the flag {flag}: it cannot be renamed.',
    next: 'Take the flag off with chattr, then try again.',
  },
  FS_UNSUITABLE: {
    kind: 'blocked',
    title: 'This kind of file system cannot swap directories',
    detail: '{path} is on {fileSystem}, where renaming a directory of a lower layer fails.',
    next: 'Move the volume to a real file system.',
  },
  SELINUX_LABEL: {
    kind: 'blocked',
    title: 'The directory has a security label of its own',
    detail:
      '{path} is labelled {label}; a directory made beside it would be labelled {parentLabel}, and the app could not read it.',
    next: 'Give the folder above it the label of the directory (semanage fcontext, restorecon), then try again.',
  },
  CAPABILITY_MISSING: {
    kind: 'blocked',
    title: 'The server lacks rights',
    detail: 'Owners and modes cannot be restored without {capabilities}.',
    next: 'Run the server as root, or give it these capabilities.',
  },
  USER_NAMESPACE: {
    kind: 'blocked',
    title: 'The server runs in a user namespace',
    detail: 'Not every owner of a snapshot exists in the user namespace of the server: it has {ids} user ids.',
    next: 'Run the server outside of a user namespace.',
  },
  DIRECTORY_FOREIGN_USER: {
    kind: 'blocked',
    title: 'Something else uses the directory',
    detail: '{user} has {path} mounted.',
    next: 'Stop {user}, then try again.',
  },
  SAFETY_NOT_SUPPORTED: {
    kind: 'invalid',
    title: 'Not at this step',
    detail:
      'Old directories can be kept instead of a safety snapshot only before the data is swapped: in the request of a restore, or while its safety snapshot waits.',
    next: 'Leave safety out.',
  },
  KEEPS_OLD_TREE: {
    kind: 'blocked',
    title: 'No safety snapshot',
    detail: 'Instead of a safety snapshot the replaced directories themselves are kept, for {days} day(s).',
    next: 'Make sure that there is room for both: the way back is to put the directories in place by hand.',
  },
  VOLUME_SWAPPED_INSIDE: {
    kind: 'blocked',
    title: 'Swapped inside a mount point',
    detail:
      '{path} is a mount point and cannot be renamed: what lies directly in it is moved, entry by entry, while the app is stopped. Until the restore ends the app sees folders named .restore-… in it.',
    next: 'Make sure that the app does not mind such folders in its data.',
  },
  QUIESCE_NONE: {
    kind: 'blocked',
    title: 'Taken from a running app',
    detail: 'The snapshot was taken while the app ran, without pausing it.',
    next: 'Expect what a crash of the app would leave.',
  },
  IMAGE_DIFFERS: {
    kind: 'blocked',
    title: 'Another image',
    detail: 'The snapshot was taken with image {was}; the app runs {is}.',
    next: 'Check that the app reads data of that version.',
  },
  VOLUME_NOT_TOUCHED: {
    kind: 'blocked',
    title: 'A volume is not in the snapshot',
    detail: 'The volume at {target} is not in this snapshot and will not be touched.',
    next: 'Nothing to do.',
  },

  // operations
  INSUFFICIENT_SPACE: {
    kind: 'exhausted',
    title: 'Not enough space',
    detail: '{mount} needs {need}, has {free}.',
    next: 'Free space on {mount}, then try again.',
  },
  INSUFFICIENT_INODES: {
    kind: 'exhausted',
    title: 'Not enough inodes',
    detail: '{mount} needs {need} inodes, has {free}.',
    next: 'Free inodes on {mount}, then try again.',
  },
  ARCHIVE_DAMAGED: {
    kind: 'damaged',
    title: 'The snapshot is damaged',
    detail: 'The snapshot is damaged at {entry}: {why}.',
    next: 'Choose another snapshot.',
  },
  ARCHIVE_TAMPERED: {
    kind: 'tampered',
    title: 'The snapshot was altered',
    detail: 'The snapshot was altered after capture: {why}. Do not trust it.',
    next: 'Choose another snapshot and find out who wrote to the data folder.',
  },
  ARCHIVE_MISSING: {
    kind: 'damaged',
    title: 'The archive file is missing',
    detail: 'The archive file of snapshot {snapshotId} is missing.',
    next: 'Choose another snapshot.',
  },
  IO_ERROR: {
    kind: 'internal',
    retryable: retry,
    title: 'Input or output error',
    detail: '{call} of {path} failed: {why}.',
    next: 'Check the disk and the kernel log of the host.',
  },
  STOP_TIMEOUT: {
    kind: 'timeout',
    title: 'A container did not stop',
    detail: '{container} did not stop in {seconds} s.',
    next: 'Look at its log; try again or go back.',
  },
  PAUSE_TOO_LONG: {
    kind: 'timeout',
    title: 'The pause was too long',
    detail: 'Capturing took longer than the pause limit of {seconds} s; the app goes on.',
    next: 'Raise maxPauseSeconds, or use quiesce stop.',
  },
  LIVE_DATA_UNREADABLE: {
    kind: 'state',
    title: "Today's data cannot be read",
    detail: "Today's data cannot be copied: {path}: {why}. The app was not stopped.",
    next: 'Restore with the old directories kept instead of a safety snapshot, or repair the data first.',
  },
  SAFETY_SNAPSHOT_FAILED: {
    kind: 'internal',
    retryable: retry,
    title: 'The safety snapshot failed',
    detail: "Today's data cannot be copied: {why}.",
    next: 'Try again, or go back.',
  },
  IMAGE_MISSING: {
    kind: 'unavailable',
    title: 'The image is missing',
    detail: 'Image {image} is not here nor in the registry.',
    next: 'Bring the image back (docker load or pull), then try again.',
  },
  APP_UNHEALTHY: {
    kind: 'timeout',
    title: 'The app is not healthy',
    detail: '{container} not healthy in {seconds} s: {answer}.',
    next: 'Look at its log; try again or go back.',
  },
  APP_EXITED: {
    kind: 'timeout',
    title: 'The app ended',
    detail: '{container} ended with code {exitCode} before it was healthy.',
    next: 'Look at its log; try again or go back.',
  },
  DEPLOY_FAILED: {
    kind: 'internal',
    retryable: retry,
    title: 'The container could not be made',
    detail: 'Docker refused: {why}.',
    next: 'Correct what Docker names, then try again.',
  },
  PORT_TAKEN: {
    kind: 'conflict',
    title: 'A port is taken',
    detail: 'Port {port} of the host is taken.',
    next: 'Free the port, or change ports[].published.',
  },
  CONTAINER_APPEARED: {
    kind: 'state',
    retryable: retry,
    title: 'A container uses the data',
    detail: '{container} uses {path}, which is being replaced.',
    next: 'Stop {container}, then try again.',
  },
  DATA_CHANGED: {
    kind: 'state',
    title: 'The directory was replaced',
    detail: '{path} is not the directory that was checked.',
    next: 'Find out who replaced it, then try again.',
  },
  TX_STATE: {
    kind: 'state',
    title: 'The journal forbids this step',
    detail: 'Step {step} needs journal record {needs}, found {found}.',
    next: 'The operation is undone.',
  },
  TX_ROLLED_BACK: {
    kind: 'state',
    title: 'Already being rolled back',
    detail: 'The transaction is being rolled back.',
    next: 'The operation is undone.',
  },
  TX_OPEN: {
    kind: 'conflict',
    title: 'Another transaction is open',
    detail: 'Transaction {txId} of operation {operationId} is still open for this workload.',
    next: 'Wait for its recovery.',
  },
  TX_CORRUPT: {
    kind: 'state',
    title: 'The journal is corrupt',
    detail: 'The journal {path} is corrupt at byte {offset}.',
    next: 'Do not start the app; follow the operator guide.',
  },
  ROLLBACK_FAILED: {
    kind: 'state',
    title: 'The data was not put back',
    detail: '{target} not put back: {why}.',
    next: 'Follow the operator guide, then check again.',
  },
  UNDO_FAILED: {
    kind: 'state',
    title: 'Going back failed',
    detail: 'Going back failed in {step}: {why}.',
    next: 'Follow the operator guide, then check again.',
  },
  WRONG_HOST: {
    kind: 'internal',
    title: 'Wrong host',
    detail: 'This host is {host}; the work is for {expected}.',
    next: 'Check the task queues.',
  },
  WORKLOAD_GONE: {
    kind: 'not-found',
    title: 'The workload is gone',
    detail: 'The workload was deleted.',
    next: 'Nothing to do.',
  },
  DOCKER_AWAY: {
    kind: 'unavailable',
    retryable: retry,
    title: 'Docker does not answer',
    detail: 'Docker does not answer: {why}.',
    next: 'Start the Docker Engine.',
  },
  DOCKER_NOT_ON_THIS_HOST: {
    kind: 'unavailable',
    title: 'Docker sees other files',
    detail: 'The Docker Engine at {dockerHost} does not see the files of this host: {why}.',
    next: 'Use a Docker Engine that runs on this host, or run Tiny Forge where it runs.',
  },
  HOST_OFFLINE: {
    kind: 'unavailable',
    retryable: retry,
    title: 'The host is silent',
    detail: 'No worker of host {host} took the step.',
    next: 'Start Tiny Forge on that host.',
  },
  LOST_BY_TEMPORAL: {
    kind: 'internal',
    title: 'Lost by Temporal',
    detail: 'Temporal no longer knows this operation; it had touched nothing.',
    next: 'Run it again.',
  },
  RECOVERED: {
    kind: 'internal',
    title: 'Recovered',
    detail: 'The operation was interrupted and was ended by recovery {operationId}.',
    next: 'Look at the recovery.',
  },
  ABORTED: {
    kind: 'cancelled',
    title: 'Aborted',
    detail: 'The operation was aborted by {who}.',
    next: 'Run it again when ready.',
  },
  WAIT_ENDED: {
    kind: 'cancelled',
    title: 'Nobody decided',
    detail: 'Nobody decided within {seconds} s.',
    next: 'Run it again when ready.',
  },
  CANCELLED: { kind: 'cancelled', title: 'Cancelled', detail: 'The step was cancelled.', next: 'Nothing to do.' },

  // start
  SETTING_UNKNOWN: {
    kind: 'invalid',
    title: 'Unknown setting',
    detail: 'The setting {name} is not known.',
    next: 'Run `npm start -- --help`.',
  },
  SETTING_INVALID: {
    kind: 'invalid',
    title: 'Wrong setting',
    detail: '{name}={value} is wrong: {allowed}.',
    next: 'Run `npm start -- --help`.',
  },
  DATA_DIR_IN_USE: {
    kind: 'conflict',
    title: 'The data folder is in use',
    detail: 'The data folder {path} is used by process {pid} since {since}.',
    next: 'Stop that process, or set TINY_FORGE_DATA.',
  },
  DATA_DIR_UNUSABLE: {
    kind: 'invalid',
    title: 'The data folder cannot be used',
    detail: 'The data folder {path} cannot be used: {why}.',
    next: 'Check path and permissions.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof catalogue;

/** Every code the product answers or records. `docs/errors.md` is generated from this table and proven equal by a test. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorEntry>> = catalogue;
