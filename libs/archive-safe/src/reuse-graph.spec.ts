import { expect, test } from '@jest/globals';
import { ReuseGraph } from './reuse-graph.ts';

test('a segment is written again where one is that it follows, at any distance, whichever was told first', () => {
  const graph = new ReuseGraph();
  graph.follows(1, 2);
  graph.follows(2, 3);
  graph.follows(4, 4);
  graph.kill(3);
  graph.follows(5, 1);
  expect([1, 2, 3, 4, 5].map((segment) => graph.isDead(segment))).toEqual([true, true, true, false, true]);
});

test('and not the other way round', () => {
  const graph = new ReuseGraph();
  graph.follows(1, 2);
  graph.kill(1);
  expect(graph.isDead(2)).toBe(false);
});
