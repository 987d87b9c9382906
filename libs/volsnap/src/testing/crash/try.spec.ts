import { it, expect } from '@jest/globals';
import { explore } from './explore.ts';
it.each(['ordered', 'weak'] as const)(
  '%s',
  async (model) => {
    const began = performance.now();
    const n = Number(process.env['N'] ?? 1);
    const volumes = Array.from({ length: n }, (_, i) => ({
      disk: i === 1 ? ('b' as const) : ('a' as const),
      live: 'present' as const,
      captured: 'present' as const,
    }));
    const found = await explore(
      { model, volumes, app: 'running' },
      { depth: Number(process.env['D'] ?? 1) as 1 | 2, mostFailures: 8 },
    );
    console.log(model, found, performance.now() - began);
    expect(found.failures).toEqual([]);
  },
  600000,
);
