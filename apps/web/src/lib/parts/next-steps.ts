/** Which buttons help with which code (`actions` of the operation say whether the server would take them). */
export type NextStep = 'retry' | 'back' | 'check' | 'choose' | 'log' | 'edit' | 'open';

const TABLE: Readonly<Record<string, readonly NextStep[]>> = {
  OPERATION_IN_PROGRESS: ['open'],
  WORKLOAD_HELD: ['open'],
  PLAN_CHANGED: ['check'],
  INSUFFICIENT_SPACE: ['check'],
  INSUFFICIENT_INODES: ['check'],
  ARCHIVE_DAMAGED: ['choose'],
  ARCHIVE_TAMPERED: ['choose'],
  ARCHIVE_MISSING: ['choose'],
  VOLUME_NOT_IN_CONFIG: ['edit', 'choose'],
  VOLUME_CHANGED: ['edit', 'choose'],
  VOLUME_MISSING: ['check', 'edit'],
  VOLUME_IS_MOUNT_POINT: ['check', 'edit'],
  VOLUME_IN_USE: ['check'],
  DIRECTORY_FOREIGN_USER: ['check'],
  RENAME_REFUSED: ['check'],
  FS_IDENTITY: ['edit'],
  STOP_TIMEOUT: ['log', 'retry', 'back'],
  LIVE_DATA_UNREADABLE: ['choose'],
  SAFETY_SNAPSHOT_FAILED: ['retry', 'back'],
  IMAGE_MISSING: ['retry', 'back', 'check'],
  APP_UNHEALTHY: ['log', 'retry', 'back'],
  APP_EXITED: ['log', 'retry', 'back'],
  ROLLBACK_FAILED: ['check'],
  UNDO_FAILED: ['check'],
  SERVICE_UNAVAILABLE: ['check'],
  DOCKER_AWAY: ['check'],
  STARTING: ['check'],
};

export const nextSteps = (code: string): readonly NextStep[] => TABLE[code] ?? [];
