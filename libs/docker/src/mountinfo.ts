/** One line of `/proc/<pid>/mountinfo` (proc(5)). */
export interface MountEntry {
  readonly mountId: number;
  readonly parentId: number;
  /** `major:minor` of the file system; not always `st_dev` (btrfs). */
  readonly device: string;
  /** Directory of the file system that is mounted; ends in `//deleted` when it was removed. */
  readonly root: string;
  /** Where, as seen by that process. */
  readonly mountPoint: string;
  readonly fileSystem: string;
  readonly source: string;
  /** The mount, or the whole file system, refuses writes. */
  readonly readOnly: boolean;
}

/** @throws RangeError for a line that is no mountinfo: guessing here would hide a user of a directory. */
export function parseMountinfo(text: string): MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ');
      // Optional fields end at a lone hyphen, which no escaped field can be.
      const separator = fields.indexOf('-', 6);
      const [mountId, parentId, device, root, mountPoint, options] = fields;
      const superOptions = fields[separator + 3] ?? '';
      const fileSystem = fields[separator + 1];
      const source = fields[separator + 2];
      if (separator < 0 || !device || !root || !mountPoint || fileSystem === undefined || source === undefined) {
        throw new RangeError(`not a line of mountinfo: ${line.slice(0, 200)}`);
      }
      return {
        mountId: Number(mountId),
        parentId: Number(parentId),
        device,
        root: unescape(root),
        mountPoint: unescape(mountPoint),
        fileSystem: unescape(fileSystem),
        source: unescape(source),
        readOnly: [options ?? '', superOptions].some((list) => list.split(',').includes('ro')),
      };
    });
}

/** The kernel writes space, tab, newline, backslash and hash as three octal digits. */
const unescape = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
