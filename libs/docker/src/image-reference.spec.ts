import { expect, test } from '@jest/globals';
import { loadedImages, pullFailure, withTag } from './image-reference.ts';

test.each([
  ['busybox', 'busybox:latest'],
  ['busybox:1', 'busybox:1'],
  ['localhost:5000/app', 'localhost:5000/app:latest'],
  ['localhost:5000/app:2', 'localhost:5000/app:2'],
  ['app@sha256:00', 'app@sha256:00'],
])('%s is pulled as %s', (reference, expected) => expect(withTag(reference)).toBe(expected));

test('names and ids of a load, failure of a pull', () => {
  expect(loadedImages('{"stream":"Loaded image: a:1\\n"}\n{"stream":"Loaded image ID: sha256:00\\n"}\n')).toEqual([
    'a:1',
    'sha256:00',
  ]);
  expect(pullFailure('{"status":"Pulling"}\n')).toBeNull();
  expect(pullFailure('{"status":"Pulling"}\n{"errorDetail":{},"error":"denied"}\n')).toBe('denied');
});
