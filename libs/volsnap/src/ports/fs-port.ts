/** What `lstat` says, as far as the engine asks. `birthTimeNs` is 0 where the file system keeps none. */
export interface FileStat {
  readonly kind: 'directory' | 'file' | 'symlink' | 'other';
  readonly inode: bigint;
  readonly birthTimeNs: bigint;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Of the content, ns since 1970. */
  readonly modifiedNs: bigint;
}

/** What is said of a directory beside its mode. */
export interface DirectoryTraits {
  /** `immutable` and `append-only` (chattr +i, +a) keep a directory from being renamed; empty also where nobody can tell. */
  readonly flags: readonly ('immutable' | 'append-only')[];
  /** Of SELinux; null where that is off. */
  readonly securityLabel: string | null;
}

/** Bytes and inodes as an unprivileged user would have them. `totalInodes` is 0 where the file system does not count them. */
export interface FileSystemSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly totalInodes: number;
  readonly freeInodes: number;
}

/**
 * Every effect on files that the restore transaction has. Obligations of every implementation:
 * - calls are made one after the other by their caller; none is done by a child process that could outlive us, but `syncFileSystem`,
 *   which changes no name;
 * - errors are `ErrnoException`s (`code` is ENOSPC, EIO, ...); a call that threw may or may not have had its effect;
 * - no call follows a symlink in the last component; none retries.
 */
export interface FsPort {
  /** null: nothing there. */
  stat(path: string): Promise<FileStat | null>;
  /** Sorted names. A directory that is not there: ENOENT. */
  readDirectory(path: string): Promise<string[]>;
  /** Whole content. A file that is not there: ENOENT. */
  readFile(path: string): Promise<Buffer>;
  space(path: string): Promise<FileSystemSpace>;
  /** Names under which the file system that holds `path` is found again after a remount: `uuid:...`, `fsid:...`, best first. */
  fileSystemNames(path: string): Promise<readonly string[]>;
  /** `/proc/self/mountinfo`. */
  mountInfo(): Promise<string>;
  /** Of an existing directory. */
  traits(path: string): Promise<DirectoryTraits>;

  /** Exactly this mode, whatever the umask. A name that is taken: EEXIST. */
  mkdir(path: string, mode: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Removes an empty directory: ENOTEMPTY otherwise. */
  rmdir(path: string): Promise<void>;
  /** A symlink: ELOOP. */
  chmod(path: string, mode: number): Promise<void>;
  /** Takes setuid and setgid bits of files away, as the kernel does. */
  chown(path: string, uid: number, gid: number): Promise<void>;
  /** Access and modification time, to the microsecond: all that Node can hand over. */
  touch(path: string, modifiedNs: bigint): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  link(from: string, to: string): Promise<void>;

  /** New file, 0600, open for reading and writing. A name that is taken: EEXIST. */
  create(path: string): Promise<number>;
  /** Existing file, for reading and writing. */
  open(path: string): Promise<number>;
  /** Writes all bytes or throws. */
  write(fd: number, offset: number, bytes: Uint8Array): Promise<void>;
  truncate(fd: number, size: number): Promise<void>;
  sync(fd: number): Promise<void>;
  close(fd: number): Promise<void>;

  syncDirectory(path: string): Promise<void>;
  /** All data and metadata of the file system that holds `path` (syncfs). */
  syncFileSystem(path: string): Promise<void>;
}

export type FsCallName = keyof FsPort;

/** Every call, in the order of the interface; wrappers and tests enumerate it. */
export const FS_CALLS = [
  'stat',
  'readDirectory',
  'readFile',
  'space',
  'fileSystemNames',
  'mountInfo',
  'traits',
  'mkdir',
  'rename',
  'unlink',
  'rmdir',
  'chmod',
  'chown',
  'touch',
  'symlink',
  'link',
  'create',
  'open',
  'write',
  'truncate',
  'sync',
  'close',
  'syncDirectory',
  'syncFileSystem',
] as const satisfies readonly FsCallName[];

/** Calls that change nothing. */
export const FS_READS: readonly FsCallName[] = [
  'stat',
  'readDirectory',
  'readFile',
  'space',
  'fileSystemNames',
  'mountInfo',
  'traits',
  'open',
];

export interface FsCall {
  readonly name: FsCallName;
  readonly args: readonly unknown[];
  /** Counts from 1 over the life of the wrapper. */
  readonly number: number;
}

/** The same port with `around` about every call; `proceed` makes the call. */
export function interceptFsPort(
  inner: FsPort,
  around: (call: FsCall, proceed: () => Promise<unknown>) => Promise<unknown>,
): FsPort {
  let number = 0;
  const calls = FS_CALLS.map((name) => {
    const target = inner[name].bind(inner) as (...args: unknown[]) => Promise<unknown>;
    return [name, (...args: unknown[]) => around({ name, args, number: ++number }, () => target(...args))];
  });
  return Object.fromEntries(calls) as FsPort;
}
