import { expect, it } from '@jest/globals';
import { enabledControllers, hasCgroups } from './cgroups.ts';

it.each([
  ['old', 'cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0', true],
  ['unified', 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0', true],
  ['an empty folder in memory', 'tmpfs /sys/fs/cgroup tmpfs rw 0 0', false],
  ['nothing', 'proc /proc proc rw 0 0\n', false],
])('hasCgroups: %s', (_name, mounts, expected) => {
  expect(hasCgroups(mounts)).toBe(expected);
});

it('takes the controllers that are switched on', () => {
  const table = '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t2\t1\nhugetlb\t0\t1\t0\nmemory\t3\t9\t1\n';
  expect(enabledControllers(table)).toEqual(['cpu', 'memory']);
});
