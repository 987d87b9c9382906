import { describe, expect, test } from '@jest/globals';
import { parseMountinfo } from './mountinfo.ts';

describe('parseMountinfo', () => {
  test('with and without optional fields', () => {
    const text = [
      '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue',
      '22 27 0:21 / /proc rw,relatime - proc proc rw',
      '',
    ].join('\n');
    expect(parseMountinfo(text)).toEqual([
      {
        mountId: 36,
        parentId: 35,
        device: '98:0',
        root: '/mnt1',
        mountPoint: '/mnt2',
        fileSystem: 'ext3',
        source: '/dev/root',
        readOnly: false,
      },
      {
        mountId: 22,
        parentId: 27,
        device: '0:21',
        root: '/',
        mountPoint: '/proc',
        fileSystem: 'proc',
        source: 'proc',
        readOnly: false,
      },
    ]);
  });

  test.each([
    ['the mount', '1 0 8:1 / / ro,noatime - ext4 x rw', true],
    ['the file system', '1 0 8:1 / / rw - ext4 x ro,errors=continue', true],
    ['neither', '1 0 8:1 / / rw,relatime - ext4 x rw,errors=remount-ro', false],
  ])('read-only by %s', (_, line, readOnly) => {
    expect(parseMountinfo(line)[0]?.readOnly).toBe(readOnly);
  });

  test('octal escapes, a name that is a hyphen, an empty source', () => {
    const [entry] = parseMountinfo('1 0 8:1 /a\\040b\\134c\\011d\\012e\\043f /- rw - tmpfs  rw');
    expect(entry).toMatchObject({ root: '/a b\\c\td\ne#f', mountPoint: '/-', fileSystem: 'tmpfs', source: '' });
  });

  test('a backslash that was escaped is not escaped again', () => {
    expect(parseMountinfo('1 0 8:1 /\\134040 / rw - ext4 x rw')[0]?.root).toBe('/\\040');
  });

  test.each(['1 0 8:1 / /', 'nonsense', '1 0 8:1 / / rw ext4 x rw'])('%s is refused', (line) => {
    expect(() => parseMountinfo(line)).toThrow(RangeError);
  });
});
