import { naming } from '../ports/fs-error.ts';
import type { FsPort } from '../ports/fs-port.ts';

/** As `ownNames` gives them for a transaction's sixteen letters: what lies directly in a volume under such a name is ours, never content. */
const INNER_NAME =
  /^(\.restore-[a-z2-7]{16}(-\d+\.new|\.old)|\.trash-[a-z2-7]{16}-\d+-(old|new-\d+)|\.tiny-forge-probe-[a-z2-7]{16}-[abc])$/;

export const isInnerName = (name: string): boolean => INNER_NAME.test(name);

/** What is ours directly in a volume: no archive takes it, and no measure counts it. */
export async function innerNamesIn(fs: FsPort, directory: string): Promise<string[]> {
  return (await naming('readdir', directory, () => fs.readDirectory(directory))).filter(isInnerName);
}
