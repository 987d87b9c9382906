import type { ErrorCode, ErrorParams, ImageRef } from '@tiny-forge/contracts/domain';
import type { FileSystemSpace } from '../ports/fs-port.ts';
import type { TreeIdentity } from '../restore-engine.ts';

/** What the host says, gathered once; planning is a pure function of it. */
export interface HostFacts {
  /** One for each captured volume of the current config. */
  readonly volumes: readonly VolumeFacts[];
  /** Size of the archive file; null: it is not there. */
  readonly archiveBytes: number | null;
  /** Where the safety archive will be written. */
  readonly snapshots: FileSystemFacts;
  /** Instances of this workload, newest first. */
  readonly containers: readonly ContainerFacts[];
  /** Everything but these instances that has a volume's directory mounted. */
  readonly users: readonly DirectoryUser[];
  /** null: the workload was never deployed and its source names no image. */
  readonly image: ImageFacts | null;
  readonly rights: ProcessRights;
}

/** What this process may do. */
export interface ProcessRights {
  /** Capabilities that a restore needs and that it has not. */
  readonly missing: readonly string[];
  /** Of its user namespace; null: all there are. */
  readonly userIds: number | null;
}

export interface FileSystemFacts {
  /** Stable within one boot; equal for directories that share their space. */
  readonly id: string;
  readonly mountPoint: string;
  /** `ext4`, `overlay`, ... as mountinfo has it. */
  readonly kind: string;
  readonly readOnly: boolean;
  readonly space: FileSystemSpace;
}

interface DeclaredVolume {
  readonly target: string;
  readonly scope: string;
  readonly source: string;
}

export interface ResolvedVolumeFacts extends DeclaredVolume {
  readonly kind: 'resolved';
  readonly hostPath: string;
  /** Of a mount point: itself. */
  readonly parent: string;
  readonly base: string;
  readonly standing: 'absent' | 'tree' | 'other';
  /** null: absent, or the file system gives no stable identity. */
  readonly live: TreeIdentity | null;
  /** Whether trees made in `parent` now can be recognised later. */
  readonly hasIdentity: boolean;
  /** Of the live directory; null: absent. */
  readonly measure: { readonly contentBytes: number; readonly entries: number } | null;
  /** Mount points at or below `hostPath`. */
  readonly mounts: readonly string[];
  readonly fileSystem: FileSystemFacts;
  /** In a mount point: something that no call of ours can name. */
  readonly unreadableName?: string;
  /** Flags that keep the directory, the one above it, or what lies in a mount point from being moved. */
  readonly locked: readonly { readonly path: string; readonly flag: string }[];
  /** Security labels, where the system has them and the directory is there. */
  readonly labels: { readonly live: string; readonly parent: string } | null;
}

export interface RefusedVolumeFacts extends DeclaredVolume {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  readonly params: ErrorParams;
}
export type VolumeFacts = ResolvedVolumeFacts | RefusedVolumeFacts;

export interface ContainerFacts {
  readonly id: string;
  readonly name: string;
  readonly running: boolean;
}

export interface DirectoryUser {
  /** Name of the container, or `process <pid> (<command>)`. */
  readonly name: string;
  readonly path: string;
  readonly running: boolean;
  /** Whether it only has a directory around this one mounted, and that is the root of the host: a monitoring agent, say. */
  readonly watchesWholeHost: boolean;
}

export interface ImageFacts {
  readonly ref: ImageRef;
  /** The very image is on this Engine. */
  readonly available: boolean;
  /** It can be asked of a registry: by digest, or by the configured name where nothing is deployed yet. */
  readonly pullable: boolean;
}
