import { aptCommand, aptInstall } from './apt.ts';
import type { Machine } from './commands.ts';
import { ProvisionError } from './provision-error.ts';
import type { Terminal } from './terminal.ts';

interface TestProgram {
  readonly program: string;
  readonly package: string;
  readonly why: string;
  /** What needs it says that it was skipped. */
  readonly optional?: true;
}

/** Small programs that tests run, and the packages that bring them. */
const PROGRAMS: readonly TestProgram[] = [
  { program: 'ip', package: 'iproute2', why: 'networks of the tests’ own' },
  { program: 'zstd', package: 'zstd', why: '`tar --zstd` restores a snapshot as a stranger would' },
  { program: 'setfattr', package: 'attr', why: 'extended attributes that a snapshot has to tell of' },
  { program: 'bsdtar', package: 'libarchive-tools', why: 'an oracle for what an archive holds' },
  { program: 'python3', package: 'python3', why: 'another oracle, `tarfile`' },
  { program: 'mkfs.ext4', package: 'e2fsprogs', why: 'small disks that run full' },
  { program: 'mkfs.xfs', package: 'xfsprogs', why: 'the power is cut on real xfs', optional: true },
];

/**
 * Makes sure that the small programs of the tests are there, installing as root what is not.
 * @throws ProvisionError PROGRAM_MISSING naming all of them at once
 */
export async function ensureTestPrograms(machine: Machine, terminal: Terminal): Promise<void> {
  const notThere = (): readonly TestProgram[] => PROGRAMS.filter(({ program }) => machine.which(program) === null);
  const absent = (): readonly TestProgram[] => notThere().filter(({ optional }) => optional !== true);
  const missing = notThere();
  if (missing.length === 0) return;
  let log: readonly string[] = [];
  if (machine.isRoot && machine.hasApt) {
    const names = missing.map((one) => one.package);
    const result = await aptInstall(machine, terminal, 'programs', names, missing.map((one) => one.why).join('; '));
    if (!result.installed) log = result.log;
  }
  if (absent().length === 0) return;
  const packages = absent().map((one) => one.package);
  throw new ProvisionError({
    code: 'PROGRAM_MISSING',
    what: `programs of the tests are missing: ${absent()
      .map(({ program }) => program)
      .join(', ')}`,
    why: machine.isRoot
      ? 'they are not on PATH and could not be installed'
      : 'they are not on PATH, and only root can install them',
    getIt: [
      machine.hasApt
        ? aptCommand(packages, !machine.isRoot)
        : `install ${packages.join(', ')} with this system’s packages`,
    ],
    log,
  });
}
